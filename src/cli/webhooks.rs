//! `nightshift webhooks`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use nightshift_db::Clock;
use nightshift_providers::{stripe, vapi};

use crate::config::Settings;
use crate::output::say;

#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  nightshift webhooks sign stripe event.json |
    curl -i -H @- -H 'content-type: application/json' --data-binary @event.json http://127.0.0.1:3000/api/webhooks/stripe")]
pub(super) enum Command {
    /// Print the headers that sign a file's bytes now, with the secret in the settings.
    Sign {
        /// The provider that signs.
        provider: Signer,
        /// The body, byte for byte as it will be sent; - reads standard input.
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Signer {
    /// Stripe: STRIPE_WEBHOOK_SECRET, valid for five minutes.
    Stripe,
    /// VAPI: VAPI_WEBHOOK_SECRET, valid for five minutes.
    Vapi,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let Command::Sign { provider, file } = command;
    let (body, now) = (read(file)?, Clock::system().now().unix_seconds());
    let (secrets, variable) = match provider {
        Signer::Stripe => (&settings.webhooks.stripe_secrets, "STRIPE_WEBHOOK_SECRET"),
        Signer::Vapi => (&settings.webhooks.vapi_secrets, "VAPI_WEBHOOK_SECRET"),
    };
    let Some(secret) = secrets.first() else { bail!("there is no secret to sign with; set {variable}") };
    match provider {
        Signer::Stripe => say!("{}: {}", stripe::signature::HEADER, stripe::signature::sign(secret, now, &body)),
        Signer::Vapi => {
            say!("{}: {}", vapi::signature::SIGNATURE_HEADER, vapi::signature::sign(secret, now, &body));
            say!("{}: {now}", vapi::signature::TIMESTAMP_HEADER);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("standard input can't be read")?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))
}
