//! At most so many notes per period, the rest counted.
//!
//! Whoever causes them is unknown, so what they can make us write is bounded; each note tells how many were left out
//! before it.

use std::time::Duration;

use nightshift_db::Timestamp;

/// Counts notes of one kind.
#[derive(Debug)]
pub struct NoteLimit {
    max: u32,
    period: Duration,
    since: Option<Timestamp>,
    written: u32,
    left_out: u64,
}

impl NoteLimit {
    /// At most `max` notes per `period`, which begins with a note.
    pub fn new(max: u32, period: Duration) -> Self {
        Self { max, period, since: None, written: 0, left_out: 0 }
    }

    /// How many notes were left out before this one, which is to be written; none when it is left out as well.
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
