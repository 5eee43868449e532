//! Rows and their typed columns, made together by the [`row!`](crate::row) macro.
//!
//! A struct alone would not do: Parquet needs the columns even for no rows, CSV knows no
//! vectors, and JSON by way of a value tree prints an f32 0.1 as 0.10000000149011612.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An entity id: u64, a text in JSON where the dataset says so.
    Id,
    /// An unsigned integer.
    U64,
    /// A signed integer.
    I64,
    /// A 32-bit float, printed with the digits of one.
    F32,
    /// A 64-bit float.
    F64,
    /// True or false.
    Bool,
    /// A text.
    Text,
    /// An instant in microseconds since 1970, UTC.
    Time,
    /// JSON, kept as its text.
    Json,
    /// f32 values, as many as the dataset has dimensions; shown as `--vectors` says.
    Vector,
}

impl Type {
    /// The word that `cvx schema` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Id => "id",
            Type::U64 => "u64",
            Type::I64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Bool => "bool",
            Type::Text => "text",
            Type::Time => "time",
            Type::Json => "json",
            Type::Vector => "vector",
        }
    }

    /// True for what is set flush right in a table.
    pub fn is_number(self) -> bool {
        matches!(self, Type::Id | Type::U64 | Type::I64 | Type::F32 | Type::F64)
    }
}

/// One value of a row. NaN and infinities count as [`Cell::Null`] wherever they are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// An entity id.
    Id(u64),
    /// An unsigned integer.
    U64(u64),
    /// A signed integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'a str),
    /// Microseconds since 1970.
    Time(i64),
    /// The text of a JSON value that the program made: its floats are printed as others are.
    Json(&'a str),
    /// The text of a JSON value that somebody gave, printed as it was given.
    Meta(&'a str),
    /// A vector.
    Vector(&'a [f32]),
}

/// A column: the CSV header, the JSON key and the Parquet column at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name, part of the contract with scripts.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// True when a row may have no value here.
    pub nullable: bool,
    /// Unit of the values, empty without one.
    pub unit: &'static str,
    /// One line on its meaning.
    pub about: &'static str,
    /// Left out of tables, which are for reading; every other format has it.
    pub wide: bool,
}

/// A Rust type that stands in a row.
pub trait Field {
    /// The column type.
    const KIND: Type;
    /// True when a value may be missing.
    const NULLABLE: bool;

    /// The value.
    fn cell(&self) -> Cell<'_>;
}

/// A row type; see [`row!`](crate::row).
pub trait Row {
    /// The columns, in order of printing.
    const COLUMNS: &'static [Column];

    /// The values, one a column.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// An entity id in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub u64);

/// An instant in a row, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub i64);

/// The text of a JSON value that the program made, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub String);

/// The text of a JSON value that somebody gave, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta(pub String);

/// A label that is a number unless somebody gave it a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// A position.
    Number(u64),
    /// A given name.
    Name(String),
}

impl Field for Label {
    const KIND: Type = Type::Text;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        match self {
            Label::Number(n) => Cell::U64(*n),
            Label::Name(name) => Cell::Text(name),
        }
    }
}

macro_rules! field {
    ($($rust:ty => $kind:ident, |$v:ident| $cell:expr;)+) => {$(
        impl Field for $rust {
            const KIND: Type = Type::$kind;
            // A float that is not finite has no text.
            const NULLABLE: bool = matches!(Type::$kind, Type::F32 | Type::F64);
            fn cell(&self) -> Cell<'_> {
                let $v = self;
                $cell
            }
        }
    )+};
}

field! {
    Id => Id, |v| Cell::Id(v.0);
    u64 => U64, |v| Cell::U64(*v);
    u32 => U64, |v| Cell::U64(u64::from(*v));
    usize => U64, |v| Cell::U64(*v as u64);
    i64 => I64, |v| Cell::I64(*v);
    f32 => F32, |v| if v.is_finite() { Cell::F32(*v) } else { Cell::Null };
    f64 => F64, |v| if v.is_finite() { Cell::F64(*v) } else { Cell::Null };
    bool => Bool, |v| Cell::Bool(*v);
    String => Text, |v| Cell::Text(v);
    &'static str => Text, |v| Cell::Text(v);
    Time => Time, |v| Cell::Time(v.0);
    Json => Json, |v| Cell::Json(&v.0);
    Meta => Json, |v| Cell::Meta(&v.0);
    Vec<f32> => Vector, |v| Cell::Vector(v);
}

impl<T: Field> Field for Option<T> {
    const KIND: Type = T::KIND;
    const NULLABLE: bool = true;

    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, Field::cell)
    }
}

/// True when `name` is among `names`; for the macro, at compile time.
#[doc(hidden)]
pub const fn is_among(name: &str, names: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        if equal(name.as_bytes(), names[i].as_bytes()) {
            return true;
        }
        i += 1;
    }
    false
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Declares a row type: a struct, its typed columns and its cells, in one place.
///
/// A field is `name: Type,` or `name: Type => "unit",`; its doc line is what `cvx schema`
/// prints. `wide [a, b]` after the struct names columns that tables leave out.
///
/// ```
/// cvx::row! {
///     /// A neighbour of the query.
///     pub struct Neighbour {
///         /// Place in the order of distance, from 1.
///         pub rank: u32,
///         /// Age of the point.
///         pub age: Option<f64> => "s",
///     }
///     wide [age]
/// }
/// use cvx::output::Row;
/// assert_eq!(Neighbour::COLUMNS[1].unit, "s");
/// ```
#[macro_export]
macro_rules! row {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident {
            $($(#[doc = $doc:literal])+ $fvis:vis $field:ident : $ty:ty $(=> $unit:literal)?),+ $(,)?
        }
        $(wide [$($wide:ident),+ $(,)?])?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name { $($(#[doc = $doc])+ $fvis $field: $ty),+ }

        impl $crate::output::Row for $name {
            const COLUMNS: &'static [$crate::output::Column] = {
                const WIDE: &[&str] = &[$($(stringify!($wide)),+)?];
                &[$($crate::output::Column {
                    name: stringify!($field),
                    kind: <$ty as $crate::output::Field>::KIND,
                    nullable: <$ty as $crate::output::Field>::NULLABLE,
                    unit: concat!($($unit)?),
                    about: concat!($($doc),+).trim_ascii(),
                    wide: $crate::output::is_among(stringify!($field), WIDE),
                }),+]
            };

            fn cells(&self) -> Vec<$crate::output::Cell<'_>> {
                vec![$($crate::output::Field::cell(&self.$field)),+]
            }
        }
    };
}
