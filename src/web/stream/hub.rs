//! One reader per process, however many watch; none when nobody does.
//!
//! It looks for new rows a few times a second. PostgreSQL gives out places before transactions commit, so a row may
//! become visible after one with a higher place: a gap is waited for, for as long as a transaction can reasonably take,
//! and then taken for one that was rolled back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nightshift_db::Db;
use nightshift_domain::stream::{self, StreamEvent};
use tokio::sync::{Mutex, broadcast};

use crate::web::error::Result;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A missing place is waited for this long.
const GAP: Duration = Duration::from_secs(2);
/// Events a slow watcher may lag behind.
const BEHIND_MAX: usize = 1_024;

/// Hands new events to those who watch.
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
    /// Events from now on, and the place of the last one before them. Starts the reader for the first who watches.
    ///
    /// # Errors
    /// A database error.
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

    /// Reads until nobody watches.
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
                // Nobody to hand it to is no failure.
                let _ = self.sender.send(Arc::new(event));
            }
            *reading = Some(position);
        }
    }
}
