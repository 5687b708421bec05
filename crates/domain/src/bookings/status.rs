//! The life of a booking's status.
//!
//! Which change is allowed is one pure function; everything that changes a status asks it, under the booking's lock.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a booking stands.
    pub enum Status as BookingStatus {
        /// Asked for, not yet certain.
        Pending = "pending",
        /// Certain; its thread and window are made.
        Confirmed = "confirmed",
        /// The sitter is at it.
        InProgress = "in_progress",
        /// Done. Final.
        Completed = "completed",
        /// Will not take place. Final.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What is known of its payment.
    pub enum PaymentStatus {
        /// Nothing received, or only failed tries.
        Unpaid = "unpaid",
        /// Paid, perhaps partly given back.
        Paid = "paid",
        /// All of it given back.
        Refunded = "refunded",
    }
}

impl Status {
    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

/// What asking for a status means for a booking that stands elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It may go there.
    Change,
    /// It is there already; nothing to do.
    Same,
    /// It may not go there.
    Invalid,
}

/// The rule: `pending` -> `confirmed`, `cancelled`; `confirmed` -> `in_progress`, `completed`, `cancelled`;
/// `in_progress` -> `completed`, `cancelled`; the same status again is a no-op.
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
        /// Whatever is asked in whatever order: nothing leaves a final status, every walk ends after at most three
        /// changes, nothing becomes pending again, and asking twice changes nothing.
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
