//! The routes of sitters.

use axum::http::StatusCode;

use super::who::OWNER;
use crate::web::api::sitters;
use crate::web::routes::{Area, Kind, Route};

const SITTERS: Area = Area::of(Kind::Api, "Sitters");

pub(super) fn routes() -> Vec<Route> {
    vec![
        SITTERS
            .get("/api/sitters", OWNER, "List sitters with their tiers and figures", sitters::list)
            .text("By name. The figures are those of the last computation; null before the first."),
        SITTERS
            .post("/api/sitters", OWNER, "Add a sitter", sitters::add)
            .error(StatusCode::CONFLICT, "`phone_in_use`."),
        SITTERS
            .patch("/api/sitters/{id}", OWNER, "Change a sitter", sitters::change)
            .text(
                "Omitted fields keep their values. A sitter who is no longer active gets no new bookings and offers; \
                 pending offers are withdrawn, and conversations with clients go to the owner; bookings \
                 that are theirs stay so.",
            )
            .error(StatusCode::CONFLICT, "`phone_in_use`."),
        SITTERS
            .get("/api/sitters/{id}/metrics", OWNER.and_sitter(), "Show how fast a sitter answers", sitters::metrics)
            .text("A sitter sees their own."),
    ]
}
