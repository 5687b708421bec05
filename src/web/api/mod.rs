//! The API that frontends and integrations call: one file per thing it is about, and one table of all routes.

mod bookings;
pub(super) mod calls;
mod event_log;
mod exceptions;
mod jobs;
mod ledger;
mod numbers;
pub(super) mod params;
mod pricing;
mod reconciliation;
mod routes;
mod schedules;
mod service_requests;
mod threads;
mod windows;

pub(super) use routes::routes;
