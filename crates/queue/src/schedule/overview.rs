//! Schedules as people see them: when each was last fired, and when it will be next.

use chrono_tz::Tz;
use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::slots::slot;
use super::{Schedule, Scope, ZoneMode};

/// Occurrences shown ahead.
const AHEAD: usize = 3;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Schedule)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleView {
    /// Its name.
    pub name: &'static str,
    /// When, as a cron expression.
    pub cron: String,
    /// `utc`, or `org` for each organisation's own time.
    pub timezone_mode: &'static str,
    /// What if the last one is not done: `skip` or `queue`.
    pub overlap: &'static str,
    /// The kind of its jobs.
    pub job_kind: &'static str,
    /// Whether it is switched on.
    pub enabled: bool,
    /// For whom, in the order of the next occurrence.
    pub scopes: Vec<ScopeView>,
}

/// A schedule in one local time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ScheduleScope)]
#[serde(rename_all = "camelCase")]
pub struct ScopeView {
    /// The organisation; none for UTC.
    pub org_id: Option<String>,
    /// IANA name.
    pub timezone: &'static str,
    /// The last occurrence that has its row.
    pub last: Option<SlotView>,
    /// The next ones.
    pub next: Vec<NextView>,
}

/// An occurrence that is past.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = PastOccurrence)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    /// In local time.
    pub local_slot: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was fired.
    pub fired_at: Timestamp,
    /// Whether that was late, because no scheduler ran.
    pub missed: bool,
    /// `fired`, or `skipped` because the one before was not done.
    pub outcome: String,
    /// Its job.
    pub job_id: Option<String>,
}

/// An occurrence to come.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = NextOccurrence)]
pub struct NextView {
    /// In local time.
    pub local: String,
    /// The instant.
    pub at: Timestamp,
}

/// What is known of `schedules`, with the first `limit` scopes of each.
///
/// # Errors
/// A database error.
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
            ZoneMode::PerScope => scopes,
        };
        let next_of = |scope: &Scope| schedule.timetable.upcoming(scope.zone, now).next().map(|next| next.at);
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
    let next = schedule.timetable.upcoming(scope.zone, now).take(AHEAD);
    Ok(ScopeView {
        org_id: (schedule.zone == ZoneMode::PerScope).then(|| scope.id.clone()),
        timezone: scope.zone.name(),
        last,
        next: next.map(|next| NextView { local: slot(next.local), at: next.at }).collect(),
    })
}

/// Switches a schedule on or off. Occurrences while it was off are not made up for. False when there is none such, or
/// no scheduler has run yet.
///
/// # Errors
/// A database error.
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
