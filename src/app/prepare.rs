//! Prepares the database, at once or as soon as it can be reached, and watches whether this version still works on it.
//!
//! No part of the program uses the database before it is prepared. What keeps a program from starting also ends one that
//! finds it out later.

use std::time::Duration;

use nightshift_db::{Clock, Db, DbError, check_contractions, migrate, migration_state};
use nightshift_domain::Error as DomainError;
use nightshift_domain::exceptions::{self, ExceptionKind, NewException, Severity};
use nightshift_domain::messaging::numbers;
use tokio::task::JoinHandle;

use super::error::StartError;
use crate::config::{Environment, Settings};

/// The pause between two attempts to reach the database.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// The interval between two looks for a contraction of a newer version.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// A database for the parts of the program.
pub(super) struct Prepared {
    /// The handle for the parts. Its statements fail until the database is prepared.
    pub(super) db: Db,
    /// Ends when this version does not work on the database, with the reason.
    pub(super) unfit: JoinHandle<StartError>,
}

/// Applies the migrations, or checks that none is missing, according to the settings. Refuses a database from which a
/// newer version has removed what this one uses. If the database is unreachable, goes on trying in the background.
pub(super) async fn database(db: &Db, settings: &Settings, clock: &Clock) -> Result<Prepared, StartError> {
    let (parts, gate) = db.behind_gate();
    match once(db, settings, clock).await {
        Ok(()) => gate.open(),
        Err(StartError::Db(error)) if error.is_transient() => {
            tracing::warn!(%error, "the database can't be reached yet; trying again until it can");
        }
        Err(error) => return Err(error),
    }
    let (db, settings, clock) = (db.clone(), settings.clone(), clock.clone());
    let unfit = tokio::spawn(async move {
        if !gate.is_open() {
            if let Err(error) = until_ready(&db, &settings, &clock).await {
                return error;
            }
            gate.open();
        }
        until_contracted(&db).await
    });
    Ok(Prepared { db: parts, unfit })
}

async fn until_ready(db: &Db, settings: &Settings, clock: &Clock) -> Result<(), StartError> {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        match once(db, settings, clock).await {
            Ok(()) => {
                tracing::info!("the database is there");
                return Ok(());
            }
            Err(StartError::Db(error)) if error.is_transient() => {
                tracing::debug!(%error, "the database can't be reached yet");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until a newer version has removed what this one uses.
async fn until_contracted(db: &Db) -> StartError {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match check_contractions(db).await {
            Err(error @ DbError::Contracted(_)) => return error.into(),
            Err(error) => tracing::debug!(%error, "the migrations can't be read; looking again"),
            Ok(()) => {}
        }
    }
}

async fn once(db: &Db, settings: &Settings, clock: &Clock) -> Result<(), StartError> {
    if settings.database.auto_migrate {
        migrate(db).await?;
    }
    let state = migration_state(db).await?;
    state.check()?;
    if !state.is_current() {
        return Err(StartError::NotMigrated(state.missing));
    }
    if !state.newer.is_empty() {
        tracing::info!(
            migrations = state.newer.join(", "),
            "the database has migrations of a newer version, with which this one works too"
        );
    }
    // This comes before the first timestamp is written.
    db.agreed_time(clock).await?;
    note_unverified(db, settings, clock).await?;
    claim_onboarding(db, settings, clock).await
}

/// Keeps the number for new businesses for the platform, before anybody can add it to an organisation.
async fn claim_onboarding(db: &Db, settings: &Settings, clock: &Clock) -> Result<(), StartError> {
    let mut tx = db.begin().await?;
    ended(numbers::claim_onboarding(&mut tx, &settings.onboarding.number, clock.now()).await)?;
    Ok(tx.commit().await?)
}

/// Raises an exception while production accepts webhooks without a signature, and resolves it afterwards.
async fn note_unverified(db: &Db, settings: &Settings, clock: &Clock) -> Result<(), StartError> {
    const FINGERPRINT: &str = "webhook_validation_disabled";
    let now = clock.now();
    let mut tx = db.begin().await?;
    let noted = if settings.environment == Environment::Production && !settings.webhooks.validation {
        tracing::warn!("webhooks are not verified: anybody who knows the address can send them");
        let problem = NewException::new(ExceptionKind::WebhookValidationDisabled, Severity::High, FINGERPRINT)
            .title("Webhooks are taken without a valid signature");
        exceptions::raise(&mut tx, &problem, now).await.map(|_| ())
    } else {
        exceptions::resolve(&mut tx, FINGERPRINT, "webhooks are verified", now).await
    };
    ended(noted)?;
    Ok(tx.commit().await?)
}

/// An error of the database is temporary more often than not; any other keeps the program from starting.
fn ended(result: Result<(), DomainError>) -> Result<(), StartError> {
    result.map_err(|error| match error {
        DomainError::Db(error) => error.into(),
        other => StartError::Setup(other.to_string()),
    })
}
