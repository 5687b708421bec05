//! `nightshift api-keys`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Subcommand;
use nightshift_domain::access::api_keys::{self, Scope};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{open, table};
use crate::config::Settings;
use crate::output::{complain, say};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift api-keys create --name website --scope bookings:write --scope bookings:read
  nightshift api-keys create --name pager --ops --scope jobs:admin
  nightshift api-keys revoke 1a2b3c4d")]
pub(super) enum Command {
    /// Create a key. It is shown only once.
    Create {
        /// A name for the key.
        #[arg(long)]
        name: String,
        /// What the key may be used for. Can be repeated.
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
        /// The organisation; the default one when not given.
        #[arg(long)]
        org: Option<String>,
        /// A key for ops, which belongs to no organisation.
        #[arg(long, conflicts_with = "org")]
        ops: bool,
    },
    /// List the keys, without their secrets.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key.
    Revoke {
        /// Its id, or the eight characters after jk_.
        key: String,
    },
}

fn scope(word: &str) -> Result<Scope, String> {
    let known = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    word.parse().map_err(|_| format!("allowed: {known}"))
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let (db, now) = (queue.db(), queue.clock().now());
    match command {
        Command::Create { name, scopes, org, ops } => {
            let org = if *ops { None } else { Some(open::organization(db, org.as_deref()).await?) };
            let scopes: BTreeSet<Scope> = scopes.iter().copied().collect();
            let mut tx = db.begin().await?;
            let issued = api_keys::create(&mut tx, org.as_ref(), name, &scopes, now).await?;
            let mut entry = Entry::new(Event::ApiKeyCreated, "success", &Actor::system("cli"))
                .metadata(json!({"apiKeyId": issued.id, "name": name, "scopes": scopes}));
            if let Some(org) = &org {
                entry = entry.org(org);
            }
            audit::record(&mut tx, entry, now).await?;
            tx.commit().await?;
            complain!("the key, which is not shown again:");
            say!("{}", issued.text.expose_secret());
        }
        Command::List { json } => {
            let keys = api_keys::list(db).await?;
            if *json {
                say!("{}", json!({"apiKeys": keys}));
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<_> = keys
                .iter()
                .map(|key| {
                    let scopes: Vec<_> = key.scopes.0.iter().map(|scope| scope.as_str()).collect();
                    let org = key.org_id.as_ref().map_or_else(|| "ops".to_owned(), ToString::to_string);
                    let state = if key.revoked_at.is_some() { "revoked" } else { "good" };
                    [
                        key.key_id.clone(),
                        key.name.clone(),
                        org,
                        state.to_owned(),
                        table::or_dash(key.last_used_at),
                        scopes.join(" "),
                    ]
                })
                .collect();
            table::print(["KEY", "NAME", "ORGANISATION", "STATE", "LAST USED", "SCOPES"], &rows);
        }
        Command::Revoke { key } => {
            let mut tx = db.begin().await?;
            let id = match api_keys::revoke(&mut tx, key, now).await {
                Err(nightshift_domain::Error::NotFound) => anyhow::bail!("there is no key {key}"),
                revoked => revoked?,
            };
            let entry = Entry::new(Event::ApiKeyRevoked, "success", &Actor::system("cli"));
            audit::record(&mut tx, entry.metadata(json!({"apiKeyId": id})), now).await?;
            tx.commit().await?;
            say!("{key} is revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}
