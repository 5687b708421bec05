//! Access that several routes of the API share: users by role, keys by scope.

use nightshift_domain::access::api_keys::Scope;

use crate::web::auth::Access;

pub(super) const READ_BOOKINGS: &[Scope] = &[Scope::BookingsRead, Scope::BookingsWrite];
pub(super) const WRITE_BOOKINGS: &[Scope] = &[Scope::BookingsWrite];
pub(super) const READ_MESSAGES: &[Scope] = &[Scope::MessagesRead, Scope::MessagesWrite];
pub(super) const WRITE_MESSAGES: &[Scope] = &[Scope::MessagesWrite];
pub(super) const REQUESTS: &[Scope] = &[Scope::RequestsWrite];
pub(super) const EXCEPTIONS: &[Scope] = &[Scope::ExceptionsWrite];
pub(super) const JOBS: &[Scope] = &[Scope::JobsAdmin];

pub(super) const OWNER: Access = Access::OWNER;
pub(super) const OPS: Access = Access::NOBODY.and_ops();
pub(super) const OWNER_AND_OPS: Access = OWNER.and_ops();
