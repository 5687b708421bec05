//! What the program in this process logs, kept in memory.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::util::SubscriberInitExt;

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        kept().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kept() -> MutexGuard<'static, Vec<u8>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what is logged from now on. May be called more than once.
pub fn keep() {
    // A second call finds the first one's subscriber.
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Keep).finish().try_init();
}

/// The lines that name this request.
pub fn of_request(id: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&kept()).into_owned();
    text.lines().filter(|line| line.contains(id)).map(str::to_owned).collect()
}
