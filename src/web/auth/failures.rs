//! The audit log of failed sign-ins.
//!
//! A sender of wrong passwords is unknown, so the number of entries is bounded per process. Entries over the limit are
//! counted, and the next entry states the count. Entries name account and network only by their keyed hashes.

use std::sync::{Mutex, PoisonError};

use nightshift_db::{Db, Timestamp};
use nightshift_domain::access::throttle::PERIOD;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use serde_json::json;

use super::guesser::Visitor;
use crate::web::note_limit::NoteLimit;

const WRITTEN_MAX: u32 = 100;

/// Limits how many failed sign-ins are written.
#[derive(Debug)]
pub struct Failures(Mutex<NoteLimit>);

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(NoteLimit::new(WRITTEN_MAX, PERIOD)))
    }
}

impl Failures {
    /// Records a failed sign-in, within the limit. A failed write is only logged, because it must not change the
    /// response.
    pub(super) async fn record(&self, db: &Db, visitor: &Visitor, guesses: i64, now: Timestamp) {
        let Some(unwritten_before) = self.note(now) else { return };
        let entry = Entry::new(Event::AuthFailed, "failed", &Actor::system("sign-in")).metadata(json!({
            "account": visitor.account, "network": visitor.network, "guesses": guesses,
            "unwrittenBefore": unwritten_before,
        }));
        if let Err(error) = write(db, entry, now).await {
            tracing::warn!(%error, "a failed sign-in could not be put on record");
        }
    }

    fn note(&self, now: Timestamp) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(now)
    }
}

async fn write(db: &Db, entry: Entry, now: Timestamp) -> nightshift_domain::Result<()> {
    let mut tx = db.begin().await?;
    audit::record(&mut tx, entry, now).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_hundred_entries_and_the_next_one_tells_of_the_rest() {
        let at = |seconds: i64| Timestamp::from_unix_ms(seconds * 1000);
        let failures = Failures::default();
        let note = |seconds| failures.note(at(seconds));
        assert_eq!((0..1000).filter(|_| note(0).is_some()).count(), 100);
        assert_eq!(note(899), None);
        assert_eq!(note(900), Some(901));
        assert_eq!(note(901), Some(0));
    }
}
