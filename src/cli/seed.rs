//! `nightshift seed`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use nightshift_domain::seed::Seed;
use nightshift_jobs::{Enqueuer, load_seed};

use super::{open, published};
use crate::config::Settings;
use crate::output::{complain, say};

/// The maximum number of warnings that are printed. A file of old bookings has one for each booking.
const WARNINGS_MAX: usize = 20;

/// Which file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift seed config/demo-seed.json                         a file with every kind of item
  nightshift seed config/demo-seed.json --without-passwords     users can sign in after a password is set
  nightshift users set-password --email owner@happy-paws.example")]
pub(super) struct Args {
    /// The file: organizations, sitters, users, clients, numbers, automations, pricingRules, bookings.
    file: PathBuf,
    /// Leave out the passwords; set them with `nightshift users set-password`.
    #[arg(long)]
    without_passwords: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{shown} can't be read"))?;
    let mut seed = Seed::parse(&text).with_context(|| format!("{shown} is not a seed file"))?;
    if args.without_passwords {
        seed = seed.without_passwords();
    }
    published::refuse_seed(settings, &shown.to_string(), &seed)?;
    let queue = open::queue(settings).await?;
    let mut tx = queue.db().begin().await?;
    let seeded = load_seed(&Enqueuer::of_request(&queue), &mut tx, &seed)
        .await
        .with_context(|| format!("nothing was loaded from {shown}"))?;
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
    for warning in seeded.warnings.iter().take(WARNINGS_MAX) {
        complain!("warning: {warning}");
    }
    if seeded.warnings.len() > WARNINGS_MAX {
        complain!("warning: ... and {} more of this kind", seeded.warnings.len() - WARNINGS_MAX);
    }
    Ok(ExitCode::SUCCESS)
}
