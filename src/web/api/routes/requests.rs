//! The routes of service requests and of the calls that book their appointments.

use std::time::Duration;

use axum::http::StatusCode;

use super::who::{OWNER, OWNER_AND_OPS, REQUESTS};
use crate::web::api::{calls, service_requests};
use crate::web::routes::{Area, Kind, Route};

const APPOINTMENTS: Area = Area::of(Kind::Api, "Appointments");

pub(super) fn routes() -> Vec<Route> {
    vec![
        APPOINTMENTS
            .post(
                "/api/v1/service-requests",
                OWNER.and_keys(REQUESTS),
                "Request an appointment",
                service_requests::create,
            )
            .text("`requestUrl` is the link of the request's page. Its token opens this request and nothing else."),
        APPOINTMENTS
            .get(
                "/api/v1/service-requests",
                OWNER.and_keys(REQUESTS),
                "List appointment requests",
                service_requests::list,
            )
            .text("Newest first, without their providers."),
        APPOINTMENTS.get(
            "/api/v1/service-requests/{id}",
            OWNER.and_keys(REQUESTS).and_links(),
            "Show a request with its providers and its call",
            service_requests::show,
        ),
        APPOINTMENTS.post(
            "/api/v1/service-requests/{id}/providers",
            OWNER.and_keys(REQUESTS),
            "Recommend providers",
            service_requests::add_providers,
        ),
        APPOINTMENTS.post(
            "/api/v1/service-requests/{id}/cancel",
            OWNER.and_links(),
            "Cancel a request",
            service_requests::cancel,
        ),
        APPOINTMENTS
            .post(
                "/api/v1/bookings/schedule-async",
                OWNER.and_keys(REQUESTS).and_links(),
                "Call a provider",
                calls::schedule_async,
            )
            .text("Answers as soon as the call is stored; `Location` is the URL of its state.")
            .error(StatusCode::CONFLICT, "`booking_in_progress`, `not_ready`, `invalid_transition`."),
        APPOINTMENTS
            .post(
                "/api/v1/bookings/schedule",
                OWNER.and_keys(REQUESTS),
                "Call a provider and wait for the outcome",
                calls::schedule,
            )
            .text("Answers after 310 seconds at most. The call continues when the caller disconnects.")
            .error(StatusCode::CONFLICT, "`booking_in_progress`, `not_ready`, `invalid_transition`.")
            .timeout(calls::TIMEOUT + Duration::from_secs(10)),
        APPOINTMENTS.get(
            "/api/v1/bookings/executions/{id}",
            OWNER.and_keys(REQUESTS).and_links(),
            "Show a call",
            calls::show,
        ),
        APPOINTMENTS
            .post("/api/v1/bookings/executions/{id}/cancel", OWNER_AND_OPS, "Cancel a call", calls::cancel)
            .error(StatusCode::CONFLICT, "`invalid_transition`: the call is over."),
    ]
}
