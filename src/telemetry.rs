//! Logging and metrics.
//!
//! Log lines go to standard error through [`log_lines`]: a sentence with dotted fields, as text or as one JSON object
//! per line. One recorder per process holds the metrics, and `/metrics` renders them.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};
use crate::log_lines;

/// Histogram buckets in seconds, from a commit on a fast disk to a provider that does not answer.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
/// The interval at which the recorder moves recorded values into its buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Logging can't be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The thread that writes log lines can't be started.
    #[error("the operating system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error(transparent)]
    Taken(#[from] TryInitError),
}

/// Starts logging. From then on no log line fails, panics or blocks, whatever happens to standard error.
/// [`end_logging`] waits for lines that are not written yet when the process ends.
///
/// # Errors
/// See [`LoggingError`].
pub fn start_logging(log: &Log) -> Result<(), LoggingError> {
    let filter = EnvFilter::new(&log.filter);
    // A subscriber reports write errors with `eprintln!`, which panics if standard error is broken.
    let lines = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter);
    let lines = lines.with_writer(log_lines::to_stderr()?);
    match log.format {
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).finish().try_init()?,
    }
    log_panics();
    Ok(())
}

/// Logs panics like other lines. The default hook writes directly to standard error and would block on a slow reader.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("without a message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic.location = location, panic.backtrace = backtrace, "a thread panicked: {message}");
        // A panic of the main thread usually ends the process.
        if std::thread::current().name() == Some("main") {
            log_lines::flush();
        }
    }));
}

/// Waits until the last log lines are written.
pub fn end_logging() {
    log_lines::flush();
}

/// Returns the metrics of this process. The first call installs their recorder and must be within a Tokio runtime.
///
/// # Errors
/// Returns an error if another recorder is installed.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    // A poisoned lock only means that another thread panicked in this function. The stored handle is valid.
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

/// Runs the recorder's upkeep, which bounds its memory. Never returns.
pub async fn keep_up(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}
