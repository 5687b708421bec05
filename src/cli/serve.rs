//! `nightshift serve`

use std::process::ExitCode;

use nightshift_db::Clock;

use super::signals::Signals;
use crate::app::{self, Role};
use crate::config::Settings;
use crate::output::say;
use crate::telemetry;

/// Which roles.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift serve                              all roles
  nightshift serve --role web --role worker     two of them
  PORT=0 nightshift serve --role web            on a free port, which is printed
  DATABASE_URL=postgres://user:password@host/name nightshift serve")]
pub(super) struct Args {
    /// A role to run; may be given several times.
    #[arg(long = "role", value_name = "ROLE", default_value = "all")]
    roles: Vec<Roles>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Roles {
    All,
    Web,
    Worker,
    Scheduler,
}

impl Roles {
    fn list(self) -> &'static [Role] {
        match self {
            Self::All => Role::ALL,
            Self::Web => &[Role::Web],
            Self::Worker => &[Role::Worker],
            Self::Scheduler => &[Role::Scheduler],
        }
    }
}

pub(super) async fn run(args: &Args, settings: Settings) -> anyhow::Result<ExitCode> {
    // This comes before the start, so that an early signal does not kill a process that is starting.
    let mut signals = Signals::listen()?;
    let roles: Vec<Role> = args.roles.iter().flat_map(|roles| roles.list()).copied().collect();
    let (grace, database) = (settings.worker.shutdown_grace, settings.database.shown());
    let mut app = app::start(settings, Clock::system(), &roles).await?;
    let names: Vec<_> = Role::ALL.iter().filter(|role| roles.contains(role)).map(|role| role.as_str()).collect();
    let address = if app.addr.is_some() { format!(" on {}", app.url()) } else { String::new() };
    say!("nightshift serves {}{address} with {database}", names.join(", "));

    let ended = tokio::select! {
        () = signals.next() => Ok(ExitCode::SUCCESS),
        error = app.unfit() => {
            tracing::error!(%error, "this version does not work on the database");
            Err(error.into())
        }
    };
    tracing::info!("shutting down: running jobs may finish; a second signal stops at once");
    tokio::select! {
        () = app.stop(grace) => ended,
        () = signals.next() => {
            tracing::warn!("stopped at once; interrupted jobs run again after their leases expire");
            telemetry::end_logging();
            // Does not wait for anything, because the second signal asks for an immediate exit.
            std::process::exit(1);
        }
    }
}
