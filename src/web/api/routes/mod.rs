//! The rows of the API: who may do what, and what callers are told about it.

mod bookings;
mod conversations;
mod operations;
mod requests;

use nightshift_domain::access::api_keys::Scope;

use crate::web::auth::Access;
use crate::web::routes::Route;

const READ_BOOKINGS: &[Scope] = &[Scope::BookingsRead, Scope::BookingsWrite];
const WRITE_BOOKINGS: &[Scope] = &[Scope::BookingsWrite];
const READ_MESSAGES: &[Scope] = &[Scope::MessagesRead, Scope::MessagesWrite];
const WRITE_MESSAGES: &[Scope] = &[Scope::MessagesWrite];
const REQUESTS: &[Scope] = &[Scope::RequestsWrite];
const EXCEPTIONS: &[Scope] = &[Scope::ExceptionsWrite];
const JOBS: &[Scope] = &[Scope::JobsAdmin];

const OWNER: Access = Access::OWNER;
const OPS: Access = Access::NOBODY.and_ops();
const OWNER_AND_OPS: Access = OWNER.and_ops();

/// Every row of the API.
pub(in crate::web) fn routes() -> Vec<Route> {
    [bookings::routes(), requests::routes(), conversations::routes(), operations::routes()]
        .into_iter()
        .flatten()
        .collect()
}
