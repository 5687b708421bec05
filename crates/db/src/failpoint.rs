//! Named places where tests can make the process fail.
//!
//! Built in only with the feature `failpoints` (tests turn it on); otherwise [`hit`] is nothing. A place is armed by
//! `arm` or, for a whole process, by the variable `NIGHTSHIFT_FAILPOINTS`, a comma list of `name=action` or
//! `name=action:times` with the actions `abort` (as `kill -9`), `panic`, `error` (as if the database had been away),
//! and `delay:MS` (`delay` takes no count).
//!
//! The database itself can be made to fail at its n-th statement since the process began: `NIGHTSHIFT_FAIL_STATEMENT`,
//! `n=before` (it never got there), `n=after` (it was carried out, and the answer got lost), `n=hang` (no answer for two
//! seconds, and then none). Beginnings and commits count as statements.

/// What happens at an armed place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process ends at once, without any cleaning up.
    Abort,
    /// The task panics.
    Panic,
    /// The place fails as if the database had been away.
    Error,
    /// The task waits.
    DelayMs(u64),
}

/// Does what the place `name` is armed with.
///
/// # Errors
/// When it is armed to fail.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub async fn hit(_name: &str) -> crate::Result<()> {
    Ok(())
}

/// Runs a statement, unless it is the one that is to fail.
///
/// # Errors
/// The statement's, or that the database is away.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) async fn statement<T>(run: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
    run.await
}

#[cfg(feature = "failpoints")]
pub use armed::{arm, disarm_all, hit};
#[cfg(feature = "failpoints")]
pub(crate) use faults::statement;

#[cfg(feature = "failpoints")]
fn away() -> crate::DbError {
    crate::DbError::Unavailable(crate::Outage::Armed)
}

#[cfg(feature = "failpoints")]
mod faults {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::away;
    use crate::Result;

    #[derive(Clone, Copy)]
    enum Fault {
        Before,
        After,
        Hang,
    }

    static RUN: AtomicU64 = AtomicU64::new(0);
    static ARMED: LazyLock<Option<(u64, Fault)>> = LazyLock::new(|| {
        let variable = std::env::var("NIGHTSHIFT_FAIL_STATEMENT").ok()?;
        let (number, fault) = variable.split_once('=')?;
        let fault = match fault {
            "before" => Fault::Before,
            "after" => Fault::After,
            "hang" => Fault::Hang,
            _ => return None,
        };
        Some((number.parse().ok()?, fault))
    });

    /// Runs a statement, unless it is the one that is to fail.
    ///
    /// # Errors
    /// The statement's, or that the database is away.
    pub(crate) async fn statement<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
        let Some((number, fault)) = *ARMED else { return run.await };
        if RUN.fetch_add(1, Ordering::Relaxed) + 1 != number {
            return run.await;
        }
        match fault {
            Fault::Before => {}
            Fault::After => drop(run.await?),
            Fault::Hang => tokio::time::sleep(Duration::from_secs(2)).await,
        }
        Err(away())
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use super::Action;
    use crate::Result;

    static ARMED: LazyLock<Mutex<HashMap<String, (Action, u32)>>> = LazyLock::new(|| {
        let variable = std::env::var("NIGHTSHIFT_FAILPOINTS").unwrap_or_default();
        Mutex::new(variable.split(',').filter_map(parse).collect())
    });

    fn parse(text: &str) -> Option<(String, (Action, u32))> {
        let (name, action) = text.trim().split_once('=')?;
        let (action, number) = action.split_once(':').map_or((action, None), |(action, n)| (action, n.parse().ok()));
        let armed = match action {
            "abort" => (Action::Abort, number.unwrap_or(1)),
            "panic" => (Action::Panic, number.unwrap_or(1)),
            "error" => (Action::Error, number.unwrap_or(1)),
            "delay" => (Action::DelayMs(u64::from(number.unwrap_or(100))), u32::MAX),
            _ => return None,
        };
        Some((name.to_owned(), armed))
    }

    fn places() -> MutexGuard<'static, HashMap<String, (Action, u32)>> {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms the place `name` for the next `times` hits.
    pub fn arm(name: &str, action: Action, times: u32) {
        places().insert(name.to_owned(), (action, times));
    }

    /// Disarms all places.
    pub fn disarm_all() {
        places().clear();
    }

    /// Does what the place `name` is armed with.
    ///
    /// # Errors
    /// When it is armed to fail.
    #[expect(clippy::panic, reason = "that is what it is armed for")]
    pub async fn hit(name: &str) -> Result<()> {
        let action = {
            let mut places = places();
            let Some((action, left)) = places.get_mut(name) else { return Ok(()) };
            let action = *action;
            *left = left.saturating_sub(1);
            if *left == 0 {
                places.remove(name);
            }
            action
        };
        match action {
            Action::Abort => std::process::abort(),
            Action::Panic => panic!("fail point {name}"),
            Action::Error => return Err(super::away()),
            Action::DelayMs(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        Ok(())
    }
}
