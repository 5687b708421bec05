//! `nightshift prove`

use std::convert::Infallible;
use std::process::ExitCode;

use anyhow::Context;
use nightshift_lab::prove::{self, Plan};
use secrecy::SecretString;

use super::console::Terminal;

/// How often, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift prove --kills 50
  nightshift prove --kills 500 --database-url postgres://user:password@host/scratch
  nightshift prove --kills 50 --split               web, worker and scheduler as processes of their own
The database must be empty. The last line says what was acknowledged, lost, done twice, and what has an unknown outcome.")]
pub(super) struct Args {
    /// How often to kill the program.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    kills: u32,
    /// An empty database; a fresh SQLite file when not given.
    #[arg(long, value_name = "URL", value_parser = |url: &str| Ok::<_, Infallible>(SecretString::from(url)))]
    database_url: Option<SecretString>,
    /// Runs each role as a process of its own, and kills one of them at a time.
    #[arg(long)]
    split: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { kills, database_url, split } = args;
    let executable = std::env::current_exe().context("the path of this program can't be found")?;
    let holds = prove::run(&Plan { executable, kills, database_url, split }, &Terminal::default()).await?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
