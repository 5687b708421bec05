//! Automatic texts: the texts that an organisation sends on its own, and a record of every time one was due.
//!
//! An automation is a template with an on/off switch, one per type and organisation. Each time one is due, a run is
//! inserted, unique by the fact that caused it, and that run is executed. If the fact is reported again, no second text
//! is sent.

mod automation;
mod execute;
pub mod quiet_hours;
pub mod runs;
mod stated;
pub mod template;
mod told;
mod untrue;

pub(crate) use automation::zone_named;
pub use automation::{Automation, AutomationType, Recipient, list, load, quiet_hours_of, seed_defaults};
pub use execute::{Executed, execute};
pub use runs::EXECUTOR;
pub(crate) use stated::{CANCELLED, MOVED, repeated, shown_alike};
pub(crate) use told::{confirmation_taken_back, take_back, take_back_assignments};
pub(crate) use untrue::{OFFER_ENDED, outdated, untrue};
