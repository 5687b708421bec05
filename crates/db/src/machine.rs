//! The two clocks of the machine.
//!
//! The wall clock has a date but may be wrong or be set. The monotonic clock is never set but has no date, and it stops
//! while the machine is asleep. Tests can give a process a wrong wall clock, or a machine whose clocks they move.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
use tokio::sync::watch;

/// What both clocks show at one instant, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hands {
    pub monotonic_ms: i64,
    /// Since 1970.
    pub wall_ms: i64,
}

impl Hands {
    /// Returns the monotonic clock minus the wall clock, which changes only when the wall clock is set or the machine
    /// was asleep.
    pub(crate) fn base_ms(self) -> i64 {
        self.monotonic_ms - self.wall_ms
    }
}

/// A machine.
#[derive(Debug)]
pub(crate) enum Machine {
    /// The one that this process runs on.
    Real,
    /// Its clocks stand still until a test moves them.
    #[cfg(feature = "testing")]
    Simulated(watch::Sender<Hands>),
}

impl Machine {
    pub(crate) fn read(&self) -> Hands {
        match self {
            Self::Real => Hands { monotonic_ms: monotonic_ms(), wall_ms: wall_ms() },
            #[cfg(feature = "testing")]
            Self::Simulated(hands) => *hands.borrow(),
        }
    }

    /// Moves both clocks of a simulated machine.
    #[cfg(feature = "testing")]
    pub(crate) fn advance(&self, by: Duration) {
        self.modify(|hands| {
            hands.monotonic_ms += ms(by);
            hands.wall_ms += ms(by);
        });
    }

    /// Moves only the wall clock of a simulated machine.
    #[cfg(feature = "testing")]
    pub(crate) fn advance_wall(&self, by: Duration) {
        self.modify(|hands| hands.wall_ms += ms(by));
    }

    #[cfg(feature = "testing")]
    fn modify(&self, change: impl FnOnce(&mut Hands)) {
        if let Self::Simulated(hands) = self {
            hands.send_modify(change);
        }
    }

    /// Waits until the monotonic clock has advanced by `duration`.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::Real => tokio::time::sleep(duration).await,
            #[cfg(feature = "testing")]
            Self::Simulated(hands) => {
                let until_ms = hands.borrow().monotonic_ms.saturating_add(ms(duration));
                // The sender is in `self`, so the channel cannot close during the wait.
                let _ = hands.subscribe().wait_for(|hands| hands.monotonic_ms >= until_ms).await;
            }
        }
    }
}

#[cfg(feature = "testing")]
fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the milliseconds since this function was first called.
fn monotonic_ms() -> i64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX).saturating_add(skew_ms())
}

#[cfg(not(feature = "failpoints"))]
const fn skew_ms() -> i64 {
    0
}

/// Returns the error that a test has given to the wall clock: `NIGHTSHIFT_CLOCK_SKEW_MS`, plus the second number of
/// `NIGHTSHIFT_CLOCK_STEP` (`5000=60000`) once the process has run for the first number of milliseconds.
#[cfg(feature = "failpoints")]
fn skew_ms() -> i64 {
    static SKEW_MS: LazyLock<i64> =
        LazyLock::new(|| std::env::var("NIGHTSHIFT_CLOCK_SKEW_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0));
    static STEP: LazyLock<Option<(i64, i64)>> = LazyLock::new(|| {
        let step = std::env::var("NIGHTSHIFT_CLOCK_STEP").ok()?;
        let (after_ms, by_ms) = step.split_once('=')?;
        Some((after_ms.parse().ok()?, by_ms.parse().ok()?))
    });
    *SKEW_MS + STEP.filter(|(after_ms, _)| monotonic_ms() >= *after_ms).map_or(0, |(_, by_ms)| by_ms)
}
