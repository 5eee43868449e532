//! Columns that a run leaves out, by the fields of the row type.

use super::Row;
use std::marker::PhantomData;

/// Columns of the row type `R` that an output leaves out. [`hidden!`](crate::hidden) makes it.
#[derive(Debug, Clone)]
pub struct Hidden<R> {
    names: Vec<&'static str>,
    row: PhantomData<fn(R)>,
}

impl<R: Row> Default for Hidden<R> {
    fn default() -> Self {
        Hidden::none()
    }
}

impl<R: Row> Hidden<R> {
    /// All columns are shown.
    pub fn none() -> Self {
        Hidden::of(&[])
    }

    /// For the macro, which has checked that the row type has these fields.
    #[doc(hidden)]
    pub fn of(names: &[&'static str]) -> Self {
        Hidden { names: names.to_vec(), row: PhantomData }
    }

    /// These where the condition holds, else none.
    #[must_use]
    pub fn when(self, condition: bool) -> Self {
        if condition { self } else { Hidden::none() }
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, other: Hidden<R>) -> Self {
        self.names.extend(other.names);
        self
    }

    /// Their names.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }
}

/// The columns to leave out, as fields of a row type; a field that the type lacks does not compile.
///
/// ```
/// cvx::row! {
///     /// A row.
///     pub struct Point {
///         /// Speed.
///         pub speed: f64,
///         /// Scale.
///         pub scale: Option<String>,
///     }
/// }
/// let hidden = cvx::hidden!(Point: scale).when(true);
/// assert_eq!(hidden.names(), ["scale"]);
/// ```
///
/// ```compile_fail
/// # cvx::row! {
/// #     /// A row.
/// #     pub struct Point {
/// #         /// Speed.
/// #         pub speed: f64,
/// #     }
/// # }
/// cvx::hidden!(Point: scale);
/// ```
#[macro_export]
macro_rules! hidden {
    ($row:ty: $($field:ident),+ $(,)?) => {{
        fn _check(row: &$row) {
            let _ = ($(&row.$field),+,);
        }
        $crate::output::Hidden::<$row>::of(&[$(stringify!($field)),+])
    }};
}
