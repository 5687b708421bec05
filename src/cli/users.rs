//! `nightshift users`

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use nightshift_domain::access::passwords;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::people::users::{self, NewUser, Role};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{open, published};
use crate::config::Settings;
use crate::output::{complain, say};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  nightshift users create --email ann@example.com --name Ann --role owner
  nightshift users set-password --email ann@example.com < password.txt
The password is read from standard input; when that is a terminal or empty, one is made up and shown this once.")]
pub(super) enum Command {
    /// Make a user.
    Create {
        /// The address they sign in with.
        #[arg(long)]
        email: String,
        /// The name to show.
        #[arg(long)]
        name: String,
        /// owner, sitter or ops.
        #[arg(long, value_parser = role)]
        role: Role,
        /// The organisation; the default one when not given. Not for ops.
        #[arg(long)]
        org: Option<String>,
        /// The sitter they are; for sitters.
        #[arg(long)]
        sitter: Option<String>,
    },
    /// Set a user's password and end their sessions.
    SetPassword {
        /// The address they sign in with.
        #[arg(long)]
        email: String,
    },
}

fn role(word: &str) -> Result<Role, String> {
    word.parse().map_err(|_| "allowed: owner, sitter, ops".to_owned())
}

pub(super) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    let (db, now) = (queue.db(), queue.clock().now());
    let (password, made_up) = password()?;
    let (Command::Create { email, .. } | Command::SetPassword { email }) = command;
    published::refuse(settings, email, &password)?;
    let hashed = passwords::hash(passwords::request_operator_slot(), &password).await?;
    let mut tx = db.begin().await?;
    let (event, user) = match command {
        Command::Create { email, name, role, org, sitter } => {
            let org_id = match role {
                Role::Ops if org.is_none() => None,
                _ => Some(open::organization(db, org.as_deref()).await?),
            };
            let new = NewUser {
                email: email.clone(),
                name: name.clone(),
                role: *role,
                org_id,
                sitter_id: sitter.as_deref().map(Into::into),
                password: Some(hashed),
            };
            (Event::UserCreated, users::create(&mut tx, new, now).await?.id)
        }
        Command::SetPassword { email } => match users::set_password(&mut tx, email, &hashed, now).await {
            Err(nightshift_domain::Error::NotFound) => bail!("no user has the address {email}"),
            set => (Event::UserPasswordSet, set?),
        },
    };
    let entry = Entry::new(event, "success", &Actor::system("cli")).metadata(json!({"userId": user}));
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;
    complain!("done: user {user}");
    if made_up {
        complain!("the password is shown this once:");
        say!("{}", password.expose_secret());
    }
    Ok(ExitCode::SUCCESS)
}

/// The first line of standard input, or one that nobody chose; whether it was made up.
fn password() -> anyhow::Result<(SecretString, bool)> {
    let input = std::io::stdin();
    let mut line = String::new();
    if !input.is_terminal() {
        input.lock().read_line(&mut line).context("the password can't be read from standard input")?;
    }
    let typed = line.trim_end_matches(['\r', '\n']);
    if typed.is_empty() { Ok((passwords::random(), true)) } else { Ok((typed.into(), false)) }
}
