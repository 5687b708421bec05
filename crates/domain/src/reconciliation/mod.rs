//! The nightly check of every price: what a booking should cost, compared with what is stored.
//!
//! A run goes over an organisation's bookings in chunks. A chunk is read, compared, and recorded in one transaction
//! that also moves the run's cursor, so a run that is interrupted at any point continues from the cursor and ends with
//! the same result. That transaction cannot write a booking or a price; see [`Shielded`].

mod chunk;
mod day;
mod drift;
mod drifts;
mod runs;
mod shield;

pub use chunk::{Check, Findings, RunProgress, examine, record};
pub use day::{day, parse_day};
pub use drift::{Amounts, Cause, Drift, Thresholds, compare};
pub use drifts::{DriftView, drift_of_exception, list as drifts};
pub use runs::{
    BegunRun, ReconciliationRun, ReconciliationStatus, Trigger, begin, current, fail, get, hand_over, is_carried_by,
    list, next_attempt, of_day, remaining,
};
pub use shield::Shielded;
