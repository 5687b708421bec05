//! What is odd about a request but allowed: it is done as asked, and the answer says so.
//!
//! A warning never changes what happens. Whatever has to be refused is a problem of a field instead.

use serde::Serialize;
use utoipa::ToSchema;

/// Something odd about a request that was accepted all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The field of the request that it is about.
    pub field: &'static str,
    /// Machine-readable kind, e.g. `starts_in_past`.
    pub code: &'static str,
    /// One sentence for people.
    pub message: &'static str,
}
