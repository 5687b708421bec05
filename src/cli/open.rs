//! Opens the database for a command.

use std::time::Duration;

use anyhow::{Context, bail};
use nightshift_db::{Clock, Db, DbOptions, migration_state};
use nightshift_domain::ids::OrgId;
use nightshift_domain::people::organizations;
use nightshift_queue::Queue;

use crate::config::Settings;

/// A command needs few connections, and the server on the same database needs the rest.
const CONNECTIONS_MAX: u32 = 2;
/// The statement timeout of commands. It is long, because an operator waits for the result.
const STATEMENT_LIMIT: Duration = Duration::from_secs(600);

/// Opens the database without checking its migrations.
pub(super) async fn database(settings: &Settings) -> anyhow::Result<Db> {
    let options =
        DbOptions { connections_max: CONNECTIONS_MAX, statement_limit: STATEMENT_LIMIT, ..settings.database.options() };
    Db::connect(settings.database.url_text(), &options)
        .await
        .with_context(|| format!("the database {} can't be opened", settings.database.shown()))
}

/// Opens the queue of a database that has all migrations of this version, and none after which it does not work.
pub(super) async fn queue(settings: &Settings) -> anyhow::Result<Queue> {
    let db = database(settings).await?;
    let state = migration_state(&db)
        .await
        .with_context(|| format!("the database {} can't be reached", settings.database.shown()))?;
    state.check()?;
    if !state.is_current() {
        bail!("the database lacks the migrations {}; run `nightshift migrate`", state.missing.join(", "));
    }
    let clock = Clock::system();
    db.agree_on_time(&clock).await?;
    Ok(Queue::new(db, clock))
}

/// Returns the named organisation, or the default one.
pub(super) async fn organization(db: &Db, named: Option<&str>) -> anyhow::Result<OrgId> {
    let Some(named) = named.map(OrgId::from) else {
        return organizations::default_org(db).await.context("there is no default organisation; name one with --org");
    };
    if !organizations::exists(db, &named).await? {
        bail!("there is no organisation {named}");
    }
    Ok(named)
}
