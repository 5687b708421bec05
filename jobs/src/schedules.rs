//! Every schedule of the program.

use chrono_tz::Tz;
use nightshift_db::Tx;
use nightshift_domain::ids::OrgId;
use nightshift_domain::people::organizations::{Locale, local_date};
use nightshift_domain::reconciliation::Trigger;
use nightshift_queue::schedule::{BadCron, Due, Overlap, Schedule, Scope, Timetable, ZoneMode};
use nightshift_queue::{Job, Keys, NewJob, Queue};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::exceptions::wake::ExceptionsWake;
use crate::metrics::nightly::MetricsNightly;
use crate::pricing;
use crate::pricing::reconcile::PricingReconcile;
use crate::response_links::expire::ResponseLinksExpire;
use crate::retention::sweep::RetentionSweep;

/// The configurable times. Those of other schedules are fixed.
#[derive(Debug, Clone)]
pub struct Times {
    /// When prices are checked.
    pub reconciliation: Timetable,
    /// The time zone in which prices are checked. `None` uses each organisation's own.
    pub reconciliation_zone: Option<Tz>,
}

/// Returns every schedule.
///
/// # Errors
/// Only if a built-in cron expression is invalid, which a test rules out.
pub fn schedules(times: Times) -> Result<Vec<Schedule>, BadCron> {
    Ok(vec![
        Schedule {
            name: PricingReconcile::KIND,
            timetable: times.reconciliation,
            zone: times.reconciliation_zone.map_or(ZoneMode::PerScope, ZoneMode::PerScopeIn),
            overlap: Overlap::Queue,
            kind: PricingReconcile::KIND,
            job: reconcile,
        },
        Schedule {
            name: MetricsNightly::KIND,
            timetable: "0 0 3 * * *".parse()?,
            zone: ZoneMode::PerScope,
            overlap: Overlap::Skip,
            kind: MetricsNightly::KIND,
            job: compute_metrics,
        },
        Schedule {
            name: ResponseLinksExpire::KIND,
            timetable: "0 */5 * * * *".parse()?,
            zone: ZoneMode::Utc,
            overlap: Overlap::Skip,
            kind: ResponseLinksExpire::KIND,
            job: |_| NewJob::of(&ResponseLinksExpire {}),
        },
        Schedule {
            name: RetentionSweep::KIND,
            // After the night in Europe and before the night in America.
            timetable: "0 0 4 * * *".parse()?,
            zone: ZoneMode::Utc,
            overlap: Overlap::Skip,
            kind: RetentionSweep::KIND,
            job: |due| NewJob::of(&RetentionSweep::of_day(due.at)),
        },
        Schedule {
            name: ExceptionsWake::KIND,
            timetable: "0 */5 * * * *".parse()?,
            zone: ZoneMode::Utc,
            overlap: Overlap::Skip,
            kind: ExceptionsWake::KIND,
            job: |_| NewJob::of(&ExceptionsWake {}),
        },
    ])
}

fn reconcile(due: &Due) -> Result<NewJob, nightshift_queue::EnqueueError> {
    let job = PricingReconcile {
        org_id: OrgId::from(due.scope.as_str()),
        local_date: due.local.date().to_string(),
        trigger_kind: Trigger::Scheduled,
        attempt_no: 0,
        missed: due.missed,
    };
    Ok(NewJob::of(&job)?.org(due.scope.as_str()))
}

fn compute_metrics(due: &Due) -> Result<NewJob, nightshift_queue::EnqueueError> {
    let org_id = OrgId::from(due.scope.as_str());
    let job = MetricsNightly { org_id, local_date: due.local.date().to_string() };
    Ok(NewJob::of(&job)?.org(due.scope.as_str()))
}

/// Returns the scope of an organisation for schedules.
#[must_use]
pub fn scope_of(locale: Locale) -> Scope {
    Scope { id: locale.org.to_string(), zone: locale.zone, since: locale.since }
}

/// Runs a schedule's job now, for one organisation or for all of `scopes`, and returns the ids of the jobs. The
/// schedule's next occurrence is not affected.
///
/// # Errors
/// [`NotFound`](nightshift_domain::Error::NotFound) for an unknown organisation; a conflict if a price check of the
/// organisation is running; an error of the queue.
pub async fn run_now(
    tx: &mut Tx,
    queue: &Queue,
    schedule: &Schedule,
    scopes: &[Scope],
    org: Option<&OrgId>,
) -> Result<Vec<String>, Error> {
    let now = queue.clock().now();
    let everywhere = [Scope { id: String::new(), zone: Tz::UTC, since: now }];
    let scopes = match schedule.zone {
        ZoneMode::Utc => &everywhere,
        ZoneMode::PerScope | ZoneMode::PerScopeIn(_) => scopes,
    };
    let mut jobs = Vec::new();
    for scope in scopes.iter().filter(|scope| org.is_none_or(|org| scope.id.is_empty() || scope.id == org.as_str())) {
        let zone = schedule.zone.of(scope);
        if schedule.kind == PricingReconcile::KIND {
            let org = OrgId::from(scope.id.as_str());
            let date = local_date(now, zone).to_string();
            jobs.push(pricing::reconcile_now(&Enqueuer::of_request(queue), tx, &org, &date).await?);
            continue;
        }
        let local = now.to_datetime().with_timezone(&zone).naive_local();
        let due = Due { scope: scope.id.clone(), local, at: now, missed: false };
        // The dedup key lets the job run again today although the schedule's once key is taken.
        let key = Keys::dedup(format!("manual:{}:{}", schedule.name, scope.id));
        jobs.push(queue.enqueue_new(tx, (schedule.job)(&due)?.keys(key)).await?.id().to_owned());
    }
    if jobs.is_empty() { Err(nightshift_domain::Error::NotFound.into()) } else { Ok(jobs) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_makes_jobs_of_its_kind_that_a_worker_knows() {
        let schedules =
            schedules(Times { reconciliation: "0 0 2 * * *".parse().unwrap(), reconciliation_zone: None }).unwrap();
        let kinds = crate::registry().names();
        for schedule in schedules {
            assert!(kinds.contains(&schedule.kind), "{}", schedule.name);
        }
    }
}
