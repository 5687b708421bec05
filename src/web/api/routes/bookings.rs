//! The routes of sessions, bookings and prices.

use axum::http::StatusCode;

use super::who::{OWNER, OWNER_AND_OPS, READ_BOOKINGS, WRITE_BOOKINGS};
use crate::web::api::{bookings, pricing, reconciliation};
use crate::web::auth::{Access, login};
use crate::web::routes::{Area, Kind, Route};

const SESSIONS: Area = Area::of(Kind::Api, "Sessions");
const BOOKINGS: Area = Area::of(Kind::Api, "Bookings");
const PRICES: Area = Area::of(Kind::Api, "Prices");

pub(super) fn routes() -> Vec<Route> {
    vec![
        SESSIONS
            .post("/api/auth/login", Access::ANYBODY, "Sign in", login::login)
            .text(
                "Sets two cookies: the session's, and one by which the account recognises this device. After 5 \
                 wrong passwords for an account from one network, or 20 from one address, in 15 minutes, one try a \
                 minute is let through.",
            )
            .error(StatusCode::UNAUTHORIZED, "Wrong email or password.")
            .error(StatusCode::FORBIDDEN, "The request comes from another site.")
            .body_bytes_max(login::BODY_BYTES_MAX),
        SESSIONS.post("/api/auth/logout", Access::KNOWN, "Sign out", login::logout),
        SESSIONS.get("/api/auth/me", Access::KNOWN, "Who the caller is", login::me),
        BOOKINGS
            .post("/api/bookings", OWNER.and_keys(WRITE_BOOKINGS), "Create a booking", bookings::create)
            .text("A booking of more than 31 days is refused."),
        BOOKINGS
            .get("/api/bookings", OWNER.and_sitter().and_keys(READ_BOOKINGS), "List bookings", bookings::list)
            .text("Newest first. A sitter sees their own, and can't search by `q`."),
        BOOKINGS.get(
            "/api/bookings/{id}",
            OWNER.and_sitter().and_keys(READ_BOOKINGS),
            "Show a booking",
            bookings::show,
        ),
        BOOKINGS
            .patch("/api/bookings/{id}", OWNER.and_keys(WRITE_BOOKINGS), "Change a booking", bookings::change)
            .text("Omitted fields keep their values.")
            .error(StatusCode::CONFLICT, "`version_conflict`, `invalid_transition`, `no_pricing_rule`."),
        BOOKINGS
            .post("/api/bookings/{id}/confirm", OWNER.and_keys(WRITE_BOOKINGS), "Confirm a booking", bookings::confirm)
            .error(StatusCode::CONFLICT, "`invalid_transition`."),
        BOOKINGS
            .post("/api/bookings/{id}/cancel", OWNER.and_keys(WRITE_BOOKINGS), "Cancel a booking", bookings::cancel)
            .error(StatusCode::CONFLICT, "`invalid_transition`."),
        BOOKINGS
            .get(
                "/api/bookings/{id}/status-history",
                OWNER_AND_OPS.and_sitter().and_keys(READ_BOOKINGS),
                "List a booking's changes of status",
                bookings::status_history,
            )
            .text("Oldest first. Entries never change."),
        PRICES
            .get(
                "/api/bookings/{id}/pricing",
                OWNER.and_keys(READ_BOOKINGS),
                "Show the price of a booking",
                pricing::of_booking,
            )
            .text("With the price by the current rules and the difference. 404 for a booking without a price."),
        PRICES
            .post("/api/bookings/{id}/reprice", OWNER, "Price a booking by the current rules", pricing::reprice)
            .error(StatusCode::CONFLICT, "`no_pricing_rule`."),
        PRICES.get("/api/pricing-rules", OWNER, "List price rules", pricing::rules),
        PRICES
            .post("/api/pricing-rules", OWNER, "Add a price rule", pricing::add_rule)
            .text("It becomes the service's next version. Versions are never changed."),
        PRICES.get("/api/reconciliation/runs", OWNER_AND_OPS, "List checks of all prices", reconciliation::list),
        PRICES
            .post("/api/reconciliation/runs", OWNER_AND_OPS, "Check all prices now", reconciliation::start)
            .error(StatusCode::CONFLICT, "`reconciliation_running`."),
        PRICES.get(
            "/api/reconciliation/runs/{id}/drifts",
            OWNER_AND_OPS,
            "List the differences that a check found",
            reconciliation::drifts,
        ),
    ]
}
