//! What happened, what needs a person, and what happens by the clock.

use axum::http::StatusCode;
use nightshift_domain::access::api_keys::Scope;

use super::who::{EXCEPTIONS, JOBS, OPS, OWNER, OWNER_AND_OPS};
use crate::web::api::{automation_runs, event_log, exceptions, jobs, schedules};
use crate::web::routes::{Area, Kind, Route};

const AUTOMATIONS: Area = Area::of(Kind::Api, "Automations");
const WORK: Area = Area::of(Kind::Api, "Exceptions");
const OPERATIONS: Area = Area::of(Kind::Api, "Operations");

pub(super) fn routes() -> Vec<Route> {
    vec![
        AUTOMATIONS.get("/api/automations/ledger", OWNER_AND_OPS, "List automatic texts", automation_runs::list),
        AUTOMATIONS.get("/api/automations/ledger/{id}", OWNER_AND_OPS, "Show an automatic text", automation_runs::show),
        WORK.get("/api/exceptions", OWNER_AND_OPS, "List what needs a person", exceptions::list)
            .text("The open ones unless `status` says otherwise, the most urgent first."),
        WORK.get("/api/exceptions/{id}", OWNER_AND_OPS, "Show what needs a person", exceptions::show),
        WORK.post(
            "/api/exceptions/{id}/resolve",
            OWNER_AND_OPS.and_keys(EXCEPTIONS),
            "Close an exception",
            exceptions::resolve,
        )
        .error(StatusCode::CONFLICT, "`exception_resolved`."),
        WORK.post(
            "/api/exceptions/{id}/snooze",
            OWNER_AND_OPS.and_keys(EXCEPTIONS),
            "Put an exception off",
            exceptions::snooze,
        )
        .error(StatusCode::CONFLICT, "`exception_resolved`."),
        WORK.post(
            "/api/exceptions/{id}/assign",
            OWNER_AND_OPS.and_keys(EXCEPTIONS),
            "Give an exception to somebody",
            exceptions::assign,
        )
        .error(StatusCode::CONFLICT, "`exception_resolved`."),
        OPERATIONS.get("/api/event-log", OWNER_AND_OPS, "List the event log", event_log::list).text(
            "In the order in which entries were recorded, by id, the last first. When a clock was ahead and the \
                 process restarted, entries from before stand first until time catches up.",
        ),
        OPERATIONS.get(
            "/api/ops/schedules",
            OPS.and_keys(JOBS),
            "List schedules with their last and next occurrences",
            schedules::list,
        ),
        OPERATIONS.post("/api/ops/schedules/{name}/run", OPS.and_keys(JOBS), "Run a schedule now", schedules::run),
        OPERATIONS.get(
            "/api/jobs/{id}",
            OWNER.and_keys(Scope::ALL),
            "Show how far the work of a request has come",
            jobs::show,
        ),
    ]
}
