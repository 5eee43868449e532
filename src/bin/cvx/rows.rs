//! The rows of every command: names, types and order are the contract with scripts.
//!
//! Fields are only ever added, at the end.

use cvx::output::{Column, Row};
use cvx::row;

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
        /// What it means.
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

/// The row type of each command that prints rows, by the words of the command.
pub const TABLES: &[(&str, &[Column])] = &[
    ("config show", Setting::COLUMNS),
    ("schema", FieldOf::COLUMNS),
    ("schema --errors", ErrorCode::COLUMNS),
];
