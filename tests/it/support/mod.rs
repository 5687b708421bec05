//! What the tests stand on: the program in this process or as a process of its own, a small business in its database,
//! the simulator it texts through, and the questions that tests ask about a program ([`probes`]).

pub mod answer;
pub mod browser;
pub mod business;
pub mod checks;
pub mod contract;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod logs;
pub mod nightshift;
pub mod probes;
pub mod process;
pub mod twilio;

pub use answer::Answer;
pub use nightshift::{Caller, Nightshift, on};
