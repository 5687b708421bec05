//! Nightshift, the program: command line, settings, HTTP, and which role runs what.
//!
//! No business rules and no SQL live here. [`cli`] is what a person types, [`config`] what the operator may choose,
//! [`app`] starts and stops the roles, [`web`] answers requests, [`scheduler`] is the clock, [`demo`] plays the whole with
//! simulated providers, [`prove`] kills it under load and counts what came of it.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
mod log_lines;
mod output;
pub mod prove;
pub mod scheduler;
mod simulated;
pub mod telemetry;
pub mod web;
