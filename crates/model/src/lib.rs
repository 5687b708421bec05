//! The protocol of the queue as a model: rows, statements, processes that die, freeze and start, a clock that is set,
//! people who cancel and retry, a provider.
//!
//! [`Protocol::steps`] says what can happen in a state and [`Protocol::take`] what it changes; each [`Step`] names the
//! code that it stands for. [`stateright`] visits every state that can be reached within a [`Scope`] and checks all
//! [`promises`](PROMISES) in each. With a [`Defect`], the check must find a broken promise.
//!
//! The model is written independently of the queue's code, as a specification would be. The queue's tests walk through
//! the model at random and run the real statement for each step, on both engines, and compare the rows.

mod check;
mod claims;
mod defect;
mod effects;
mod possible;
mod promises;
mod protocol;
mod rows;
mod scope;
pub mod state;
mod step;
mod take;
mod time;

pub use check::{Checked, check};
pub use defect::Defect;
pub use promises::{PROMISES, Promise};
pub use protocol::Protocol;
pub use scope::{Engine, JobSpec, SCOPES, Scope, WIDE_SCOPES};
pub use step::Step;
