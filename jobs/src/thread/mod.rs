//! Conversations and their numbers.

pub mod assign_number;
pub mod close;
