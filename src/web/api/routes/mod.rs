//! The routes of the API, with their access and documentation.

mod bookings;
mod clients;
mod conversations;
mod operations;
mod requests;
mod sitters;
mod who;

use crate::web::routes::Route;

pub(in crate::web) fn routes() -> Vec<Route> {
    [
        bookings::routes(),
        clients::routes(),
        sitters::routes(),
        requests::routes(),
        conversations::routes(),
        operations::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
