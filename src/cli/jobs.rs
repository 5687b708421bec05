//! `nightshift jobs`: inspects, retries and cancels jobs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use nightshift_db::Timestamp;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_queue::Queue;
use nightshift_queue::admin::{Filter, JobDetail, JobRow, Steered};
use nightshift_queue::lifecycle::State;
use serde_json::{Value, json};

use super::{open, since, table};
use crate::config::Settings;
use crate::output::{complain, say};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift jobs list --state dead --since 2h
  nightshift jobs show 0193e4b0-0000-7000-8000-000000000001
  nightshift jobs retry-all --kind sms.send --error 'HTTP 503' --spread-seconds 300")]
pub(super) enum Command {
    /// List jobs, newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// Largest number of jobs.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// One JSON object with all fields.
        #[arg(long)]
        json: bool,
    },
    /// Show a job: state, attempts, steps, children, and the reason for its state.
    Show {
        /// The job's id.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run dead, cancelled or waiting jobs again, with all their attempts.
    Retry {
        /// The jobs' ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Cancel jobs. A running job stops at its next checkpoint.
    Cancel {
        /// The jobs' ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Retry all jobs that match. Without --state, dead jobs.
    RetryAll {
        #[command(flatten)]
        which: Which,
        /// Largest number of jobs.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        max: i64,
        /// Spread the starts over this many seconds, to spare a provider that has just recovered.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=86_400))]
        spread_seconds: u64,
    },
    /// Count jobs by queue.
    Stats {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Filters for jobs.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// By kind, such as sms.send.
    #[arg(long)]
    kind: Option<String>,
    /// By queue, such as webhooks.
    #[arg(long)]
    queue: Option<String>,
    /// By state: queued, running, retrying, succeeded, dead or cancelled.
    #[arg(long, value_parser = state)]
    state: Option<State>,
    /// Created since: 30m, 2h, 3d, a date or a time such as 2024-12-31T02:00:00Z.
    #[arg(long, value_parser = since::parse)]
    since: Option<Timestamp>,
    /// By text in the last error.
    #[arg(long)]
    error: Option<String>,
}

fn state(word: &str) -> Result<State, String> {
    State::try_from(word.to_owned())
        .map_err(|_| "allowed: queued, running, retrying, succeeded, dead, cancelled".to_owned())
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            kind: self.kind.clone(),
            queue: self.queue.clone(),
            state: self.state,
            since: self.since,
            error: self.error.clone(),
            ..Filter::default()
        }
    }
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    match command {
        Command::List { which, limit, json } => list(&queue, &which.filter(), *limit, *json).await,
        Command::Show { id, json } => show(&queue, id, *json).await,
        Command::Retry { ids } => steer(&queue, ids, Verb::Retry).await,
        Command::Cancel { ids } => steer(&queue, ids, Verb::Cancel).await,
        Command::RetryAll { which, max, spread_seconds } => {
            retry_all(&queue, which, *max, Duration::from_secs(*spread_seconds)).await
        }
        Command::Stats { json } => stats(&queue, *json).await,
    }
}

async fn list(queue: &Queue, filter: &Filter, limit: i64, as_json: bool) -> anyhow::Result<ExitCode> {
    let page = queue.list(filter, None, limit).await?;
    if as_json {
        say!("{}", json!({"jobs": page.jobs, "more": page.next.is_some()}));
        return Ok(ExitCode::SUCCESS);
    }
    let row = |job: &JobRow| {
        let attempts = format!("{}/{}", job.attempts, job.max_attempts);
        let error = job.last_error.as_deref().map(|error| error.chars().take(80).collect::<String>());
        [
            job.id.clone(),
            job.kind.clone(),
            job.state.to_string(),
            attempts,
            job.run_at.to_string(),
            table::or_dash(error),
        ]
    };
    let rows: Vec<_> = page.jobs.iter().map(row).collect();
    table::print(["ID", "KIND", "STATE", "ATTEMPTS", "RUN AT", "LAST ERROR"], &rows);
    if page.next.is_some() {
        complain!("there are more; narrow the list or raise --limit");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(queue: &Queue, id: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(job) = queue.detail(id).await? else { bail!("there is no job {id}") };
    if as_json {
        say!("{}", serde_json::to_string(&job)?);
        return Ok(ExitCode::SUCCESS);
    }
    print_job(&job);
    Ok(ExitCode::SUCCESS)
}

fn print_job(detail: &JobDetail) {
    let job = &detail.job;
    say!("{} {} ({}): {}", job.kind, job.id, job.state, detail.explanation);
    let facts = [
        ("queue", Some(job.queue.clone())),
        (
            "attempts",
            Some(format!("{} of {}, {} leases lost, {} polls", job.attempts, job.max_attempts, job.crashes, job.polls)),
        ),
        ("created", Some(job.created_at.to_string())),
        ("run at", Some(job.run_at.to_string())),
        ("finished", job.finished_at.map(|at| at.to_string())),
        ("group", job.group_key.clone()),
        ("dedup key", job.dedup_key.clone()),
        ("once key", job.once_key.clone()),
        ("belongs to", job.correlation_id.clone()),
        ("caused by", job.parent_job_id.clone()),
        ("payload", Some(detail.payload.to_string())),
        ("result", detail.result.as_ref().map(Value::to_string)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            say!("  {name:10}  {fact}");
        }
    }
    for step in &detail.steps {
        say!("  step        {} {} at {}", step.step, step.status, step.finished_at);
    }
    for attempt in &detail.attempt_history {
        let error = attempt.error.as_deref().unwrap_or("-");
        say!("  attempt {:<3} {} at {}: {error}", attempt.attempt, attempt.outcome, attempt.ended_at);
    }
    for child in &detail.children {
        say!("  child       {child}");
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Retry,
    Cancel,
}

async fn steer(queue: &Queue, ids: &[String], verb: Verb) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let registry = nightshift_jobs::registry();
    for id in ids {
        let mut tx = queue.db().begin().await?;
        let (steered, event) = match verb {
            Verb::Retry => (registry.retry(queue, &mut tx, id, None).await, Event::JobRetried),
            Verb::Cancel => (registry.cancel(queue, &mut tx, id).await, Event::JobCancelled),
        };
        match steered {
            Ok(steered) => {
                let entry = Entry::new(event, "success", &Actor::system("cli")).job(id);
                audit::record(&mut tx, entry, queue.clock().now()).await?;
                tx.commit().await?;
                say!("{id}: {}", sentence(verb, steered));
            }
            Err(error) => {
                complain!("nightshift: {id}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn sentence(verb: Verb, steered: Steered) -> &'static str {
    match (verb, steered) {
        (Verb::Retry, _) => "retried",
        (Verb::Cancel, Steered::Done) => "cancelled",
        (Verb::Cancel, Steered::Requested) => "is running; it stops at its next checkpoint",
    }
}

async fn retry_all(queue: &Queue, which: &Which, max: i64, spread: Duration) -> anyhow::Result<ExitCode> {
    let filter = Filter { state: Some(which.state.unwrap_or(State::Dead)), ..which.filter() };
    let outcome = nightshift_jobs::registry().retry_all(queue, &filter, max, spread).await?;
    let mut tx = queue.db().begin().await?;
    let entry = Entry::new(Event::JobRetried, "success", &Actor::system("cli")).metadata(json!({
        "changed": outcome.changed, "skipped": outcome.skipped, "kind": filter.kind, "queue": filter.queue,
        "state": filter.state, "spreadSeconds": spread.as_secs(),
    }));
    audit::record(&mut tx, entry, queue.clock().now()).await?;
    tx.commit().await?;
    say!("{} retried, {} can't be retried", outcome.changed, outcome.skipped);
    for (id, why) in &outcome.reasons {
        complain!("nightshift: {id}: {why}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn stats(queue: &Queue, as_json: bool) -> anyhow::Result<ExitCode> {
    let stats = queue.stats().await?;
    if as_json {
        say!("{}", json!({"queues": stats}));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = stats
        .iter()
        .map(|queue| {
            let counts = [queue.ready, queue.waiting, queue.retrying, queue.running, queue.dead, queue.parked];
            let [ready, waiting, retrying, running, dead, parked] = counts.map(|count| count.to_string());
            let oldest = table::or_dash(queue.oldest_ready_seconds.map(|seconds| format!("{seconds} s")));
            [
                queue.queue.clone(),
                ready,
                waiting,
                retrying,
                running,
                dead,
                parked,
                oldest,
                queue.succeeded_last_hour.to_string(),
            ]
        })
        .collect();
    table::print(
        ["QUEUE", "READY", "WAITING", "RETRYING", "RUNNING", "DEAD", "PARKED", "OLDEST", "DONE IN 1 H"],
        &rows,
    );
    Ok(ExitCode::SUCCESS)
}
