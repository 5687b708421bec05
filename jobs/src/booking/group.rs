//! What keeps the jobs about one booking apart.

use nightshift_domain::ids::BookingId;

/// All jobs about one booking run one after the other.
pub(crate) fn group(booking: &BookingId) -> String {
    format!("booking:{booking}")
}
