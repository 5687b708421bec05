//! Tests of the simulated providers over HTTP.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod people;
mod simulator;
mod stripe_sender;
mod support;
