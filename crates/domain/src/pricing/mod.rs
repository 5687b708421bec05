//! Prices: versioned rules, the price of a booking, and the snapshot of what it was computed from.
//!
//! Only [`calculate`] computes a price: for a new booking, for one that is priced again, and for the nightly check.
//! Amounts are integers in minor units; no amount is a float.

mod booking;
mod calculate;
mod rules;
mod snapshots;

pub use booking::{Pricing, Repriced, pricing, reprice};
pub(crate) use booking::{price_changed, price_new, record_repriced};
pub use calculate::{Inputs, Line, NotComputable, Price, Terms, calculate};
pub use rules::{NewRule, Rule, RuleDraft, add, add_as, list};
pub(crate) use rules::{RuleBook, in_force};
pub use snapshots::Snapshot;
