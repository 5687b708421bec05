//! The routes of the API, with their access and documentation.

mod bookings;
mod conversations;
mod operations;
mod people;
mod requests;
mod who;

use crate::web::routes::Route;

pub(in crate::web) fn routes() -> Vec<Route> {
    [bookings::routes(), requests::routes(), conversations::routes(), people::routes(), operations::routes()]
        .into_iter()
        .flatten()
        .collect()
}
