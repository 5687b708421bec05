//! What the program tells about itself: log lines and metrics.
//!
//! Log lines go to standard error, a sentence with dotted fields, pretty or as one JSON object each. Metrics are kept by
//! one recorder per process, which `/metrics` renders.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// From a commit on a fast disk to a provider that hangs.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
/// The recorder moves recorded values into its buckets so often.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts writing log lines.
///
/// # Errors
/// When the process already has a subscriber.
pub fn start_logging(log: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::new(&log.filter);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).finish().try_init(),
    }
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
