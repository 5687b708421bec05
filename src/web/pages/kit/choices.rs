//! The options of a select.

use std::fmt::Display;

pub(in crate::web::pages) struct Choice {
    pub(in crate::web::pages) value: String,
    pub(in crate::web::pages) text: String,
    pub(in crate::web::pages) chosen: bool,
}

/// Returns an option for each value, in the given order. The text is the stored value with spaces for underscores.
pub(in crate::web::pages) fn choices<T: Display + PartialEq>(values: &[T], chosen: Option<&T>) -> Vec<Choice> {
    let choice = |of: &T| {
        let value = of.to_string();
        Choice { text: value.replace('_', " "), chosen: chosen == Some(of), value }
    };
    values.iter().map(choice).collect()
}
