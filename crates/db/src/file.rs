//! What the file of an SQLite database must allow.

use std::path::Path;

use crate::connections::{Connections, PooledConnection};
use crate::query::Target;
use crate::trouble::Trust;
use crate::{DbError, Query, Result};

/// Refuses a file on which the promises would not hold.
pub(crate) async fn check(writers: &Connections, mut writer: PooledConnection, path: &Path) -> Result<()> {
    let shown = path.display();
    let read_only = is_read_only(&mut writer).await;
    if writer.done(read_only)? {
        return Err(DbError::Config(format!("{shown} can't be written: let this user write to it and its folder")));
    }
    let asked = Query::new(Target::Pool(writers), "SELECT journal_mode FROM pragma_journal_mode");
    let mode: String = asked.scalar().await?;
    if mode != "wal" {
        return Err(DbError::Config(format!(
            "journal_mode is {mode} and can't become wal on {shown}: put the file on a local disk that takes locks"
        )));
    }
    Ok(())
}

/// Whether SQLite has opened the file for reading only. Asked of SQLite: a file that is opened and closed beside it loses
/// the locks that SQLite holds on it in this process.
async fn is_read_only(writer: &mut PooledConnection) -> Result<bool> {
    // Another process may be writing, which shows as well that the file can be written.
    writer.command("PRAGMA busy_timeout = 0").await?;
    let begun = writer.command("BEGIN IMMEDIATE").await;
    if begun.is_ok() {
        writer.command("ROLLBACK").await?;
    }
    // As in `open_sqlite`.
    writer.command("PRAGMA busy_timeout = 30000").await?;
    Ok(begun.is_err_and(|error| error.trust() == Trust::DropAll))
}
