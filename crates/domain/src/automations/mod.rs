//! Automatic texts: what an organisation says on its own, and the ledger of every time it was due.
//!
//! An automation is a template with a switch, one per kind and organisation. Each time one is due a row goes into the
//! ledger, unique by the fact that caused it, and exactly that row is executed: whatever repeats the fact, the client
//! gets one text.

mod automation;
mod execute;
pub mod quiet_hours;
pub mod runs;
mod stated;
pub mod template;
mod told;

pub use automation::{Automation, AutomationType, Recipient, list, load, quiet_hours_of, seed_defaults};
pub use execute::{Executed, execute};
pub use runs::EXECUTOR;
pub(crate) use stated::{CANCELLED, MOVED, outdated, repeated};
pub(crate) use told::{confirmation_taken_back, take_back};
