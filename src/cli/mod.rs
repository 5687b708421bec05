//! The command line: one file per group of commands.
//!
//! Exit codes: 0 for success, 1 for failure (standard error says what failed and what to do), 2 for wrong usage.
//! Results go to standard output, log lines to standard error. A closed pipe ends a command without an error. No
//! command shows a secret twice or a client's phone number.

mod api_keys;
mod console;
mod demo;
mod doctor;
mod gaps;
mod jobs;
mod load;
mod migrate;
mod numbers;
mod open;
mod progress;
mod prove;
mod published;
mod queues;
mod reconcile;
mod request_link;
mod schedules;
mod seed;
mod serve;
mod signals;
mod simulate;
mod since;
mod table;
mod users;
mod webhooks;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{Log, Settings, Sources};
use crate::output::{complain, say};
use crate::{output, telemetry};

/// The job-queue worker system for businesses that take bookings by web, phone and SMS.
///
/// Settings come from config/*.toml and the environment; config/default.toml lists them all.
#[derive(Debug, Parser)]
#[command(name = "nightshift", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Examples:
  nightshift demo                         play a day with simulated providers
  nightshift serve                        run everything in one process
  nightshift serve --role worker          run only jobs; start as many such processes as you like
  nightshift jobs list --state dead       jobs that failed for good
  nightshift jobs retry 0193e4b0-...      run one of them again
  nightshift doctor                       what is wrong with this installation, and what to do")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run roles of the program in this process, until SIGTERM or SIGINT.
    Serve(serve::Args),
    /// Play a paid booking, a price that drifts and a booking call on a fresh database with simulated providers.
    Demo(demo::Args),
    /// Apply the missing migrations, or list them.
    Migrate(migrate::Args),
    /// Load a business from a JSON file, all or nothing; running it twice changes nothing.
    Seed(seed::Args),
    /// List, show, retry and cancel jobs.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// List, pause and resume queues.
    #[command(subcommand)]
    Queues(queues::Command),
    /// List schedules, run them now, switch them on and off.
    #[command(subcommand)]
    Schedules(schedules::Command),
    /// Run the nightly price check now. It changes no booking; differences become exceptions.
    Reconcile(reconcile::Args),
    /// Create, list and revoke API keys.
    #[command(subcommand)]
    ApiKeys(api_keys::Command),
    /// Create users and set passwords.
    #[command(subcommand)]
    Users(users::Command),
    /// Add and list the numbers that texts are sent from.
    #[command(subcommand)]
    Numbers(numbers::Command),
    /// Print the link that opens a request's page.
    RequestLink(request_link::Args),
    /// Print the OpenAPI 3.1 description of the HTTP API.
    Openapi,
    /// Sign webhooks for test deliveries, and take in texts whose webhooks never came.
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// The same as `webhooks gaps`.
    RecoverInbound(gaps::Args),
    /// Run the simulated providers alone, with faults on demand.
    Simulate(simulate::Args),
    /// Drive a server and measure how fast it answers.
    #[command(subcommand)]
    Load(load::Command),
    /// Kill the program again and again under load on an empty database, and check that nothing was lost or done twice.
    Prove(prove::Args),
    /// Check settings, database, migrations, clock and providers.
    Doctor(doctor::Args),
}

/// Runs the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    // Exits with 2 and a message after wrong usage, and with 0 after --help.
    let cli = Cli::parse();
    let code = match run(cli.command) {
        Ok(code) => output::ending(code),
        Err(error) => {
            complain!("nightshift: {error:#}");
            ExitCode::FAILURE
        }
    };
    telemetry::end_logging();
    code
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Openapi = command {
        say!("{}", serde_json::to_string_pretty(crate::web::document())?);
        return Ok(ExitCode::SUCCESS);
    }
    nightshift_providers::tls::install();
    let settings = Settings::load(&Sources::of_process());
    if let Command::Doctor(args) = command {
        return block_on(doctor::run(&args, settings));
    }
    let mut settings = settings?;
    if !matches!(command, Command::Serve(_) | Command::Simulate(_)) {
        settings.log = quiet(settings.log);
    }
    telemetry::start_logging(&settings.log).context("log lines can't be written")?;
    block_on(async {
        match command {
            Command::Serve(args) => serve::run(&args, settings).await,
            Command::Demo(args) => demo::run(args, settings).await,
            Command::Migrate(args) => migrate::run(&args, &settings).await,
            Command::Seed(args) => seed::run(&args, &settings).await,
            Command::Jobs(command) => jobs::run(&command, &settings).await,
            Command::Queues(command) => queues::run(&command, &settings).await,
            Command::Schedules(command) => schedules::run(&command, &settings).await,
            Command::Reconcile(args) => reconcile::run(&args, &settings).await,
            Command::ApiKeys(command) => api_keys::run(&command, &settings).await,
            Command::Users(command) => users::run(&command, &settings).await,
            Command::Numbers(command) => numbers::run(&command, &settings).await,
            Command::RequestLink(args) => request_link::run(&args, &settings).await,
            Command::Webhooks(command) => webhooks::run(&command, &settings).await,
            Command::RecoverInbound(args) => gaps::run(&args, &settings).await,
            Command::Simulate(args) => simulate::run(&args).await,
            Command::Load(command) => load::run(command, &settings).await,
            Command::Prove(args) => prove::run(args).await,
            Command::Doctor(_) | Command::Openapi => unreachable!("answered above"),
        }
    })
}

/// Reduces logging to errors for commands that print results, unless the log filter is set.
fn quiet(log: Log) -> Log {
    if log.filter == "info" { Log { filter: "error".to_owned(), ..log } } else { log }
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime can't be started")?;
    runtime.block_on(command)
}
