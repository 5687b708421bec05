//! The result of a load run: counts by status, and latencies in a histogram with three significant digits.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::amount::f64_of;

/// Maximum latency in microseconds. Longer latencies are recorded as this one.
const LONGEST_US: u64 = 600_000_000;

/// Returns the percentiles of `times` in milliseconds, for the JSON of a result.
pub(super) fn percentiles(times: &[Duration]) -> Value {
    let mut all = histogram();
    times.iter().for_each(|time| record(&mut all, *time));
    json!({
        "p50": ms(all.value_at_quantile(0.5)),
        "p99": ms(all.value_at_quantile(0.99)),
        "max": ms(all.max()),
    })
}

fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the library takes")]
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds that make sense")
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US);
    histogram.saturating_record(micros.clamp(1, LONGEST_US));
}

fn ms(micros: u64) -> f64 {
    (f64_of(micros) / 10.0).round() / 100.0
}

/// The results of one connection, or the sum of all connections.
pub(super) struct Report {
    latencies: Histogram<u64>,
    by_status: BTreeMap<u16, u64>,
    errors: u64,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { latencies: histogram(), by_status: BTreeMap::new(), errors: 0 }
    }

    /// Returns the number of answers with this status.
    pub(super) fn count(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }

    pub(super) fn answered(&mut self, status: u16, latency: Duration) {
        *self.by_status.entry(status).or_default() += 1;
        record(&mut self.latencies, latency);
    }

    pub(super) fn failed(&mut self) {
        self.errors += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Both histograms have the same bounds, so no value is out of range.
        let _ = self.latencies.add(&other.latencies);
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        self.errors += other.errors;
    }

    /// Returns the result as one JSON object, which also contains the fields of `what`. The run lasted for `took`.
    pub(super) fn json(&self, what: &Value, took: Duration) -> Value {
        let requests = self.latencies.len();
        let by_status: serde_json::Map<String, Value> =
            self.by_status.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
        let mut object = json!({
            "requests": requests,
            "requests_per_s": (f64_of(requests) / took.as_secs_f64()).round(),
            "p50_ms": ms(self.latencies.value_at_quantile(0.5)),
            "p90_ms": ms(self.latencies.value_at_quantile(0.9)),
            "p99_ms": ms(self.latencies.value_at_quantile(0.99)),
            "max_ms": ms(self.latencies.max()),
            "errors": self.errors,
            "by_status": by_status,
        });
        if let (Some(object), Some(what)) = (object.as_object_mut(), what.as_object()) {
            object.extend(what.clone());
        }
        object
    }
}
