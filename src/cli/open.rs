//! The database, opened for a command.

use std::time::Duration;

use anyhow::{Context, bail};
use nightshift_db::{Clock, Db, DbOptions, migration_state};
use nightshift_domain::ids::OrgId;
use nightshift_domain::people::organizations;
use nightshift_queue::Queue;

use crate::config::Settings;

/// A command needs few connections; the server beside it needs them more.
const CONNECTIONS_MAX: u32 = 2;
/// Somebody waits for it who wants to know.
const STATEMENT_LIMIT: Duration = Duration::from_secs(600);

/// Opens the database without looking at what it holds.
pub(super) async fn database(settings: &Settings) -> anyhow::Result<Db> {
    let options =
        DbOptions { connections_max: CONNECTIONS_MAX, statement_limit: STATEMENT_LIMIT, ..settings.database.options() };
    Db::connect(settings.database.url_text(), &options)
        .await
        .with_context(|| format!("the database {} can't be opened", settings.database.shown()))
}

/// Opens a database that has all this version needs, and its queue.
pub(super) async fn queue(settings: &Settings) -> anyhow::Result<Queue> {
    let db = database(settings).await?;
    let state = migration_state(&db)
        .await
        .with_context(|| format!("the database {} can't be reached", settings.database.shown()))?;
    if !state.is_current() {
        bail!("the database lacks the migrations {}; run `nightshift migrate`", state.missing.join(", "));
    }
    let clock = Clock::system();
    db.agree_on_time(&clock).await?;
    Ok(Queue::new(db, clock))
}

/// The organisation that was named, or the default one.
pub(super) async fn organization(db: &Db, named: Option<&str>) -> anyhow::Result<OrgId> {
    let Some(named) = named.map(OrgId::from) else {
        return organizations::default_org(db).await.context("there is no default organisation; name one with --org");
    };
    if !organizations::exists(db, &named).await? {
        bail!("there is no organisation {named}");
    }
    Ok(named)
}
