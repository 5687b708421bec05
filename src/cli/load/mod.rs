//! `nightshift load`: drives a server and tells how fast it answers.
//!
//! At a rate, every request has a moment at which it should leave, and its latency counts from that moment: a server
//! that stalls can't hide it by keeping the generator waiting (coordinated omission). Flat out, each connection sends
//! its next request when the last one is answered. The result is one line of JSON.

mod amount;
mod bookings;
mod calls;
mod connection;
mod report;
mod webhooks;

use std::process::ExitCode;

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

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Webhooks(args) => webhooks::run(args, settings).await,
        Command::Calls(args) => calls::run(args).await,
        Command::Bookings(args) => bookings::run(args, settings).await,
    }
}
