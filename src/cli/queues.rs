//! `nightshift queues`

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_queue::Queue;
use serde_json::json;

use super::{open, table};
use crate::config::Settings;
use crate::output::say;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift queues pause sms --reason 'Twilio is down'
  nightshift queues resume sms")]
pub(super) enum Command {
    /// List the queues with their limits.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Start no more jobs of a queue, in any process. Running jobs finish, and new jobs are stored.
    Pause {
        /// The queue.
        queue: String,
        /// The reason, which is shown with the queue.
        #[arg(long, default_value = "paused from the command line")]
        reason: String,
    },
    /// Start jobs of the queue again.
    Resume {
        /// The queue.
        queue: String,
    },
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    match command {
        Command::List { json } => list(&queue, *json).await,
        Command::Pause { queue: name, reason } => {
            known(&queue, name).await?;
            let mut tx = queue.db().begin().await?;
            queue.pause(&mut tx, name, &person(), reason).await?;
            let entry = Entry::new(Event::QueuePaused, "success", &Actor::system("cli"));
            let entry = entry.metadata(json!({"queue": name, "reason": reason}));
            audit::record(&mut tx, entry, queue.clock().now()).await?;
            tx.commit().await?;
            say!("{name} is paused");
            Ok(ExitCode::SUCCESS)
        }
        Command::Resume { queue: name } => {
            known(&queue, name).await?;
            let mut tx = queue.db().begin().await?;
            if queue.resume(&mut tx, name).await? {
                let entry = Entry::new(Event::QueueResumed, "success", &Actor::system("cli"));
                audit::record(&mut tx, entry.metadata(json!({"queue": name})), queue.clock().now()).await?;
                tx.commit().await?;
                say!("{name} is resumed");
            } else {
                say!("{name} was not paused");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Returns the name of the operator, which the pause records.
fn person() -> String {
    std::env::var("USER").map_or_else(|_| "the command line".to_owned(), |user| format!("{user} (command line)"))
}

/// Returns the names of the queues of known job kinds, and of those with settings or jobs.
async fn names(queue: &Queue) -> anyhow::Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> =
        nightshift_jobs::registry().queues().into_iter().map(|name| name.to_owned()).collect();
    names.extend(queue.settings().await?.into_iter().map(|state| state.name));
    names.extend(queue.stats().await?.into_iter().map(|stats| stats.queue));
    Ok(names)
}

async fn known(queue: &Queue, name: &str) -> anyhow::Result<()> {
    let names = names(queue).await?;
    if !names.contains(name) {
        bail!("there is no queue {name}; there are {}", names.into_iter().collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

async fn list(queue: &Queue, as_json: bool) -> anyhow::Result<ExitCode> {
    let settings = queue.settings().await?;
    let states: Vec<_> = names(queue)
        .await?
        .into_iter()
        .map(|name| {
            let state = settings.iter().find(|state| state.name == name);
            (name, state)
        })
        .collect();
    if as_json {
        let queues: Vec<_> = states
            .iter()
            .map(|(name, state)| {
                json!({
                    "queue": name, "paused": state.is_some_and(|state| state.paused),
                    "pausedBy": state.and_then(|state| state.paused_by.as_ref()),
                    "pausedReason": state.and_then(|state| state.paused_reason.as_ref()),
                    "pausedAt": state.and_then(|state| state.paused_at),
                    "concurrency": state.and_then(|state| state.concurrency),
                    "ratePerSecond": state.and_then(|state| state.rate_per_second),
                })
            })
            .collect();
        say!("{}", json!({"queues": queues}));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = states
        .into_iter()
        .map(|(name, state)| {
            let paused = state.filter(|state| state.paused).map(|state| {
                let reason = state.paused_reason.as_deref().unwrap_or_default();
                format!(
                    "by {} since {}: {reason}",
                    table::or_dash(state.paused_by.as_ref()),
                    table::or_dash(state.paused_at)
                )
            });
            let concurrency = table::or_dash(state.and_then(|state| state.concurrency));
            let rate = table::or_dash(state.and_then(|state| state.rate_per_second));
            [name, concurrency, rate, table::or_dash(paused)]
        })
        .collect();
    table::print(["QUEUE", "AT A TIME", "PER SECOND", "PAUSED"], &rows);
    Ok(ExitCode::SUCCESS)
}
