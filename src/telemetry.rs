//! What the program tells about itself: log lines and metrics.
//!
//! Log lines go to standard error, a sentence with dotted fields, pretty or as one JSON object each; [`log_lines`] takes
//! them there. Metrics are kept by one recorder per process, which `/metrics` renders.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};
use crate::log_lines;

/// From a commit on a fast disk to a provider that hangs.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
/// The recorder moves recorded values into its buckets so often.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Log lines can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// There is no thread for them.
    #[error("the operating system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The process already has a subscriber.
    #[error(transparent)]
    Taken(#[from] TryInitError),
}

/// Starts writing log lines, best effort: from then on no log line fails, panics or waits, whatever becomes of standard
/// error. What is not written yet when the process ends is waited for by [`end_logging`].
///
/// # Errors
/// [`LoggingError`].
pub fn start_logging(log: &Log) -> Result<(), LoggingError> {
    let filter = EnvFilter::new(&log.filter);
    // A subscriber that can't write complains about it with `eprintln!`, which panics where standard error is broken.
    let lines = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter);
    let lines = lines.with_writer(log_lines::to_stderr()?);
    match log.format {
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).finish().try_init()?,
    }
    log_panics();
    Ok(())
}

/// A panic is a log line like others: written directly, it would wait for a reader that does not read.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("without a message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic.location = location, panic.backtrace = backtrace, "a thread panicked: {message}");
        // The process may be about to end by it.
        if std::thread::current().name() == Some("main") {
            log_lines::flush();
        }
    }));
}

/// Lets the last log lines out.
pub fn end_logging() {
    log_lines::flush();
}

/// The process's metrics; the first call makes it the one that all counters go to. Must be called within a tokio runtime.
///
/// # Errors
/// When something else in the process already records metrics.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    // A poisoned lock only means that another thread panicked in here; what stands is whole.
    let mut standing = HANDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = &*standing {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()?;
    *standing = Some(handle.clone());
    Ok(handle)
}

/// Keeps the recorder's memory small. Runs for ever.
pub async fn keep_up(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}
