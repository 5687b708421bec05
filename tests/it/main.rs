//! The whole program through its outermost doors, on both engines: HTTP in; the database, the simulated providers and
//! HTTP answers out. A test is named by what it shows.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod access;
mod bookings;
mod browser;
mod calls;
mod cli;
mod clocks;
mod confirmation;
mod crash;
mod described;
mod exception_pages;
mod exceptions;
mod failover;
mod faults;
mod frozen;
mod idempotency;
mod jobs;
mod live;
mod metrics;
mod migrations;
mod money;
mod moves;
mod network;
mod nobody_reads;
mod numbers;
mod offers;
mod offers_killed;
mod openapi;
mod openphone;
mod opt_outs;
mod overload;
mod page_errors;
mod page_forms;
mod page_kit;
mod page_scripts;
mod pages;
mod phones;
#[cfg(target_os = "linux")]
mod power;
mod pricing;
mod processes;
mod promises;
mod receiver;
mod reconciliation;
mod retention;
mod retries;
mod sabotage;
mod schedules;
mod schemathesis;
mod sdk;
mod sign_in;
mod sms_lookup;
mod support;
mod threads;
mod versions;
