//! Which bookings a sitter sees: one condition, which every read of bookings and of what belongs to them uses.

/// A sitter sees their own bookings and those that wait for their answer. The first argument is the table of the
/// booking, with a dot, the second one binds the sitter.
macro_rules! seen_by_sitter {
    ($booking:literal, $sitter:literal) => {
        concat!(
            "(",
            $booking,
            "sitter_id = ",
            $sitter,
            " OR EXISTS (SELECT 1 FROM offer_events o
              WHERE o.booking_id = ",
            $booking,
            "id AND o.sitter_id = ",
            $sitter,
            " AND o.status = 'pending'))"
        )
    };
}
pub(super) use seen_by_sitter;
