//! One reader of stream events per process, which runs only while event streams are open.
//!
//! It polls for new rows a few times per second. PostgreSQL assigns sequence numbers before transactions commit, so a
//! row may become visible after one with a higher number. The reader waits for a missing number as long as a
//! transaction may reasonably take, and then assumes that its transaction was rolled back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nightshift_db::Db;
use nightshift_domain::stream::{self, StreamEvent};
use tokio::sync::{Mutex, broadcast};

use crate::web::error::Result;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the reader waits for a missing sequence number.
const GAP: Duration = Duration::from_secs(2);
/// The maximum number of events by which a slow event stream may lag behind.
const BEHIND_MAX: usize = 1_024;

/// Passes new events to open event streams.
#[derive(Clone)]
pub struct Hub {
    sender: broadcast::Sender<Arc<StreamEvent>>,
    reading: Arc<Mutex<Option<i64>>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND_MAX), reading: Arc::default() }
    }
}

impl Hub {
    /// Returns a receiver of new events, and the sequence number of the last event before them. Starts the reader if it
    /// does not run.
    pub(super) async fn subscribe(&self, db: &Db) -> Result<(broadcast::Receiver<Arc<StreamEvent>>, i64)> {
        let mut reading = self.reading.lock().await;
        let receiver = self.sender.subscribe();
        if let Some(position) = *reading {
            return Ok((receiver, position));
        }
        let position = stream::latest(db).await?;
        *reading = Some(position);
        let (hub, db) = (self.clone(), db.clone());
        tokio::spawn(async move { hub.read(&db, position).await });
        Ok((receiver, position))
    }

    /// Reads until no event stream is open.
    async fn read(&self, db: &Db, mut position: i64) {
        let mut gap: Option<(i64, Instant)> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let events = match stream::after(db, position).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::debug!(%error, "live updates can't be read; trying again");
                    continue;
                }
            };
            let mut reading = self.reading.lock().await;
            if self.sender.receiver_count() == 0 {
                *reading = None;
                return;
            }
            for event in events {
                let missing = position + 1;
                if event.seq > missing {
                    let since = match gap {
                        Some((place, since)) if place == missing => since,
                        _ => gap.insert((missing, Instant::now())).1,
                    };
                    if since.elapsed() < GAP {
                        break;
                    }
                }
                gap = None;
                position = event.seq;
                // An error only means that no event stream is open.
                let _ = self.sender.send(Arc::new(event));
            }
            *reading = Some(position);
        }
    }
}
