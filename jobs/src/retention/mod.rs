//! How long things are kept.

pub mod sweep;
