//! Nightshift, the program: command line, settings, HTTP, and which role runs what.
//!
//! No business rules and no SQL live here. [`cli`] is what a person types, [`config`] what the operator may choose,
//! [`app`] starts and stops the roles, [`web`] answers requests, [`scheduler`] is the clock.

pub mod app;
pub mod cli;
pub mod config;
mod log_lines;
mod output;
pub mod scheduler;
pub mod telemetry;
pub mod web;
