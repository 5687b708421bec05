//! Keeping loops alive: whatever ends one, it is started again, for ever, with growing pauses.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A loop that ran so long before it ended starts again with the shortest pause.
const STEADY: Duration = Duration::from_secs(60);

/// Runs what `start` makes, again and again; a loop that is meant to end is aborted from outside.
pub(crate) async fn supervise<F, R>(name: &'static str, mut start: F)
where
    F: FnMut() -> R,
    R: Future<Output = nightshift_db::Result<()>>,
{
    let mut pause = PAUSE_MIN;
    loop {
        let started = Instant::now();
        match AssertUnwindSafe(start()).catch_unwind().await {
            Ok(Ok(())) => tracing::debug!(service = name, "a service ended and is started again"),
            Ok(Err(error)) => tracing::warn!(service = name, %error, "a service failed and is started again"),
            Err(_panic) => tracing::error!(service = name, "a service panicked and is started again"),
        }
        if started.elapsed() > STEADY {
            pause = PAUSE_MIN;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
