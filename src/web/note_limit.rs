//! Limits the number of notes (log lines or audit entries) per period, and counts those over the limit.
//!
//! The senders that cause the notes are unknown, so the number of notes must be bounded. Each note states how many were
//! left out before it.

use std::time::Duration;

use nightshift_db::Timestamp;

/// A limit for notes of one kind.
#[derive(Debug)]
pub struct NoteLimit {
    max: u32,
    period: Duration,
    since: Option<Timestamp>,
    written: u32,
    left_out: u64,
}

impl NoteLimit {
    /// Allows at most `max` notes per `period`. A period begins with the first note after the previous one has ended.
    pub fn new(max: u32, period: Duration) -> Self {
        Self { max, period, since: None, written: 0, left_out: 0 }
    }

    /// Counts one note. Returns the number of notes left out since the last one if this note is to be written, and
    /// `None` if it is over the limit.
    pub fn note(&mut self, now: Timestamp) -> Option<u64> {
        if self.since.is_none_or(|since| now.since(since) >= self.period) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written >= self.max {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_no_more_than_allowed_and_the_next_note_tells_of_the_rest() {
        let at = |seconds: i64| Timestamp::from_unix_ms(seconds * 1000);
        let mut limit = NoteLimit::new(60, Duration::from_secs(60));
        assert_eq!((0..1000).filter(|_| limit.note(at(0)).is_some()).count(), 60);
        assert_eq!(limit.note(at(59)), None);
        assert_eq!(limit.note(at(60)), Some(941));
        assert_eq!(limit.note(at(61)), Some(0));
    }
}
