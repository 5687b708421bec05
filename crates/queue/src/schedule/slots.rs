//! Fires occurrences: inserts the row of an occurrence and its job in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use nightshift_db::{Db, Timestamp, Tx};

use super::{Due, Overlap, Schedule, Scope, ZoneMode};
use crate::job::{EnqueueError, Enqueued};
use crate::store::queue::Queue;

/// An occurrence that fires later than this after its due time counts as missed.
const MISSED_AFTER: Duration = Duration::from_secs(60);
/// Maximum number of occurrences fired in one transaction.
const BATCH: usize = 100;

/// Fires the occurrences that are due. Any number of schedulers may run at once.
pub struct Scheduler {
    queue: Queue,
    schedules: Vec<Schedule>,
    /// The last local time known to have fired, by schedule and scope. Only a cache that saves statements: the rows
    /// decide.
    fired: HashMap<(&'static str, String), String>,
    known: bool,
}

impl Scheduler {
    /// Creates a scheduler of `schedules` for a queue.
    #[must_use]
    pub fn new(queue: Queue, schedules: Vec<Schedule>) -> Self {
        Self { queue, schedules, fired: HashMap::new(), known: false }
    }

    /// Fires what is due now, of the schedules in UTC and of each of `scopes`. Returns when the next occurrence is due.
    ///
    /// # Errors
    /// [`EnqueueError`]. Occurrences that have fired stay fired, and the next call fires the others.
    pub async fn tick(&mut self, scopes: &[Scope]) -> Result<Option<Timestamp>, EnqueueError> {
        let db = self.queue.db().clone();
        if !self.known {
            register(&db, &self.schedules, self.queue.clock().now()).await?;
            self.fired = last_fired(&db, &self.schedules).await?;
            self.known = true;
        }
        let active = active_since(&db).await?;
        let now = self.queue.clock().now();
        let (mut due, mut next) = (Vec::new(), None);
        for schedule in &self.schedules {
            let Some(active_since) = active.get(schedule.name) else { continue };
            let everywhere = [Scope { id: String::new(), zone: Tz::UTC, since: *active_since }];
            let scopes = match schedule.zone {
                ZoneMode::Utc => &everywhere,
                ZoneMode::PerScope | ZoneMode::PerScopeIn(_) => scopes,
            };
            for scope in scopes {
                let zone = schedule.zone.of(scope);
                if let Some(occurrence) = schedule.timetable.latest(zone, now)
                    && occurrence.at >= scope.since.max(*active_since)
                    && self
                        .fired
                        .get(&(schedule.name, scope.id.clone()))
                        .is_none_or(|last| *last < slot(occurrence.local))
                {
                    let missed = now.since(occurrence.at) > MISSED_AFTER;
                    let due_now = Due { scope: scope.id.clone(), local: occurrence.local, at: occurrence.at, missed };
                    due.push((schedule.clone(), due_now));
                }
                let upcoming = schedule.timetable.upcoming(zone, now).next().map(|occurrence| occurrence.at);
                next = [next, upcoming].into_iter().flatten().min();
            }
        }
        for batch in due.chunks(BATCH) {
            self.fire(batch, now).await?;
        }
        Ok(next)
    }

