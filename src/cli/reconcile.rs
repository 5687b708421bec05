//! `nightshift reconcile`: runs the nightly price check now.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use nightshift_domain::ids::{OrgId, ReconciliationRunId};
use nightshift_domain::people::organizations;
use nightshift_domain::reconciliation::{self, ReconciliationRun, ReconciliationStatus};
use nightshift_domain::viewer::Viewer;
use nightshift_jobs::{Enqueuer, pricing};
use nightshift_queue::Queue;
use nightshift_queue::lifecycle::State;

use super::{open, progress, table};
use crate::config::Settings;
use crate::output::{complain, say};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// If no worker has started the job after this time, perhaps none runs.
const NOTICE_AFTER: Duration = Duration::from_secs(5);

/// Whose prices, and for which day.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift reconcile                              every organisation's prices, with a progress bar
  nightshift reconcile --org org-happy-paws --no-wait
A worker does the work: start `nightshift serve` if it is not running.")]
pub(super) struct Args {
    /// One organisation; all when not given.
    #[arg(long)]
    org: Option<String>,
    /// The day of the check, as YYYY-MM-DD; today in the organisation's zone when not given.
    #[arg(long, value_parser = reconciliation::parse_day)]
    date: Option<chrono::NaiveDate>,
    /// Enqueue the check and do not wait for it.
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let orgs = match &args.org {
        Some(org) => vec![open::organization(queue.db(), Some(org)).await?],
        None => organizations::locales(queue.db()).await?.into_iter().map(|locale| locale.org).collect(),
    };
    if orgs.is_empty() {
        bail!("there is no organisation; load one with `nightshift seed FILE.json`");
    }
    let mut jobs = Vec::new();
    for org in orgs {
        let job = enqueue(&queue, settings, &org, args.date).await.with_context(|| format!("organisation {org}"))?;
        if args.no_wait {
            say!("{org}: job {job}");
        }
        jobs.push((org, job));
    }
    if args.no_wait {
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Vec::new();
    let mut failed = false;
    for (org, job) in jobs {
        let run = follow(&queue, settings, &job).await.with_context(|| format!("organisation {org}"))?;
        failed |= run.status != ReconciliationStatus::Completed;
        rows.push([
            org.to_string(),
            run.local_date.clone(),
            run.status.to_string(),
            run.checked.to_string(),
            run.skipped_no_snapshot.to_string(),
            run.not_computable.to_string(),
            run.drifted.to_string(),
            format!("{} {} {}", run.high, run.medium, run.low),
        ]);
    }
    table::print(
        ["ORGANISATION", "DATE", "STATUS", "CHECKED", "NO PRICE", "NOT COMPUTABLE", "DRIFTED", "HIGH MEDIUM LOW"],
        &rows,
    );
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn enqueue(
    queue: &Queue,
    settings: &Settings,
    org: &OrgId,
    date: Option<chrono::NaiveDate>,
) -> anyhow::Result<String> {
    let zone = settings.reconciliation.timezone;
    let date = reconciliation::day(queue.db(), org, zone, date, queue.clock().now()).await?;
    let mut tx = queue.db().begin().await?;
    let job = pricing::reconcile_now(&Enqueuer::of_request(queue), &mut tx, org, &date.to_string()).await?;
    tx.commit().await?;
    Ok(job)
}

/// Waits until the run ends, and shows its progress.
async fn follow(queue: &Queue, settings: &Settings, job: &str) -> anyhow::Result<ReconciliationRun> {
    let started = Instant::now();
    let mut told = false;
    let run_id = loop {
        let detail = queue.detail(job).await?.context("its job no longer exists")?;
        match detail.job.state {
            State::Succeeded => {
                let run =
                    detail.result.as_ref().and_then(|result| result["runId"].as_str()).map(ReconciliationRunId::from);
                break run.context("its job reported no run")?;
            }
            State::Dead | State::Cancelled => bail!("job {job} is {}", detail.job.state.as_str()),
            _ => {}
        }
        if started.elapsed() > NOTICE_AFTER && !told {
            complain!("the job has not started; is a worker running? (`nightshift serve --role worker`)");
            told = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let run = reconciliation::get(queue.db(), &Viewer::all(), &run_id).await?;
    let left = reconciliation::remaining(queue.db(), &run, settings.reconciliation.lookback).await?;
    let bar = progress::bar((seen(&run) + left).unsigned_abs());
    let run = watch(queue, &run_id, &bar).await;
    bar.finish_and_clear();
    run
}

async fn watch(queue: &Queue, id: &ReconciliationRunId, bar: &ProgressBar) -> anyhow::Result<ReconciliationRun> {
    loop {
        let run = reconciliation::get(queue.db(), &Viewer::all(), id).await?;
        bar.set_position(seen(&run).unsigned_abs());
        bar.set_message(format!("{} drifted", run.drifted));
        if run.status != ReconciliationStatus::Running {
            return Ok(run);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn seen(run: &ReconciliationRun) -> i64 {
    run.checked + run.skipped_no_snapshot + run.not_computable
}
