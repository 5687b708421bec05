//! The definition of a route, and its OpenAPI description.
//!
//! Each area exports its rows ([`Route`]), and the [table](mod@super::table) joins them. What a handler takes and
//! answers is derived from its signature ([`contract`]). [`openapi`] describes the rows to callers. This module knows
//! no single route except that of the OpenAPI document.

mod contract;
pub(super) mod openapi;
mod proof;
mod route;
mod security;

pub use contract::{Contract, Empty, Endpoint, Gives, Takes};
pub use proof::Proof;
pub use route::{Area, Doc, Kind, Limits, Route};
