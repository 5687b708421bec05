//! The routes of clients.

use super::who::{OWNER, READ_BOOKINGS};
use crate::web::api::clients;
use crate::web::routes::{Area, Kind, Route};

const CLIENTS: Area = Area::of(Kind::Api, "Clients");

pub(super) fn routes() -> Vec<Route> {
    vec![
        CLIENTS
            .get("/api/clients", OWNER.and_keys(READ_BOOKINGS), "List clients", clients::list)
            .text("The newest first."),
        CLIENTS.get("/api/clients/{id}", OWNER.and_keys(READ_BOOKINGS), "Show a client", clients::show),
    ]
}
