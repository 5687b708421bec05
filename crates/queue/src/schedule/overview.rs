//! Schedules as shown to operators, with their last and next occurrences.

use chrono_tz::Tz;
use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::slots::slot;
use super::{Schedule, Scope, ZoneMode};

/// Number of future occurrences shown.
const AHEAD: usize = 3;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Schedule)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleView {
    /// Name of the schedule.
    pub name: &'static str,
    /// Cron expression: second, minute, hour, day of month, month, day of week, and optionally year.
    pub cron: String,
    /// `utc`, or `org` for the local time of each organisation.
    pub timezone_mode: &'static str,
    /// What happens if the job of the previous occurrence has not ended: `skip` or `queue`.
    pub overlap: &'static str,
    /// Kind of the jobs that it enqueues.
    pub job_kind: &'static str,
    /// Whether the schedule is enabled.
    pub enabled: bool,
    /// The local times in which it fires, ordered by their next occurrence.
    pub scopes: Vec<ScopeView>,
}

/// A schedule in one local time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ScheduleScope)]
#[serde(rename_all = "camelCase")]
pub struct ScopeView {
    /// The organisation. Null for UTC.
    pub org_id: Option<String>,
    /// IANA name of the time zone.
    pub timezone: &'static str,
    /// The last occurrence that has fired or was skipped.
    pub last: Option<SlotView>,
    /// The next occurrences.
    pub next: Vec<NextView>,
}

/// A past occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = PastOccurrence)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    /// Local time, for example `2024-12-31T02:00:00`.
    pub local_slot: String,
    /// Time at which it was due.
    pub due_at: Timestamp,
    /// Time at which it fired.
    pub fired_at: Timestamp,
    /// Whether it fired late, because no scheduler was running.
    pub missed: bool,
    /// `fired`, or `skipped` because the job of the previous occurrence had not ended.
    pub outcome: String,
    /// The enqueued job. Null if the occurrence was skipped.
    pub job_id: Option<String>,
}

/// A future occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = NextOccurrence)]
pub struct NextView {
    /// Local time, for example `2024-12-31T02:00:00`.
    pub local: String,
    /// Time at which it is due.
    pub at: Timestamp,
}

/// Returns the state of `schedules`, each with the first `limit` scopes.
pub async fn overview(
    db: &Db,
    schedules: &[Schedule],
    scopes: &[Scope],
    limit: usize,
    now: Timestamp,
) -> nightshift_db::Result<Vec<ScheduleView>> {
    let switched_off: Vec<(String,)> = db.read("SELECT name FROM schedules WHERE NOT enabled").all().await?;
    let everywhere = [Scope { id: String::new(), zone: Tz::UTC, since: now }];
    let mut views = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        let scopes = match schedule.zone {
            ZoneMode::Utc => &everywhere,
            ZoneMode::PerScope | ZoneMode::PerScopeIn(_) => scopes,
        };
        let next_of =
            |scope: &Scope| schedule.timetable.upcoming(schedule.zone.of(scope), now).next().map(|next| next.at);
        let mut by_next: Vec<&Scope> = scopes.iter().collect();
        by_next.sort_by_cached_key(|scope| (next_of(scope), scope.id.clone()));
        let mut shown = Vec::new();
        for scope in by_next.into_iter().take(limit) {
            shown.push(scope_view(db, schedule, scope, now).await?);
        }
        views.push(ScheduleView {
            name: schedule.name,
            cron: schedule.timetable.to_string(),
            timezone_mode: schedule.zone.as_str(),
            overlap: schedule.overlap.as_str(),
            job_kind: schedule.kind,
            enabled: !switched_off.iter().any(|(name,)| name == schedule.name),
            scopes: shown,
        });
    }
    Ok(views)
}

async fn scope_view(db: &Db, schedule: &Schedule, scope: &Scope, now: Timestamp) -> nightshift_db::Result<ScopeView> {
    let last = db
        .read(
            "SELECT local_slot, due_at, fired_at, missed, outcome, job_id FROM schedule_slots
             WHERE schedule = $1 AND scope = $2 ORDER BY local_slot DESC LIMIT 1",
        )
        .bind(schedule.name)
        .bind(&scope.id)
        .optional()
        .await?;
    let next = schedule.timetable.upcoming(schedule.zone.of(scope), now).take(AHEAD);
    Ok(ScopeView {
        org_id: (schedule.zone != ZoneMode::Utc).then(|| scope.id.clone()),
        timezone: schedule.zone.of(scope).name(),
        last,
        next: next.map(|next| NextView { local: slot(next.local), at: next.at }).collect(),
    })
}

/// Enables or disables a schedule. Occurrences that were due while it was disabled never fire. Returns false if there
/// is no such schedule, or if no scheduler has run yet.
pub async fn set_enabled(tx: &mut Tx, name: &str, enabled: bool, now: Timestamp) -> nightshift_db::Result<bool> {
    let found = tx
        .query(
            "UPDATE schedules
             SET enabled = $2, active_since = CASE WHEN enabled THEN active_since ELSE $3 END, updated_at = $3
             WHERE name = $1",
        )
        .bind(name)
        .bind(enabled)
        .bind(now)
        .execute()
        .await?;
    Ok(found > 0)
}
