//! The rows of init, config and schema.

use crate::row;

row! {
    /// A setting's effective value.
    pub struct Setting {
        /// Name, as in config files and after `--`.
        pub key: &'static str,
        /// Value.
        pub value: String,
        /// Where the value comes from: option, env NAME, FILE:LINE or default.
        pub origin: String,
    }
}

row! {
    /// A field of a command's rows.
    pub struct FieldOf {
        /// The command.
        pub command: &'static str,
        /// Name: JSON key, CSV header and Parquet column.
        pub field: &'static str,
        /// Type of the values.
        pub kind: &'static str,
        /// Unit of the values.
        pub unit: Option<&'static str>,
        /// True when there may be no value.
        pub nullable: bool,
        /// What it means, and the option that it comes with.
        pub meaning: &'static str,
    }
}

row! {
    /// A stable error code.
    pub struct ErrorCode {
        /// The word in `error.code`.
        pub code: &'static str,
        /// Exit status of the process.
        pub exit: u32,
        /// When it is used.
        pub meaning: &'static str,
    }
}

row! {
    /// A dataset that was made.
    pub struct Made {
        /// Its directory.
        pub dataset: String,
        /// Dimension.
        pub dim: usize,
        /// Default metric.
        pub metric: String,
        /// Kind of entity ids.
        pub ids: String,
        /// Format of the directory.
        pub format: u32,
        /// Buckets of the long-term files.
        pub buckets: String,
        /// Periods of the long-term files.
        pub partition: String,
    }
}
