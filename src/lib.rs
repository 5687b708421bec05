//! Nightshift, the program: command line, settings, HTTP, and which role runs what.
//!
//! It contains no business rules and no SQL. [`cli`] holds the commands, [`config`] the settings, and [`app`] starts and
//! stops the roles: [`web`] answers requests, [`scheduler`] enqueues the jobs of schedules.

pub mod app;
pub mod cli;
pub mod config;
mod log_lines;
mod output;
pub mod scheduler;
pub mod telemetry;
pub mod web;
