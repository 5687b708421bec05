//! The retention of data.

pub mod sweep;
