//! Calls that book appointments.

pub mod poll;
pub mod start;
