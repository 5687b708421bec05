//! Limits password guesses.
//!
//! A guess is counted before the password is verified, in the database that all web processes share, so that parallel
//! guesses can't pass the limit together. A correct guess is uncounted again. Over the limit, one guess a minute is
//! still allowed, so that nobody can lock an owner out of their own account.
//!
//! Guessers are identified by keyed hashes that the web layer makes; no IP or email address is stored here.

use std::time::Duration;

use nightshift_db::{Db, Engine, Timestamp, Tx};

use crate::Result;

/// How long guesses are counted, from the first one on.
pub const PERIOD: Duration = Duration::from_secs(15 * 60);
/// Time between two guesses over the limit.
const PAUSE: Duration = Duration::from_secs(60);
/// Wrong guesses from one address, at any accounts.
const PER_ADDRESS: i64 = 20;
/// Wrong guesses at one account from one network.
const PER_ACCOUNT: i64 = 5;
/// Wrong guesses from one device at the account that it has signed in to before.
const PER_DEVICE: i64 = 10;
/// Expired counters removed with each guess. A guess adds at most two, so the table can't grow without bound.
const FORGOTTEN_PER_GUESS: i64 = 4;

/// Who makes a guess, and at which account.
#[derive(Debug, Clone)]
pub enum Guesser {
    /// A device without an earlier sign-in to the account.
    Stranger {
        /// Keyed hash of the IP address.
        address: String,
        /// Keyed hash of the account together with the network of the IP address.
        account: String,
    },
    /// Keyed hash of a device that has signed in to this account before. Guesses of other devices don't count for it.
    Device(String),
}

