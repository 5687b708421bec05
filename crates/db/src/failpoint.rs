//! Named places in the code where tests can make the process fail.
//!
//! Compiled in only with the feature `failpoints`; otherwise [`hit`] does nothing. A place is armed by `arm`, or by the
//! variable `NIGHTSHIFT_FAILPOINTS`, a comma-separated list of `name=action` or `name=action:times`. The actions are
//! `abort` (as `kill -9`), `panic`, `error` (as if the database were unavailable) and `delay:MS` (without a count).
//! `NIGHTSHIFT_FAIL_STATEMENT` makes the n-th statement of the process fail, counting `BEGIN` and `COMMIT`: `n=before`
//! (not executed), `n=after` (executed, but the answer is lost) or `n=hang` (no answer for two seconds, then an error).
//! [`step`](crate::step) kills the process at any statement that follows such a place.
//! `NIGHTSHIFT_SKIP` is a comma-separated list of waits that the process leaves out or shortens, because the test vouches
//! for what they wait for.

/// What an armed place does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ends the process at once, without any cleanup.
    Abort,
    /// Panics.
    Panic,
    /// Returns the error of an unavailable database.
    Error,
    /// Waits this many milliseconds, then continues.
    DelayMs(u64),
}

/// Executes the action that is armed for the place `name`, if any.
///
/// # Errors
/// [`DbError::Unavailable`](crate::DbError::Unavailable) if the place is armed with [`Action::Error`].
#[cfg(not(feature = "failpoints"))]
#[inline]
pub async fn hit(_name: &str) -> crate::Result<()> {
    Ok(())
}

/// Returns whether the process leaves out the wait `name`.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[must_use]
pub const fn skips(_name: &str) -> bool {
    false
}

/// Returns whether the process leaves out the wait `name`.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn skips(name: &str) -> bool {
    std::env::var("NIGHTSHIFT_SKIP").is_ok_and(|names| names.split(',').any(|skipped| skipped == name))
}

/// Runs a statement, or makes it fail as `NIGHTSHIFT_FAIL_STATEMENT` says.
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

    /// Runs a statement, or makes it fail as `NIGHTSHIFT_FAIL_STATEMENT` says.
    ///
    /// # Errors
    /// The statement's error, or [`DbError::Unavailable`](crate::DbError::Unavailable) if this statement must fail.
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
    use crate::{Result, step};

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

    pub fn disarm_all() {
        places().clear();
    }

    /// Executes the action that is armed for the place `name`, if any.
    ///
    /// # Errors
    /// [`DbError::Unavailable`](crate::DbError::Unavailable) if the place is armed with [`Action::Error`].
    #[expect(clippy::panic, reason = "that is what it is armed for")]
    pub async fn hit(name: &str) -> Result<()> {
        step::passed(name);
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
