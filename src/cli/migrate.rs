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
  nightshift migrate             applies the missing migrations
  nightshift migrate --check     only lists the missing migrations; exit code 1 when there are any")]
pub(super) struct Args {
    /// Only list the missing migrations.
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let db = open::database(settings).await?;
    let shown = settings.database.shown();
    let before = migration_state(&db).await.with_context(|| format!("the database {shown} can't be reached"))?;
    before.check()?;
    if before.is_current() {
        if before.newer.is_empty() {
            say!("{shown} is up to date");
        } else {
            say!("{shown} is up to date, and has migrations of a newer version: {}", before.newer.join(", "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        say!("{shown}: missing {}", before.missing.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    migrate(&db).await?;
    say!("{shown}: applied {}", before.missing.join(", "));
    Ok(ExitCode::SUCCESS)
}