impl Guesser {
    /// Returns the counters of a guess and their limits. Every transaction locks them in this order, so none deadlocks.
    fn counters(&self) -> Vec<(String, i64)> {
        match self {
            Self::Stranger { address, account } => {
                vec![(format!("address:{address}"), PER_ADDRESS), (format!("account:{account}"), PER_ACCOUNT)]
            }
            Self::Device(device) => vec![(format!("device:{device}"), PER_DEVICE)],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
struct Counter {
    guesses: i64,
    /// Time of the first counted guess.
    since: Timestamp,
    /// Time of the last allowed guess.
    last_at: Timestamp,
}

impl Counter {
    /// Returns the counter after one more guess.
    ///
    /// # Errors
    /// The time until a guess is allowed, if this one is not.
    fn count(self, allowed: i64, now: Timestamp) -> Result<Self, Duration> {
        if self.guesses == 0 || now >= self.since + PERIOD {
            return Ok(Self { guesses: 1, since: now, last_at: now });
        }
        if self.guesses >= allowed && now < self.last_at + PAUSE {
            // The clock of another process may be a little ahead of ours.
            return Err((self.last_at + PAUSE).min(self.since + PERIOD).since(now).min(PAUSE));
        }
        Ok(Self { guesses: self.guesses + 1, last_at: now, ..self })
    }
}

/// A guess that was counted and may be tried.
#[derive(Debug)]
#[must_use = "a guess that was right, or was not tried, is taken back"]
pub struct Counted {
    /// The keys of the counters, and when their periods began.
    counters: Vec<(String, Timestamp)>,
    /// Guesses at this account from this network or device within the period, this one included.
    pub guesses: i64,
}

/// Returns how long this guesser must wait, or `None` if a guess may be tried now. Counts and writes nothing.
pub async fn wait(db: &Db, guesser: &Guesser, now: Timestamp) -> Result<Option<Duration>> {
    let mut longest = None;
    for (key, allowed) in guesser.counters() {
        let counter: Option<Counter> =
            db.read("SELECT guesses, since, last_at FROM sign_in_guesses WHERE key = $1").bind(key).optional().await?;
        longest = longest.max(counter.and_then(|counter| counter.count(allowed, now).err()));
    }
    Ok(longest)
}

/// Counts a guess that is about to be tried.
///
/// # Errors
/// The inner error is the time to wait before the next guess; nothing was counted then.
pub async fn count(db: &Db, guesser: &Guesser, now: Timestamp) -> Result<Result<Counted, Duration>> {
    // Locks the counter until the transaction ends. An existing counter is not changed.
    const LOCK: &str = "INSERT INTO sign_in_guesses (key, guesses, since, last_at) VALUES ($1, 0, $2, $2)
                        ON CONFLICT (key) DO UPDATE SET guesses = sign_in_guesses.guesses
                        RETURNING guesses, since, last_at";
    const SET: &str = "UPDATE sign_in_guesses SET guesses = $2, since = $3, last_at = $4 WHERE key = $1";
    let mut tx = db.begin().await?;
    let mut counted = Counted { counters: Vec::new(), guesses: 0 };
    for (key, allowed) in guesser.counters() {
        let counter: Counter = tx.query(LOCK).bind(&key).bind(now).one().await?;
        let counter = match counter.count(allowed, now) {
            Ok(counter) => counter,
            Err(wait) => {
                tx.rollback().await?;
                return Ok(Err(wait));
            }
        };
        let set = tx.query(SET).bind(&key).bind(counter.guesses).bind(counter.since).bind(counter.last_at);
        set.execute().await?;
        counted.counters.push((key, counter.since));
        counted.guesses = counter.guesses;
    }
    forget(&mut tx, FORGOTTEN_PER_GUESS, now).await?;
    tx.commit().await?;
    Ok(Ok(counted))
}

/// Uncounts a guess that was correct or was not tried.
pub async fn take_back(tx: &mut Tx, counted: &Counted) -> Result<()> {
    for (key, since) in &counted.counters {
        tx.query("UPDATE sign_in_guesses SET guesses = guesses - 1 WHERE key = $1 AND since = $2 AND guesses > 0")
            .bind(key)
            .bind(*since)
            .execute()
            .await?;
    }
    Ok(())
}

/// Removes up to `rows` counters whose period is over, and returns how many were removed.
pub async fn forget(tx: &mut Tx, rows: i64, now: Timestamp) -> Result<u64> {
    let sql = match tx.engine() {
        // A locked counter is in use, and waiting for it could deadlock.
        Engine::Postgres => {
            "DELETE FROM sign_in_guesses WHERE key IN
                (SELECT key FROM sign_in_guesses WHERE since <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"
        }
        Engine::Sqlite => {
            "DELETE FROM sign_in_guesses WHERE key IN (SELECT key FROM sign_in_guesses WHERE since <= $1 LIMIT $2)"
        }
    };
    Ok(tx.query(sql).bind(now - PERIOD).bind(rows).execute().await?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    fn fresh() -> Counter {
        Counter { guesses: 0, since: at(0), last_at: at(0) }
    }

    #[test]
    fn after_the_limit_one_guess_a_minute_is_let_through() {
        let mut counter = fresh();
        for second in 0..5 {
            counter = counter.count(5, at(second)).unwrap();
        }
        assert_eq!(counter.count(5, at(5)), Err(Duration::from_secs(59)));
        assert_eq!(counter.count(5, at(63)), Err(Duration::from_secs(1)));
        counter = counter.count(5, at(64)).unwrap();
        assert_eq!(counter.count(5, at(65)), Err(Duration::from_secs(59)));
        let again = counter.count(5, at(900)).unwrap();
        assert_eq!(again, Counter { guesses: 1, since: at(900), last_at: at(900) });
    }

    #[test]
    fn nobody_waits_longer_than_the_period_lasts() {
        let counter = Counter { guesses: 9, since: at(0), last_at: at(880) };
        assert_eq!(counter.count(5, at(890)), Err(Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn whatever_the_times_no_more_are_let_through_and_nobody_is_shut_out(
            gaps in prop::collection::vec(0_i64..120, 1..400),
            allowed in 1_i64..20,
        ) {
            let (mut counter, mut now, mut tried) = (fresh(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                match counter.count(allowed, at(now)) {
                    Ok(next) => {
                        counter = next;
                        tried.push(now);
                    }
                    Err(wait) => {
                        prop_assert!(wait <= PAUSE && !wait.is_zero());
                        prop_assert!(counter.count(allowed, at(now) + wait).is_ok(), "the promised wait was too short");
                    }
                }
            }
            // In any 15 minutes: at most two bursts, and one guess a minute between them.
            for from in &tried {
                let within = tried.iter().filter(|at| (*from..from + 900).contains(at)).count();
                prop_assert!(i64::try_from(within).unwrap() <= 2 * allowed + 15, "{within} guesses");
            }
        }
    }
}
