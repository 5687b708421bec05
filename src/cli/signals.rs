//! SIGTERM and SIGINT. The first signal shuts the program down gracefully, the second one immediately.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wishes to end this process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on a signal is a wish and ends nothing by itself.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals can't be waited for");
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
