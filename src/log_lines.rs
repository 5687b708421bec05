//! Writes log lines to standard error without blocking the code that logs.
//!
//! A closed pipe, a full disk or a slow reader must not fail or delay the work. Lines are sent to a thread that writes
//! them one after the other and drops those that can't be written. If its channel is full because the reader is slow,
//! new lines are dropped and counted.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The maximum number of lines that wait to be written.
const WAITING_MAX: usize = 8192;
/// How long the end of the process waits for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

static LINES: OnceLock<LogLines> = OnceLock::new();

enum Item {
    Line(Vec<u8>),
    /// Answered when all earlier lines are written.
    Flush(SyncSender<()>),
}

/// A writer of log lines. Each write must be a whole line.
#[derive(Clone)]
pub struct LogLines(SyncSender<Item>);

/// Returns the writer to standard error, and starts its thread at the first call.
///
/// # Errors
/// Returns an error if the operating system can't start a thread.
pub fn to_stderr() -> io::Result<LogLines> {
    let lines = start(io::stderr(), WAITING_MAX)?;
    Ok(LINES.get_or_init(|| lines).clone())
}

/// Waits up to one second until the lines so far are written. Called at the end of the process.
pub fn flush() {
    let Some(LogLines(lines)) = LINES.get() else { return };
    let (written, all_written) = sync_channel(1);
    // If the channel is full, the reader does not read, and waiting is useless.
    if lines.try_send(Item::Flush(written)).is_ok() {
        let _ = all_written.recv_timeout(FLUSH_LIMIT);
    }
}

fn start(out: impl Write + Send + 'static, waiting_max: usize) -> io::Result<LogLines> {
    let (sender, receiver) = sync_channel(waiting_max);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all_that_come(&receiver, out))?;
    Ok(LogLines(sender))
}

fn write_all_that_come(items: &Receiver<Item>, mut out: impl Write) {
    for item in items {
        match item {
            // A line that can't be written is lost, but later ones may succeed, for example once a full disk has space
            // again.
            Item::Line(line) => {
                let _ = out.write_all(&line).and_then(|()| out.flush());
            }
            Item::Flush(written) => {
                let _ = written.try_send(());
            }
        }
    }
}

impl Write for LogLines {
    /// Never fails and never blocks.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Item::Line(line.to_vec())).is_err() {
            metrics::counter!("nightshift_log_lines_dropped_total").increment(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    /// A writer that blocks each `write` until the test allows it.
    struct Stuck(Receiver<()>, std::sync::mpsc::Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_the_oldest_lines_reach_it_later() {
        let (read, reads) = sync_channel(100);
        let (sender, lines) = std::sync::mpsc::channel();
        let mut log = start(Stuck(reads, sender), 4).unwrap();
        for n in 0..100 {
            assert_eq!(log.write(format!("line {n}\n").as_bytes()).unwrap(), format!("line {n}\n").len());
        }
        (0..4).for_each(|_| read.send(()).unwrap());
        let written: Vec<_> = (0..4).map(|_| String::from_utf8(lines.recv().unwrap()).unwrap()).collect();
        assert_eq!(written, ["line 0\n", "line 1\n", "line 2\n", "line 3\n"]);
    }

    struct Broken(std::sync::mpsc::Sender<usize>, usize);

    impl Write for Broken {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            self.0.send(self.1).map_err(io::Error::other)?;
            if self.1 < 3 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(line.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_the_next_one_is_tried() {
        let (sender, tries) = std::sync::mpsc::channel();
        let mut log = start(Broken(sender, 0), 10).unwrap();
        for _ in 0..3 {
            log.write_all(b"line\n").unwrap();
        }
        assert_eq!(tries.iter().take(3).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
