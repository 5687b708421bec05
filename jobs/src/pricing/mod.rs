//! The check of prices.

pub mod reconcile;
pub mod reconcile_chunk;
