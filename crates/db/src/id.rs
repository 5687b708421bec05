//! Sortable identifiers.

use std::sync::Mutex;

use uuid::{ContextV7, Timestamp as UuidTime, Uuid};

use crate::Timestamp;

static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new UUIDv7 in text form (36 characters).
///
/// Ids made by one process in one millisecond still sort in the order in which they were made, which is what the
/// order of jobs in a group rests on. Source: RFC 9562, section 6.2, method 1.
#[must_use]
pub fn new_id(now: Timestamp) -> String {
    // A poisoned lock only means that another thread panicked in here; the counter stays usable.
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let nanos = u32::try_from(now.unix_ms().rem_euclid(1000) * 1_000_000).unwrap_or(0);
    Uuid::new_v7(UuidTime::from_unix(&*context, seconds, nanos)).to_string()
}

/// The smallest UUIDv7 of a millisecond: an id made at or after it is not smaller.
///
/// An id may be larger than its time says: within a process ids never go back, although a clock may.
#[must_use]
pub fn lowest_id(at: Timestamp) -> String {
    let ms = u64::try_from(at.unix_ms()).unwrap_or(0);
    let hex = format!("{ms:012x}");
    format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_they_were_made() {
        let now = Timestamp::from_unix_ms(1_700_000_000_123);
        let ids: Vec<_> = (0..5_000).map(|_| new_id(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
