//! What follows when a booking is confirmed, and when a confirmed one changes.
//!
//! The confirmation is a row of steps: load, thread, number, window, automation, audit. Each is one function that looks
//! at what stands, does what is missing and says what it did; each may run in a transaction of its own, in any number
//! of repeats, and concurrently with itself. A crash between two steps therefore costs nothing but the repeat. Each
//! step holds the booking's lock, and does nothing once the booking is cancelled.

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
pub use to_follow::ToFollow;
