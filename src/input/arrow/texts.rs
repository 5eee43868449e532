//! Texts in Arrow columns, read where they lie: a dictionary's text is not copied for every row
//! that names it, which could be a thousand times the memory of the column.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};

/// A column of texts, plain or as a dictionary.
pub(super) struct Texts {
    values: Values,
    /// For a dictionary: the ordinal of each row's text.
    keys: Option<ArrayRef>,
}

enum Values {
    Small(StringArray),
    Large(LargeStringArray),
    Views(StringViewArray),
    /// A column that is null throughout.
    Nothing,
}

/// True for text, plain or as a dictionary.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

impl Texts {
    /// The texts of a column.
    ///
    /// # Errors
    /// For columns of other types.
    pub(super) fn new(array: &ArrayRef) -> Result<Texts, ArrowError> {
        if let DataType::Dictionary(..) = array.data_type() {
            let dictionary = array.as_any_dictionary();
            let values = Texts::new(dictionary.values())?.values;
            let keys = cast(&dictionary.keys().slice(0, array.len()), &DataType::Int64)?;
            return Ok(Texts { values, keys: Some(keys) });
        }
        let values = match array.data_type() {
            DataType::Utf8 => Values::Small(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Values::Large(array.as_string::<i64>().clone()),
            DataType::Utf8View => Values::Views(array.as_string_view().clone()),
            DataType::Null => Values::Nothing,
            other => {
                return Err(ArrowError::SchemaError(format!("a column of text is needed, not {other}")));
            }
        };
        Ok(Texts { values, keys: None })
    }

    /// The text of row `i`, `None` where it is null.
    pub(super) fn get(&self, i: usize) -> Option<&str> {
        let at = match &self.keys {
            Some(keys) => {
                let keys = keys.as_primitive_opt::<arrow_array::types::Int64Type>()?;
                usize::try_from(keys.is_valid(i).then(|| keys.value(i))?).ok()?
            }
            None => i,
        };
        let valid = |array: &dyn Array| at < array.len() && array.is_valid(at);
        match &self.values {
            Values::Small(a) => valid(a).then(|| a.value(at)),
            Values::Large(a) => valid(a).then(|| a.value(at)),
            Values::Views(a) => valid(a).then(|| a.value(at)),
            Values::Nothing => None,
        }
    }
}
