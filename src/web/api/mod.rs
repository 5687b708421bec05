//! The API that frontends and integrations call: one file per thing it is about, and the rows of all its
//! routes.

mod automation_runs;
mod bookings;
pub(super) mod calls;
mod data;
mod event_log;
mod exceptions;
mod jobs;
mod numbers;
mod pricing;
mod reconciliation;
mod routes;
mod schedules;
mod service_requests;
mod threads;
mod windows;

pub(super) use routes::routes;
