//! Prices: versioned rules, what a booking costs, and what it was priced with.
//!
//! [`calculate`] is the one place where a price is worked out: for a new booking, for one that is priced again, and for
//! the nightly check of what is stored. Amounts are whole minor units; nothing here is a float.

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
