//! The counter of requests to providers, by outcome.

/// Counts one request.
pub(crate) fn count(provider: &'static str, call: &'static str, outcome: &'static str) {
    metrics::counter!("nightshift_provider_calls_total", "provider" => provider, "call" => call, "outcome" => outcome)
        .increment(1);
}
