//! The status of a booking and its allowed transitions.
//!
//! Which transition is allowed is decided by one pure function. Every change of a status calls it, under the booking's
//! lock.

use crate::text_enum::text_enum;

text_enum! {
    pub enum Status as BookingStatus {
        /// Requested, not yet confirmed.
        Pending = "pending",
        /// Confirmed; a thread and a window are created.
        Confirmed = "confirmed",
        /// The sitter is at work.
        InProgress = "in_progress",
        /// Final.
        Completed = "completed",
        /// Will not take place. Final.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What is known of a booking's payment.
    pub enum PaymentStatus {
        /// Nothing was received, or only failed attempts were made.
        Unpaid = "unpaid",
        /// Paid, perhaps with a partial refund.
        Paid = "paid",
        /// Everything that was paid was refunded.
        Refunded = "refunded",
    }
}

impl Status {
    /// Returns whether no other status can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

/// The effect of a requested status on a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// The change is allowed.
    Change,
    /// The booking has this status already; nothing to do.
    Same,
    /// The change is not allowed.
    Invalid,
}

/// Returns the effect of a change `from` one status `to` another. Allowed: `pending` -> `confirmed`, `cancelled`;
/// `confirmed` -> `in_progress`, `completed`, `cancelled`; `in_progress` -> `completed`, `cancelled`.
#[must_use]
pub const fn transition(from: Status, to: Status) -> Transition {
    use Status::{Cancelled, Completed, Confirmed, InProgress, Pending};
    match (from, to) {
        (Pending, Pending)
        | (Confirmed, Confirmed)
        | (InProgress, InProgress)
        | (Completed, Completed)
        | (Cancelled, Cancelled) => Transition::Same,
        (Pending, Confirmed)
        | (Confirmed, InProgress | Completed)
        | (InProgress, Completed)
        | (Pending | Confirmed | InProgress, Cancelled) => Transition::Change,
        _ => Transition::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_status() -> impl Strategy<Value = Status> {
        prop::sample::select(Status::ALL)
    }

    #[test]
    fn words_read_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert!("done".parse::<Status>().is_err());
    }

    proptest! {
        /// For any sequence of requests: nothing leaves a final status, every sequence makes at most three changes,
        /// nothing becomes pending again, and a repeated request changes nothing.
        #[test]
        fn every_walk_goes_forward_and_ends(asked in prop::collection::vec(any_status(), 0..40)) {
            let mut status = Status::Pending;
            let mut changes = 0;
            for to in asked {
                match transition(status, to) {
                    Transition::Change => {
                        prop_assert!(!status.is_final());
                        prop_assert_ne!(to, Status::Pending);
                        prop_assert_ne!(to, status);
                        status = to;
                        changes += 1;
                        prop_assert_eq!(transition(status, to), Transition::Same);
                    }
                    Transition::Same => prop_assert_eq!(to, status),
                    Transition::Invalid => prop_assert_ne!(to, status),
                }
            }
            prop_assert!(changes <= 3);
        }
    }
}
