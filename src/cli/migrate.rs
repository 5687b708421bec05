//! `nightshift migrate`

use std::process::ExitCode;

use anyhow::Context;
use nightshift_db::{migrate, migration_state};

use super::open;
use crate::config::Settings;
use crate::output::say;

/// Whether to change anything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift migrate             adds what is missing
  nightshift migrate --check     only says what is missing; exit code 1 when something is")]
pub(super) struct Args {
    /// Change nothing; say what is missing.
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let db = open::database(settings).await?;
    let shown = settings.database.shown();
    let before = migration_state(&db).await.with_context(|| format!("the database {shown} can't be reached"))?;
    if before.is_current() {
        say!("{shown} is up to date");
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        say!("{shown} lacks {}", before.missing.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    migrate(&db).await?;
    say!("{shown} got {}", before.missing.join(", "));
    Ok(ExitCode::SUCCESS)
}
