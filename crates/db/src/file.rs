//! Checks that an SQLite file supports what this program needs: writes and the write-ahead log.

use std::path::Path;

use crate::connections::{Connections, PooledConnection};
use crate::query::Target;
use crate::trouble::Trust;
use crate::{DbError, Query, Result};

/// Checks that the file can be written and is in WAL mode.
///
/// # Errors
/// [`DbError::Config`] if the file is read-only or can't be switched to WAL mode.
pub(crate) async fn check(writers: &Connections, mut writer: PooledConnection, path: &Path) -> Result<()> {
    let shown = path.display();
    let read_only = is_read_only(&mut writer).await;
    if writer.done(read_only)? {
        return Err(DbError::Config(format!(
            "{shown} is not writable: give this user write access to it and its folder"
        )));
    }
    let asked = Query::new(Target::Pool(writers), "SELECT journal_mode FROM pragma_journal_mode");
    let mode: String = asked.scalar().await?;
    if mode != "wal" {
        return Err(DbError::Config(format!(
            "journal_mode is {mode} and can't become wal on {shown}: put the file on a local disk that supports locks"
        )));
    }
    Ok(())
}

/// Returns whether SQLite has opened the file read-only. This asks SQLite instead of opening the file, because closing
/// a second file handle would release the POSIX locks that SQLite holds on the file in this process.
async fn is_read_only(writer: &mut PooledConnection) -> Result<bool> {
    // Without a busy timeout: if another process is writing, BEGIN fails at once with "busy", which also proves that
    // the file can be written.
    writer.command("PRAGMA busy_timeout = 0").await?;
    let begun = writer.command("BEGIN IMMEDIATE").await;
    if begun.is_ok() {
        writer.command("ROLLBACK").await?;
    }
    // The value of `SQLITE_BUSY_LIMIT` in `pool.rs`.
    writer.command("PRAGMA busy_timeout = 30000").await?;
    Ok(begun.is_err_and(|error| error.trust() == Trust::DropAll))
}
