//! The queue group of a booking's jobs.

use nightshift_domain::ids::BookingId;

/// Returns the group of the jobs about one booking, which makes them run one at a time.
pub(crate) fn group(booking: &BookingId) -> String {
    format!("booking:{booking}")
}
