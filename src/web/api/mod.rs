//! The API for frontends and integrations: one file per resource, and the rows of all its routes.

mod automation_runs;
mod bookings;
pub(super) mod calls;
mod clients;
mod dashboard;
mod data;
mod event_log;
mod exceptions;
mod jobs;
mod numbers;
mod offers;
mod pricing;
mod reconciliation;
mod routes;
mod schedules;
mod service_requests;
mod sitters;
mod threads;
mod traces;
mod windows;

pub(super) use routes::routes;
