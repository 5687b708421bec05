//! Sortable identifiers.

use std::sync::Mutex;

use uuid::{ContextV7, Timestamp as UuidTime, Uuid};

use crate::Timestamp;

static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// Returns a new UUIDv7 in text form (36 characters).
///
/// Ids that one process creates within one millisecond sort in the order of their creation. The order of the jobs of a
/// group depends on this. Source: RFC 9562, section 6.2, method 1.
#[must_use]
pub fn new_id(now: Timestamp) -> String {
    // A poisoned lock only means that another thread panicked in this function; the counter stays valid.
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let nanos = u32::try_from(now.unix_ms().rem_euclid(1000) * 1_000_000).unwrap_or(0);
    Uuid::new_v7(UuidTime::from_unix(&*context, seconds, nanos)).to_string()
}

/// Returns the smallest UUIDv7 of a millisecond. No id that is created at or after that time is smaller.
///
/// An id may be larger than its time implies: ids of one process never decrease, even if its clock is set back.
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
