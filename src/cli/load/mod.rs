//! `nightshift load`: drives a server and tells how fast it answers.
//!
//! At a rate, every request has a moment at which it should leave, and its latency counts from that moment: a server
//! that stalls can't hide it by keeping the generator waiting (coordinated omission). Flat out, each connection sends
//! its next request when the last one is answered. The result is one line of JSON.

mod bookings;
mod calls;
mod connection;
mod report;
mod webhooks;

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use crate::config::Settings;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift load webhooks --url http://127.0.0.1:3000 --connections 64 --seconds 10
  nightshift load webhooks --url http://127.0.0.1:3000 --rate 2000 --duplicates 20
  nightshift load bookings --count 1000000 --drifting-every 100
  nightshift load calls --url http://127.0.0.1:3000 --rate 200 --seconds 10 --token jk_...
The server needs limits that fit: NIGHTSHIFT__HTTP__WEBHOOK_RATE_LIMIT_PER_MINUTE and NIGHTSHIFT__HTTP__RATE_LIMIT_PER_MINUTE.")]
pub(super) enum Command {
    /// Deliver signed, distinct Stripe events.
    Webhooks(webhooks::Args),
    /// Make requests for appointments, then want a call for each.
    Calls(calls::Args),
    /// Fill the database with priced bookings, to measure the nightly price check with.
    Bookings(bookings::Args),
}

/// How much, from how many connections.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Load {
    /// The server, such as http://127.0.0.1:3000.
    #[arg(long)]
    url: String,
    /// Connections that are kept open.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// For so long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Requests per second; as fast as the server answers when not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
}

impl Load {
    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// When the `number`-th request should leave after the start, at a rate.
    fn moment(&self, number: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(f64_of(number) / f64::from(rate)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn f64_of(count: u64) -> f64 {
    count as f64
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Webhooks(args) => webhooks::run(args, settings).await,
        Command::Calls(args) => calls::run(args).await,
        Command::Bookings(args) => bookings::run(args, settings).await,
    }
}
