//! Nightshift, the program: command line, settings, HTTP, and which role runs what.
//!
//! No business rules and no SQL live here. [`cli`] is what a person types, [`config`] what the operator may choose,
//! [`app`] starts and stops the roles, `web` answers requests, [`demo`] plays the whole with simulated providers.

pub mod config;
pub mod telemetry;
