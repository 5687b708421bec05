//! `nightshift webhooks`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use nightshift_db::{Clock, new_id};
use nightshift_providers::{openphone, stripe, twilio, vapi};
use secrecy::SecretString;

use super::gaps;
use crate::config::Settings;
use crate::output::say;

/// The path whose webhooks Twilio signs, unless another one is named.
const TWILIO_PATH: &str = "/api/twilio/inbound";

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift webhooks sign stripe event.json |
    curl -i -H @- -H 'content-type: application/json' --data-binary @event.json http://127.0.0.1:3000/api/webhooks/stripe
  nightshift webhooks sign twilio text.form |
    curl -i -H @- --data-binary @text.form http://127.0.0.1:3000/api/twilio/inbound
  nightshift webhooks gaps --since 2h --take")]
pub(super) enum Command {
    /// Print the headers that sign a file's bytes now, with the secret in the settings.
    Sign {
        /// The provider that signs.
        provider: Signer,
        /// The body, byte for byte as it will be sent; - reads standard input.
        file: PathBuf,
        /// For twilio: the path under PUBLIC_URL to which the form will be sent, with its query. The default is
        /// /api/twilio/inbound.
        #[arg(long, value_parser = path)]
        path: Option<String>,
    },
    /// List texts to our numbers that the providers have and we never received; --take takes them in.
    Gaps(gaps::Args),
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum Signer {
    /// Stripe: STRIPE_WEBHOOK_SECRET, valid for five minutes.
    Stripe,
    /// OpenPhone: OPENPHONE_WEBHOOK_SECRET, valid for five minutes. A current webhook if one of the secrets begins with
    /// whsec_, else a legacy one.
    Openphone,
    /// Twilio: TWILIO_AUTH_TOKEN, for a form. Without a limit of time.
    Twilio,
    /// VAPI: VAPI_WEBHOOK_SECRET, valid for five minutes.
    Vapi,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with /".to_owned()) }
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Sign { provider, file, path } => sign(*provider, file, path.as_deref(), settings),
        Command::Gaps(args) => gaps::run(args, settings).await,
    }
}

fn sign(provider: Signer, file: &Path, path: Option<&str>, settings: &Settings) -> anyhow::Result<ExitCode> {
    if path.is_some() && provider != Signer::Twilio {
        bail!("only Twilio signs the path: --path is for twilio");
    }
    let (body, now) = (read(file)?, Clock::system().now());
    let at = now.unix_seconds();
    let webhooks = &settings.webhooks;
    let headers = match provider {
        Signer::Stripe => {
            let secret = first(&webhooks.stripe_secrets, "STRIPE_WEBHOOK_SECRET")?;
            vec![(stripe::signature::HEADER, stripe::signature::sign(secret, at, &body))]
        }
        Signer::Openphone => {
            let keys = &webhooks.openphone_secrets;
            let Some(key) = keys.iter().find(|key| key.is_current()).or_else(|| keys.first()) else {
                return Err(no_secret("OPENPHONE_WEBHOOK_SECRET"));
            };
            openphone::signature::sign(key, &format!("msg_{}", new_id(now)), at, &body)
        }
        Signer::Twilio => {
            let token = first(&settings.twilio.auth_tokens, "TWILIO_AUTH_TOKEN")?;
            let url = format!("{}{}", settings.public_url(), path.unwrap_or(TWILIO_PATH));
            vec![(twilio::signature::HEADER, twilio::signature::sign_form(token, &url, &body))]
        }
        Signer::Vapi => {
            let secret = first(&webhooks.vapi_secrets, "VAPI_WEBHOOK_SECRET")?;
            let signature = vapi::signature::sign(secret, at, &body);
            vec![(vapi::signature::SIGNATURE_HEADER, signature), (vapi::signature::TIMESTAMP_HEADER, at.to_string())]
        }
    };
    for (name, value) in headers {
        say!("{name}: {value}");
    }
    Ok(ExitCode::SUCCESS)
}

fn first<'a>(secrets: &'a [SecretString], variable: &str) -> anyhow::Result<&'a SecretString> {
    secrets.first().ok_or_else(|| no_secret(variable))
}

fn no_secret(variable: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no secret to sign with; set {variable}")
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("standard input can't be read")?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))
}
