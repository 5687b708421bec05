//! How fast sitters and owners answer, and the tiers that follow.
//!
//! [`response_links`] record which text of a client was answered, and when. [`compute()`] reads them with
//! the offers, stores what [`figures`] makes of them, and changes the sitter's tier by the rules of [`tier`].

mod compute;
mod days;
pub mod figures;
pub mod response_links;
pub mod tier;
mod view;

pub use compute::{Computed, active_sitters, compute};
pub use days::{Days, Period};
pub use tier::Tier;
pub(crate) use view::latest;
pub use view::{MetricsView, SitterMetrics, of_sitter};
