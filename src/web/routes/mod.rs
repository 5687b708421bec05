//! What a route is, and how it is described to callers.
//!
//! Each area exports its rows ([`Route`]), and the [table](mod@super::table) joins them. What a handler takes and answers
//! is read from its signature ([`contract`]); [`openapi`] describes rows to callers. Nothing in here knows a single route
//! but that of the description.

mod contract;
pub(super) mod openapi;
mod proof;
mod route;
mod security;

pub use contract::{Contract, Empty, Endpoint, Gives, Takes};
pub use proof::Proof;
pub use route::{Area, Doc, Kind, Limits, Route};
