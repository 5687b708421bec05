//! All routes of the API as data: method, path, who may, and who answers. Tests walk it, so no route is forgotten.

use std::time::Duration;

use axum::http::Method;
use axum::routing::{MethodRouter, get, patch, post};
use nightshift_domain::access::api_keys::Scope;

use super::{
    bookings, calls, event_log, exceptions, jobs, ledger, numbers, pricing, reconciliation, schedules,
    service_requests, threads, windows,
};
use crate::web::auth::{Access, login};
use crate::web::state::Web;
use crate::web::stream;

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// How long it may take, when that is longer than usual.
    pub(super) patience: Option<Duration>,
    /// Largest body in bytes, when that is smaller than usual.
    pub(super) body_bytes_max: Option<usize>,
    /// Who answers.
    pub(super) handler: MethodRouter<Web>,
}

/// Every route of the API.
#[must_use]
pub fn table() -> Vec<Route> {
    const READ_BOOKINGS: &[Scope] = &[Scope::BookingsRead, Scope::BookingsWrite];
    const WRITE_BOOKINGS: &[Scope] = &[Scope::BookingsWrite];
    const READ_MESSAGES: &[Scope] = &[Scope::MessagesRead, Scope::MessagesWrite];
    const WRITE_MESSAGES: &[Scope] = &[Scope::MessagesWrite];
    const REQUESTS: &[Scope] = &[Scope::RequestsWrite];
    const EXCEPTIONS: &[Scope] = &[Scope::ExceptionsWrite];
    const JOBS: &[Scope] = &[Scope::JobsAdmin];
    let (owner, ops) = (Access::OWNER, Access::NOBODY.and_ops());
    let route =
        |method, path, access, handler| Route { method, path, access, patience: None, body_bytes_max: None, handler };
    vec![
        // Sessions.
        Route {
            body_bytes_max: Some(login::BODY_BYTES_MAX),
            ..route(Method::POST, "/api/auth/login", Access::ANYBODY, post(login::login))
        },
        route(Method::POST, "/api/auth/logout", Access::KNOWN, post(login::logout)),
        route(Method::GET, "/api/auth/me", Access::KNOWN, get(login::me)),
        // Bookings.
        route(Method::POST, "/api/bookings", owner.and_keys(WRITE_BOOKINGS), post(bookings::create)),
        route(Method::GET, "/api/bookings", owner.and_sitter().and_keys(READ_BOOKINGS), get(bookings::list)),
        route(Method::GET, "/api/bookings/{id}", owner.and_sitter().and_keys(READ_BOOKINGS), get(bookings::show)),
        route(Method::PATCH, "/api/bookings/{id}", owner.and_keys(WRITE_BOOKINGS), patch(bookings::change)),
        route(Method::POST, "/api/bookings/{id}/confirm", owner.and_keys(WRITE_BOOKINGS), post(bookings::confirm)),
        route(Method::POST, "/api/bookings/{id}/cancel", owner.and_keys(WRITE_BOOKINGS), post(bookings::cancel)),
        route(
            Method::GET,
            "/api/bookings/{id}/status-history",
            owner.and_sitter().and_ops().and_keys(READ_BOOKINGS),
            get(bookings::status_history),
        ),
        // Prices.
        route(Method::GET, "/api/bookings/{id}/pricing", owner.and_keys(READ_BOOKINGS), get(pricing::of_booking)),
        route(Method::POST, "/api/bookings/{id}/reprice", owner, post(pricing::reprice)),
        route(Method::GET, "/api/pricing-rules", owner, get(pricing::rules)),
        route(Method::POST, "/api/pricing-rules", owner, post(pricing::add_rule)),
        route(Method::GET, "/api/reconciliation/runs", owner.and_ops(), get(reconciliation::list)),
        route(Method::POST, "/api/reconciliation/runs", owner.and_ops(), post(reconciliation::start)),
        route(Method::GET, "/api/reconciliation/runs/{id}/drifts", owner.and_ops(), get(reconciliation::drifts)),
        // Appointments elsewhere.
        route(Method::POST, "/api/v1/service-requests", owner.and_keys(REQUESTS), post(service_requests::create)),
        route(Method::GET, "/api/v1/service-requests", owner.and_keys(REQUESTS), get(service_requests::list)),
        route(
            Method::GET,
            "/api/v1/service-requests/{id}",
            owner.and_keys(REQUESTS).and_links(),
            get(service_requests::show),
        ),
        route(
            Method::POST,
            "/api/v1/service-requests/{id}/providers",
            owner.and_keys(REQUESTS),
            post(service_requests::add_providers),
        ),
        route(Method::POST, "/api/v1/service-requests/{id}/cancel", owner.and_links(), post(service_requests::cancel)),
        route(
            Method::POST,
            "/api/v1/bookings/schedule-async",
            owner.and_keys(REQUESTS).and_links(),
            post(calls::schedule_async),
        ),
        Route {
            patience: Some(calls::PATIENCE + Duration::from_secs(10)),
            ..route(Method::POST, "/api/v1/bookings/schedule", owner.and_keys(REQUESTS), post(calls::schedule))
        },
        route(Method::GET, "/api/v1/bookings/executions/{id}", owner.and_keys(REQUESTS).and_links(), get(calls::show)),
        route(Method::POST, "/api/v1/bookings/executions/{id}/cancel", owner.and_ops(), post(calls::cancel)),
        // Conversations.
        route(Method::GET, "/api/messages/threads", owner.and_keys(READ_MESSAGES), get(threads::list)),
        route(Method::GET, "/api/messages/threads/{id}", owner.and_sitter(), get(threads::show)),
        route(Method::GET, "/api/messages/threads/{id}/messages", owner.and_sitter(), get(threads::messages)),
        route(
            Method::POST,
            "/api/messages/threads/{id}/messages",
            owner.and_sitter().and_keys(WRITE_MESSAGES),
            post(threads::send),
        ),
        route(Method::GET, "/api/sitter/threads", Access::SITTER, get(threads::open_to_sitter)),
        route(Method::GET, "/api/messages/numbers", owner.and_ops(), get(numbers::list)),
        route(Method::POST, "/api/messages/numbers", owner, post(numbers::add)),
        route(Method::PATCH, "/api/messages/numbers/{id}", owner, patch(numbers::change)),
        route(Method::GET, "/api/assignments/windows", owner.and_sitter(), get(windows::list)),
        route(Method::GET, "/api/events/stream", owner.and_sitter().and_ops().and_links(), get(stream::watch)),
        // What happened, and what needs somebody.
        route(Method::GET, "/api/automations/ledger", owner.and_ops(), get(ledger::list)),
        route(Method::GET, "/api/automations/ledger/{id}", owner.and_ops(), get(ledger::show)),
        route(Method::GET, "/api/exceptions", owner.and_ops(), get(exceptions::list)),
        route(Method::GET, "/api/exceptions/{id}", owner.and_ops(), get(exceptions::show)),
        route(
            Method::POST,
            "/api/exceptions/{id}/resolve",
            owner.and_ops().and_keys(EXCEPTIONS),
            post(exceptions::resolve),
        ),
        route(
            Method::POST,
            "/api/exceptions/{id}/snooze",
            owner.and_ops().and_keys(EXCEPTIONS),
            post(exceptions::snooze),
        ),
        route(
            Method::POST,
            "/api/exceptions/{id}/assign",
            owner.and_ops().and_keys(EXCEPTIONS),
            post(exceptions::assign),
        ),
        route(Method::GET, "/api/event-log", owner.and_ops(), get(event_log::list)),
        // What happens by the clock.
        route(Method::GET, "/api/ops/schedules", ops.and_keys(JOBS), get(schedules::list)),
        route(Method::POST, "/api/ops/schedules/{name}/run", ops.and_keys(JOBS), post(schedules::run)),
        route(Method::GET, "/api/jobs/{id}", owner.and_keys(Scope::ALL), get(jobs::show)),
    ]
}
