//! `nightshift numbers`

use std::process::ExitCode;

use clap::Subcommand;
use nightshift_domain::actor::Actor;
use nightshift_domain::audience::Audience;
use nightshift_domain::messaging::numbers::{self, NewNumber, NumberClass, SmsCarrier};
use nightshift_domain::viewer::Viewer;
use nightshift_jobs::{Enqueuer, thread};
use serde_json::json;

use super::{open, table};
use crate::config::Settings;
use crate::output::say;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift numbers add +15550199001
  nightshift numbers add +15550199002 --class sitter --sitter sitter-sam
  nightshift numbers list")]
pub(super) enum Command {
    /// Add a number.
    Add {
        /// The number, such as +15550199001.
        number: String,
        /// pool, sitter or front_desk.
        #[arg(long, default_value = "pool", value_parser = class)]
        class: NumberClass,
        /// The sitter, for a number of class sitter.
        #[arg(long)]
        sitter: Option<String>,
        /// The provider that carries its texts: twilio, openphone or mock.
        #[arg(long, default_value = "twilio", value_parser = provider)]
        provider: SmsCarrier,
        /// The organisation; the default one when not given.
        #[arg(long)]
        org: Option<String>,
    },
    /// List the numbers with their open conversations.
    List {
        /// The organisation; all of them when not given.
        #[arg(long)]
        org: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn class(word: &str) -> Result<NumberClass, String> {
    word.parse().map_err(|_| "allowed: pool, sitter, front_desk".to_owned())
}

fn provider(word: &str) -> Result<SmsCarrier, String> {
    word.parse().map_err(|_| "allowed: twilio, openphone, mock".to_owned())
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let db = queue.db();
    match command {
        Command::Add { number, class, sitter, provider, org } => {
            let org = open::organization(db, org.as_deref()).await?;
            let new = NewNumber {
                e164: number.clone(),
                number_class: *class,
                assigned_sitter_id: sitter.as_deref().map(Into::into),
                provider: *provider,
            };
            let mut tx = db.begin().await?;
            // The server may not have run yet.
            numbers::claim_onboarding(&mut tx, &settings.onboarding.number, queue.clock().now()).await?;
            let added =
                thread::add_number(&Enqueuer::of_request(&queue), &mut tx, &org, &new, &Actor::system("cli")).await?;
            tx.commit().await?;
            say!("{} {} is in service", added.id, added.e164.e164());
        }
        Command::List { org, json } => {
            let viewer = match org {
                Some(org) => Viewer::of_org(open::organization(db, Some(org)).await?, Audience::Ops),
                None => Viewer::all(),
            };
            let list = numbers::list(db, &viewer, None, None).await?;
            if *json {
                say!("{}", json!({"numbers": list}));
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<_> = list
                .iter()
                .map(|number| {
                    [
                        number.e164.clone(),
                        number.number_class.to_string(),
                        number.status.to_string(),
                        number.provider.to_string(),
                        number.threads.len().to_string(),
                        table::or_dash(number.assigned_sitter_id.as_ref()),
                    ]
                })
                .collect();
            table::print(["NUMBER", "CLASS", "STATUS", "PROVIDER", "OPEN THREADS", "SITTER"], &rows);
        }
    }
    Ok(ExitCode::SUCCESS)
}
