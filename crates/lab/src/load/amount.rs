//! How many requests are sent, from how many connections, and when each of them leaves.

use std::time::Duration;

/// How much, from how many connections.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server, such as http://127.0.0.1:3000.
    pub url: String,
    /// Connections that are kept open.
    pub connections: u32,
    /// How long requests are sent.
    pub seconds: u64,
    /// Requests per second; as fast as the server answers when there is none.
    pub rate: Option<u32>,
}

impl Load {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// When the `number`-th request should leave after the start, at a rate.
    pub(super) fn moment(&self, number: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(f64_of(number) / f64::from(rate)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
pub(super) fn f64_of(count: u64) -> f64 {
    count as f64
}
