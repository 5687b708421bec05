//! The rows of the API: who may do what, and what callers are told about it.

mod bookings;
mod conversations;
mod operations;
mod requests;
mod who;

use crate::web::routes::Route;

/// Every row of the API.
pub(in crate::web) fn routes() -> Vec<Route> {
    [bookings::routes(), requests::routes(), conversations::routes(), operations::routes()]
        .into_iter()
        .flatten()
        .collect()
}
