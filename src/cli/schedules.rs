//! `nightshift schedules`: lists, runs, enables and disables schedules.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use nightshift_domain::ids::OrgId;
use nightshift_jobs::schedules::run_now;
use nightshift_queue::Queue;
use nightshift_queue::schedule::{Schedule, overview, set_enabled};
use serde_json::json;

use super::{open, table};
use crate::config::Settings;
use crate::output::say;
use crate::scheduler::Clockwork;

/// The maximum number of organisations shown for a schedule.
const SCOPES_SHOWN: usize = 50;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift schedules list
  nightshift schedules run retention.sweep
  nightshift schedules disable pricing.reconcile")]
pub(super) enum Command {
    /// List the schedules, when each was last fired, and the next occurrences in local time.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a schedule's job now. Its next occurrence stays the same.
    Run {
        /// The schedule.
        name: String,
        /// One organisation; all when not given.
        #[arg(long)]
        org: Option<String>,
    },
    /// Switch a schedule on. Occurrences that were missed while it was off are not run.
    Enable {
        /// The schedule.
        name: String,
    },
    /// Switch a schedule off, in all processes.
    Disable {
        /// The schedule.
        name: String,
    },
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let clock = Clockwork::new(settings)?;
    match command {
        Command::List { json } => list(&queue, &clock, *json).await?,
        Command::Run { name, org } => {
            let schedule = find(&clock, name)?;
            let scopes = clock.scopes(queue.db()).await?;
            let org = org.as_deref().map(OrgId::from);
            let mut tx = queue.db().begin().await?;
            let jobs = run_now(&mut tx, &queue, schedule, &scopes, org.as_ref()).await.context("nothing was run")?;
            tx.commit().await?;
            jobs.iter().for_each(|job| say!("{name}: job {job}"));
        }
        Command::Enable { name } => switch(&queue, find(&clock, name)?, true).await?,
        Command::Disable { name } => switch(&queue, find(&clock, name)?, false).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(clock: &'a Clockwork, name: &str) -> anyhow::Result<&'a Schedule> {
    let Some(schedule) = clock.schedules.iter().find(|schedule| schedule.name == name) else {
        let names: Vec<_> = clock.schedules.iter().map(|schedule| schedule.name).collect();
        bail!("there is no schedule {name}; there are {}", names.join(", "));
    };
    Ok(schedule)
}

async fn switch(queue: &Queue, schedule: &Schedule, on: bool) -> anyhow::Result<()> {
    let mut tx = queue.db().begin().await?;
    if !set_enabled(&mut tx, schedule.name, on, queue.clock().now()).await? {
        bail!("no scheduler has run on this database yet; start one with `nightshift serve --role scheduler`");
    }
    tx.commit().await?;
    say!("{} is {}", schedule.name, if on { "on" } else { "off" });
    Ok(())
}

async fn list(queue: &Queue, clock: &Clockwork, as_json: bool) -> anyhow::Result<()> {
    let scopes = clock.scopes(queue.db()).await?;
    let schedules = overview(queue.db(), &clock.schedules, &scopes, SCOPES_SHOWN, queue.clock().now()).await?;
    if as_json {
        say!("{}", json!({"schedules": schedules}));
        return Ok(());
    }
    let mut rows = Vec::new();
    for schedule in &schedules {
        for scope in &schedule.scopes {
            let last = scope.last.as_ref().map(|last| {
                let note = if last.outcome == "skipped" {
                    " (skipped)"
                } else if last.missed {
                    " (missed)"
                } else {
                    ""
                };
                format!("{}{note}", last.local_slot)
            });
            let next = scope.next.first().filter(|_| schedule.enabled);
            rows.push([
                schedule.name.to_owned(),
                schedule.cron.clone(),
                scope.org_id.clone().unwrap_or_else(|| "-".to_owned()),
                scope.timezone.to_owned(),
                table::or_dash(last),
                next.map_or_else(|| "off".to_owned(), |next| next.local.clone()),
                table::or_dash(next.map(|next| next.at)),
            ]);
        }
    }
    table::print(["SCHEDULE", "CRON", "ORGANISATION", "ZONE", "LAST (LOCAL)", "NEXT (LOCAL)", "NEXT (UTC)"], &rows);
    Ok(())
}