    async fn fire(&mut self, batch: &[(Schedule, Due)], now: Timestamp) -> Result<(), EnqueueError> {
        let mut tx = self.queue.db().begin().await?;
        for (schedule, due) in batch {
            fire(&self.queue, &mut tx, schedule, due, now).await?;
        }
        tx.commit().await?;
        nightshift_db::failpoint::hit("schedule.fired").await?;
        for (schedule, due) in batch {
            self.fired.insert((schedule.name, due.scope.clone()), slot(due.local));
        }
        Ok(())
    }
}

/// Returns the text that identifies an occurrence within its schedule and scope. It sorts like the times.
pub(super) fn slot(local: NaiveDateTime) -> String {
    local.format("%Y-%m-%dT%H:%M:%S").to_string()
}

async fn fire(
    queue: &Queue,
    tx: &mut Tx,
    schedule: &Schedule,
    due: &Due,
    now: Timestamp,
) -> Result<Option<Enqueued>, EnqueueError> {
    let slot = slot(due.local);
    let ours = tx
        .query(
            "INSERT INTO schedule_slots (schedule, scope, local_slot, due_at, fired_at, missed, outcome, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'fired', $5) ON CONFLICT DO NOTHING",
        )
        .bind(schedule.name)
        .bind(&due.scope)
        .bind(&slot)
        .bind(due.at)
        .bind(now)
        .bind(due.missed)
        .execute()
        .await?;
    if ours == 0 && !nightshift_db::sabotage::is("slots_fire_twice") {
        return Ok(None);
    }
    if schedule.overlap == Overlap::Skip && last_unfinished(tx, schedule.name, &due.scope, &slot).await? {
        tx.query(
            "UPDATE schedule_slots SET outcome = 'skipped' WHERE schedule = $1 AND scope = $2 AND local_slot = $3",
        )
        .bind(schedule.name)
        .bind(&due.scope)
        .bind(&slot)
        .execute()
        .await?;
        tracing::warn!(schedule = schedule.name, scope = due.scope, slot, "skipped: the previous one is not done");
        return Ok(None);
    }
    let enqueued = queue.enqueue_new(tx, (schedule.job)(due)?).await?;
    tx.query("UPDATE schedule_slots SET job_id = $4 WHERE schedule = $1 AND scope = $2 AND local_slot = $3")
        .bind(schedule.name)
        .bind(&due.scope)
        .bind(&slot)
        .bind(enqueued.id())
        .execute()
        .await?;
    tracing::info!(
        schedule = schedule.name,
        scope = due.scope,
        slot,
        missed = due.missed,
        job = enqueued.id(),
        "fired"
    );
    Ok(Some(enqueued))
}

async fn last_unfinished(tx: &mut Tx, schedule: &str, scope: &str, slot: &str) -> nightshift_db::Result<bool> {
    let state: Option<(Option<String>,)> = tx
        .query(
            "SELECT jobs.state FROM schedule_slots AS last LEFT JOIN jobs ON jobs.id = last.job_id
             WHERE last.schedule = $1 AND last.scope = $2 AND last.local_slot < $3 AND last.job_id IS NOT NULL
             ORDER BY last.local_slot DESC LIMIT 1",
        )
        .bind(schedule)
        .bind(scope)
        .bind(slot)
        .optional()
        .await?;
    let state = state.and_then(|(state,)| state);
    Ok(state.is_some_and(|state| matches!(state.as_str(), "queued" | "running" | "retrying")))
}

/// Stores the schedules of this program. A schedule whose definition has changed is active from now on only, so its
/// earlier slots are not made up for.
async fn register(db: &Db, schedules: &[Schedule], now: Timestamp) -> nightshift_db::Result<()> {
    for schedule in schedules {
        db.write(
            "INSERT INTO schedules (name, cron, timezone_mode, overlap, job_kind, active_since, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $6)
             ON CONFLICT (name) DO UPDATE
             SET cron = $2, timezone_mode = $3, overlap = $4, job_kind = $5, active_since = $6, updated_at = $6
             WHERE (schedules.cron, schedules.timezone_mode, schedules.overlap, schedules.job_kind) <> ($2, $3, $4, $5)",
        )
        .bind(schedule.name)
        .bind(schedule.timetable.to_string())
        .bind(schedule.zone.as_str())
        .bind(schedule.overlap.as_str())
        .bind(schedule.kind)
        .bind(now)
        .execute()
        .await?;
    }
    Ok(())
}

/// Returns the enabled schedules by name, with the time since when each is active.
async fn active_since(db: &Db) -> nightshift_db::Result<HashMap<String, Timestamp>> {
    let rows: Vec<(String, Timestamp)> =
        db.read("SELECT name, active_since FROM schedules WHERE enabled").all().await?;
    Ok(rows.into_iter().collect())
}

async fn last_fired(db: &Db, schedules: &[Schedule]) -> nightshift_db::Result<HashMap<(&'static str, String), String>> {
    let mut last = HashMap::new();
    for schedule in schedules {
        let rows: Vec<(String, String)> = db
            .read("SELECT scope, max(local_slot) FROM schedule_slots WHERE schedule = $1 GROUP BY scope")
            .bind(schedule.name)
            .all()
            .await?;
        last.extend(rows.into_iter().map(|(scope, slot)| ((schedule.name, scope), slot)));
    }
    Ok(last)
}
