//! `nightshift load`: drives a server and tells how fast it answers, as one line of JSON.

use std::convert::Infallible;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use nightshift_lab::bulk::Fill;
use nightshift_lab::load::{self, bookings, calls, texts, webhooks};
use secrecy::SecretString;
use serde_json::Value;

use super::console::Terminal;
use super::open;
use crate::config::Settings;
use crate::output::say;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift load webhooks --url http://127.0.0.1:3000 --connections 64 --seconds 10
  nightshift load webhooks --url http://127.0.0.1:3000 --rate 2000 --duplicates 20
  nightshift load bookings --count 1000000 --drifting-every 100
  nightshift load calls --url http://127.0.0.1:3000 --rate 200 --seconds 10 --token jk_...
  nightshift load texts --url http://127.0.0.1:3000 --count 20000 --senders 1000
The server needs limits that fit: NIGHTSHIFT__HTTP__WEBHOOK_RATE_LIMIT_PER_MINUTE and NIGHTSHIFT__HTTP__RATE_LIMIT_PER_MINUTE.")]
pub(super) enum Command {
    /// Deliver signed, distinct Stripe events.
    Webhooks(Webhooks),
    /// Create service requests, then schedule a call for each.
    Calls(Calls),
    /// Deliver signed texts of many people, and wait until each has found its conversation.
    Texts(Texts),
    /// Fill the database with priced bookings, to measure the nightly price check with.
    Bookings(Bookings),
}

/// How much, from how many connections.
#[derive(Debug, clap::Args)]
pub(super) struct Load {
    /// The server, such as http://127.0.0.1:3000.
    #[arg(long)]
    url: String,
    /// Connections that are kept open.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Duration in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Requests per second; as fast as the server answers when not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
}

impl From<Load> for load::Load {
    fn from(Load { url, connections, seconds, rate }: Load) -> Self {
        Self { url, connections, seconds, rate }
    }
}

/// How much of what.
#[derive(Debug, clap::Args)]
pub(super) struct Webhooks {
    #[command(flatten)]
    load: Load,
    /// Percentage of deliveries that repeat an earlier event.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    duplicates: u64,
    /// Events name bookings `{prefix}0`, `{prefix}1`, ... instead of none, so that each confirms one.
    #[arg(long)]
    bookings: Option<String>,
}

/// How much, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Calls {
    #[command(flatten)]
    load: Load,
    /// An API key with the scope requests:write; not needed with ENABLE_AUTH=false.
    #[arg(long, value_parser = |key: &str| Ok::<_, Infallible>(SecretString::from(key)))]
    token: Option<SecretString>,
}

/// How many, of whom, to whom.
#[derive(Debug, clap::Args)]
pub(super) struct Texts {
    /// The server, such as http://127.0.0.1:3000. It uses the database in the settings of this command.
    #[arg(long)]
    url: String,
    /// Connections that are kept open.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Number of texts.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// Texts per second; as fast as the server answers when not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Number of people who text.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=9_000_000))]
    senders: u64,
    /// A number of ours that they text to; may be given several times. All that are in service when not given.
    #[arg(long, value_name = "NUMBER")]
    to: Vec<String>,
    /// The organisation whose numbers they are; the default one when not given.
    #[arg(long)]
    org: Option<String>,
}

/// How many, and how many of them with a wrong total.
#[derive(Debug, clap::Args)]
pub(super) struct Bookings {
    /// Number of bookings.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    count: i64,
    /// Each n-th has a total that differs from its price; 0 for none.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    drifting_every: i64,
    /// The organisation that owns them; the default one when not given.
    #[arg(long)]
    org: Option<String>,
    /// Write nothing; only measure one statement that reads all bookings.
    #[arg(long)]
    floor: bool,
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = match command {
        Command::Webhooks(args) => deliver(args, settings).await?,
        Command::Calls(Calls { load, token }) => calls::run(&load.into(), token.as_ref()).await?,
        Command::Texts(args) => text(args, settings).await?,
        Command::Bookings(args) => fill(args, settings).await?,
    };
    say!("{report}");
    let whole = ["lost", "duplicated"].iter().all(|fault| report[fault].as_u64().unwrap_or_default() == 0);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn text(args: Texts, settings: &Settings) -> anyhow::Result<Value> {
    let Texts { url, connections, count, rate, senders, to, org } = args;
    let Some(auth_token) = settings.twilio.auth_tokens.first().cloned() else {
        bail!("there is no token to sign with; set TWILIO_AUTH_TOKEN to the server's");
    };
    let queue = open::queue(settings).await?;
    let numbers = if to.is_empty() {
        let org = open::organization(queue.db(), org.as_deref()).await?;
        texts::numbers_of(queue.db(), &org).await?
    } else {
        to
    };
    // Twilio signs the public address, which is the server's own if there is no other.
    let public_url = settings.http.public_url.clone().unwrap_or_else(|| url.trim_end_matches('/').to_owned());
    let texts = texts::Texts { url, public_url, auth_token, connections, rate, count, senders, numbers };
    texts::run(texts, queue.db()).await
}

async fn deliver(args: Webhooks, settings: &Settings) -> anyhow::Result<Value> {
    let Some(secret) = settings.webhooks.stripe_secrets.first().cloned() else {
        bail!("there is no secret to sign with; set STRIPE_WEBHOOK_SECRET to the server's");
    };
    webhooks::run(args.load.into(), secret, args.duplicates, args.bookings).await
}

async fn fill(args: Bookings, settings: &Settings) -> anyhow::Result<Value> {
    let queue = open::queue(settings).await?;
    let org = open::organization(queue.db(), args.org.as_deref()).await?;
    if args.floor {
        return bookings::time_floor(queue.db(), &org).await;
    }
    let fill = Fill { org, drifting_every: args.drifting_every, now: queue.clock().now() };
    bookings::fill(queue.db(), &fill, args.count, &Terminal::default()).await
}
