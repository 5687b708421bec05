//! Bookings: a client's appointments, and every change of their status.
//!
//! Each change is made under the booking's lock, in one transaction with its history row and its audit row. A function
//! returns what it changed, and the caller enqueues the jobs for it in the same transaction. This module knows no jobs,
//! no HTTP and no client of a payment provider. Every function may be called twice and concurrently with the same
//! outcome as once.

mod booking;
mod change;
mod create;
mod draft;
mod history;
mod list;
mod oddities;
mod patch;
pub mod payments;
mod seen;
mod status;
mod view;

pub(crate) use booking::lock_of;
pub use booking::{Booking, get, lock};
pub(crate) use change::store;
pub use change::{StatusChange, cancel, change_status, confirm};
pub(crate) use create::create_as;
pub use create::{Created, create};
pub use draft::{Draft, NewBooking};
pub use history::{HistoryEntry, StatusRecord, load_record, status_history};
pub use list::{Filter, list, view, view_in};
pub use patch::{Patch, patch};
pub use payments::{AmountMismatch, Paid, Payment, Refund, Refunded, mark_paid, mark_refunded};
pub use status::{PaymentStatus, Status, Transition, transition};
pub use view::{BookingView, ClientView};
