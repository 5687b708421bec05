//! `nightshift load bookings`: fills a database, to measure the nightly price check with.

use std::process::ExitCode;
use std::time::Instant;

use nightshift_domain::bulk::{self, Fill};
use serde_json::json;

use crate::cli::open;
use crate::config::Settings;
use crate::output::say;

/// Bookings of one transaction.
const BATCH: i64 = 10_000;

/// How many, and how many of them with a wrong total.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Bookings.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    count: i64,
    /// Each n-th has a total that differs from its price; 0 for none.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    drifting_every: i64,
    /// Whose they are; the default organisation's when not given.
    #[arg(long)]
    org: Option<String>,
    /// Write nothing, and only time one statement that reads all of them.
    #[arg(long)]
    floor: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let db = queue.db();
    let org = open::organization(db, args.org.as_deref()).await?;
    let started = Instant::now();
    if args.floor {
        let (rows, _) = bulk::read_all(db, &org).await?;
        say!("{}", json!({"rows": rows, "seconds": seconds(started)}));
        return Ok(ExitCode::SUCCESS);
    }
    let fill = Fill { org, drifting_every: args.drifting_every, now: queue.clock().now() };
    let mut tx = db.begin().await?;
    bulk::prepare(&mut tx, &fill).await?;
    tx.commit().await?;
    let bar = super::super::progress::bar(args.count.unsigned_abs());
    let mut from = 0;
    while from < args.count {
        let until = (from + BATCH).min(args.count);
        bulk::write(db, &fill, from, until).await?;
        bar.set_position(until.unsigned_abs());
        from = until;
    }
    bar.finish_and_clear();
    bulk::analyze(db).await?;
    say!("{}", json!({"bookings": args.count, "seconds": seconds(started)}));
    Ok(ExitCode::SUCCESS)
}

fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}
