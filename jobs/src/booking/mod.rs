//! What follows from a booking's changes.

pub mod confirm;
pub mod rescheduled;
pub mod status_changed;
