//! Prepares the database: at once, or as soon as it can be reached.

use std::time::Duration;

use nightshift_db::{Clock, Db, migrate, migration_state};
use nightshift_domain::Error as DomainError;
use nightshift_domain::exceptions::{self, ExceptionKind, NewException, Severity};
use tokio::task::AbortHandle;

use super::error::StartError;
use crate::config::{Environment, Settings};

/// The pause between two attempts to reach the database.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Applies the migrations, or checks that none is missing, according to the settings. Refuses a database from which a
/// newer version has removed what this one uses. If the database is unreachable, returns the task that retries.
pub(super) async fn database(db: &Db, settings: &Settings, clock: &Clock) -> Result<Option<AbortHandle>, StartError> {
    match once(db, settings, clock).await {
        Ok(()) => Ok(None),
        Err(StartError::Db(error)) if error.is_transient() => {
            tracing::warn!(%error, "the database can't be reached yet; trying again until it can");
            let (db, settings, clock) = (db.clone(), settings.clone(), clock.clone());
            Ok(Some(tokio::spawn(async move { until_ready(&db, &settings, &clock).await }).abort_handle()))
        }
        Err(error) => Err(error),
    }
}

async fn until_ready(db: &Db, settings: &Settings, clock: &Clock) {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        match once(db, settings, clock).await {
            Ok(()) => {
                tracing::info!("the database is there");
                return;
            }
            Err(StartError::Db(error)) if error.is_transient() => {
                tracing::debug!(%error, "the database can't be reached yet");
            }
            Err(error) => tracing::error!(%error, "the database can't be used"),
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
    db.agree_on_time_once(clock).await?;
    note_unverified(db, settings, clock).await
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
    match noted {
        Ok(()) => Ok(tx.commit().await?),
        Err(DomainError::Db(error)) => Err(error.into()),
        Err(other) => Err(StartError::Setup(other.to_string())),
    }
}
