//! Automatic texts.

pub mod run;
