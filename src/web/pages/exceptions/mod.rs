//! `/exceptions`: what needs a person, and what they do about it.

pub(super) mod detail;
pub(super) mod list;
