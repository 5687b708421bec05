//! What follows when a booking is confirmed, and when a confirmed booking changes.
//!
//! The confirmation is a sequence of steps: load, thread, number, window, automation, audit. Each is one function that
//! reads the current state, does what is missing and returns what it did. A step may run in a transaction of its own,
//! repeatedly, and concurrently with itself, so a crash between two steps costs only a repetition. Each step holds the
//! booking's lock, and does nothing if the booking is cancelled.

mod follow_up;
mod number;
mod steps;
mod to_follow;

pub use follow_up::{CloseThread, cancelled, close_thread, completed, confirmed, rescheduled};
pub use number::{assign_number, number};
pub use steps::{
    AutomationStep, Loaded, Outcome, ThreadStep, WindowStep, audit, automation, fail, load, thread, to_be_confirmed,
    window,
};
pub(crate) use steps::{delay, hand_over, hand_over_of};
pub use to_follow::ToFollow;
