//! The load on a server: how many requests are sent, from how many connections, and when.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Load {
    /// The base URL of the server, such as http://127.0.0.1:3000.
    pub url: String,
    /// Number of connections that are kept open.
    pub connections: u32,
    /// Duration of the load in seconds.
    pub seconds: u64,
    /// Requests per second. `None` sends them as fast as the server answers.
    pub rate: Option<u32>,
}

impl Load {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Returns the time from the start at which request `number` should be sent, or `None` if there is no rate.
    pub(super) fn moment(&self, number: u64) -> Option<Duration> {
        moment(self.rate, number)
    }
}

/// Returns the time from the start at which request `number` should be sent at `rate` requests per second, or `None` if
/// there is no rate.
pub(super) fn moment(rate: Option<u32>, number: u64) -> Option<Duration> {
    rate.map(|rate| Duration::from_secs_f64(f64_of(number) / f64::from(rate)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
pub(super) fn f64_of(count: u64) -> f64 {
    count as f64
}
