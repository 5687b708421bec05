//! Warnings about unusual but allowed values in a request, which the response reports.
//!
//! A warning never changes what happens. Values that must be refused are field errors instead.

use serde::Serialize;
use utoipa::ToSchema;

/// A warning about a request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The field of the request that the warning is about.
    pub field: &'static str,
    /// The machine-readable kind of the warning, such as `starts_in_past`.
    pub code: &'static str,
    /// One sentence for people.
    pub message: &'static str,
}
