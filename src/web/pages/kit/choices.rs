//! The options of a select.

use std::fmt::Display;

/// One option.
pub(in crate::web::pages) struct Choice {
    pub(in crate::web::pages) value: String,
    pub(in crate::web::pages) text: String,
    pub(in crate::web::pages) chosen: bool,
}

/// An option for each of the values, in their order, read as it is stored but with spaces.
pub(in crate::web::pages) fn choices<T: Display + PartialEq>(values: &[T], chosen: Option<&T>) -> Vec<Choice> {
    let choice = |of: &T| {
        let value = of.to_string();
        Choice { text: value.replace('_', " "), chosen: chosen == Some(of), value }
    };
    values.iter().map(choice).collect()
}
