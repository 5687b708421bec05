//! The passwords of the demo. They are public, so production accepts none of them.

use anyhow::{Context, bail};
use nightshift_db::Db;
use nightshift_domain::access::passwords;
use nightshift_domain::people::users;
use nightshift_domain::seed::Seed;
use nightshift_lab::demo;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Environment, Settings};

/// Returns an error if `password` is one of the demo's and the environment is production.
pub(super) fn refuse(settings: &Settings, email: &str, password: &SecretString) -> anyhow::Result<()> {
    if settings.environment == Environment::Production && is_published(&demo_seed()?, password) {
        bail!("{email} can't have the demo's password in production: it is public; choose another");
    }
    Ok(())
}

/// Returns an error if the seed contains a password of the demo and the environment is production.
pub(super) fn refuse_seed(settings: &Settings, file: &str, seed: &Seed) -> anyhow::Result<()> {
    if settings.environment != Environment::Production {
        return Ok(());
    }
    let demo = demo_seed()?;
    let whose = seed.sign_ins().filter(|(_, password)| is_published(&demo, password));
    let whose: Vec<_> = whose.map(|(email, _)| email).collect();
    let Some(first) = whose.first() else { return Ok(()) };
    bail!(
        "{file} gives {} the demo's password, which is public and refused in production; give each of them another \
         password, or run\n  nightshift seed {file} --without-passwords\n  nightshift users set-password --email {first}",
        whose.join(", ")
    );
}

/// Returns the email addresses of demo users who can still sign in with the demo's password.
pub(super) async fn found_in(db: &Db) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for (email, password) in demo_seed()?.sign_ins() {
        if users::with_password(db, passwords::request_operator_slot(), email, password).await?.is_some() {
            found.push(email.to_owned());
        }
    }
    Ok(found)
}

fn demo_seed() -> anyhow::Result<Seed> {
    Seed::parse(demo::SEED).context("the built-in seed")
}

fn is_published(demo: &Seed, password: &SecretString) -> bool {
    demo.sign_ins().any(|(_, published)| published.expose_secret() == password.expose_secret())
}
