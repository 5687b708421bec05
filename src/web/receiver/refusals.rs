//! Refused webhooks, on record: an audit entry each and, when they come in numbers, an exception for people.
//!
//! Whoever sends them is unknown, so what they can make us write is bounded; what is not written is counted and told
//! by the next entry.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightshift_db::{Db, Timestamp};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::exceptions::{self, ExceptionKind, NewException, Severity};
use nightshift_domain::inbox::WebhookSource;
use serde_json::json;

use crate::web::note_limit::NoteLimit;

/// Entries written per provider and minute.
const WRITTEN_PER_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// From so many refusals within an hour on, people are told.
const ALARMING: usize = 10;
const HOUR: Duration = Duration::from_secs(3600);

/// What was refused lately, by provider.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<WebhookSource, Recent>>);

#[derive(Debug)]
struct Recent {
    entries: NoteLimit,
    /// The latest refusals, at most [`ALARMING`] of them.
    latest: VecDeque<Timestamp>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { entries: NoteLimit::new(WRITTEN_PER_MINUTE, MINUTE), latest: VecDeque::new() }
    }
}

/// What is to be written about a refusal.
#[derive(Debug, PartialEq, Eq)]
struct Note {
    unwritten_before: u64,
    alarming: bool,
}

impl Refusals {
    /// Writes down a refusal, within bounds. The caller is answered the same whether or not it could be written.
    pub(super) async fn record(
        &self,
        db: &Db,
        provider: WebhookSource,
        request_id: &str,
        reason: &'static str,
        now: Timestamp,
    ) {
        let note = {
            let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            recent.entry(provider).or_default().note(now)
        };
        let Some(note) = note else { return };
        if let Err(error) = write(db, provider, request_id, reason, &note, now).await {
            tracing::warn!(%error, provider = provider.as_str(), "a refused webhook could not be put on record");
        }
    }
}

impl Recent {
    fn note(&mut self, now: Timestamp) -> Option<Note> {
        self.latest.push_back(now);
        if self.latest.len() > ALARMING {
            self.latest.pop_front();
        }
        let unwritten_before = self.entries.note(now)?;
        let alarming =
            self.latest.len() == ALARMING && self.latest.front().is_some_and(|first| now.since(*first) < HOUR);
        Some(Note { unwritten_before, alarming })
    }
}

async fn write(
    db: &Db,
    provider: WebhookSource,
    request_id: &str,
    reason: &'static str,
    note: &Note,
    now: Timestamp,
) -> nightshift_domain::Result<()> {
    let mut tx = db.begin().await?;
    let entry = Entry::new(Event::WebhookValidationFailed, "failed", &Actor::system("receiver"))
        .correlation(request_id)
        .metadata(json!({"provider": provider, "reason": reason, "unwrittenBefore": note.unwritten_before}));
    audit::record(&mut tx, entry, now).await?;
    if note.alarming {
        let fingerprint = format!("webhook_signature_invalid:{provider}");
        let problem = NewException::new(ExceptionKind::WebhookSignatureInvalid, Severity::High, fingerprint)
            .title(&format!("Webhooks of {provider} are refused: check the signing secret"))
            .detail(json!({"provider": provider, "reason": reason}));
        exceptions::raise(&mut tx, &problem, now).await?;
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    #[test]
    fn a_flood_writes_sixty_entries_a_minute_and_the_next_one_tells_of_the_rest() {
        let mut recent = Recent::default();
        let written = (0..1000).filter(|_| recent.note(at(0)).is_some()).count();
        assert_eq!(written, 60);
        assert_eq!(recent.note(at(59)), None);
        assert_eq!(recent.note(at(60)).map(|note| note.unwritten_before), Some(941));
        assert_eq!(recent.note(at(61)).map(|note| note.unwritten_before), Some(0));
    }

    #[test]
    fn the_tenth_within_an_hour_alarms() {
        let mut recent = Recent::default();
        let slow: Vec<bool> = (0..20).filter_map(|n| recent.note(at(n * 401))).map(|note| note.alarming).collect();
        assert!(!slow.contains(&true), "nine an hour are noise");
        let fast: Vec<bool> = (0..10).filter_map(|n| recent.note(at(100_000 + n))).map(|note| note.alarming).collect();
        assert_eq!(fast.iter().position(|alarming| *alarming), Some(9));
    }
}
