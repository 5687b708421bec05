//! `nightshift seed`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use nightshift_domain::seed::{self, Seed};

use super::open;
use crate::config::Settings;
use crate::output::say;

/// Which file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nightshift seed config/demo-seed.json     a file with every kind of item")]
pub(super) struct Args {
    /// The file: organizations, sitters, users, clients, numbers, automations, pricingRules, bookings.
    file: PathBuf,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{shown} can't be read"))?;
    let seed = Seed::parse(&text).with_context(|| format!("{shown} is no seed"))?;
    let queue = open::queue(settings).await?;
    let mut tx = queue.db().begin().await?;
    let seeded = seed::load(&mut tx, &seed, queue.clock().now())
        .await
        .with_context(|| format!("nothing of {shown} was loaded"))?;
    tx.commit().await?;
    say!(
        "new: {} organisations, {} sitters, {} users, {} clients, {} numbers, {} automations, {} pricing rules, {} bookings",
        seeded.organizations,
        seeded.sitters,
        seeded.users,
        seeded.clients,
        seeded.numbers,
        seeded.automations,
        seeded.pricing_rules,
        seeded.bookings
    );
    Ok(ExitCode::SUCCESS)
}
