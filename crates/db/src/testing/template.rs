//! Migrated databases to copy, one per engine and set of migrations.
//!
//! The first test that needs a template creates it, while the others wait for a lock: a lock file for SQLite, an
//! advisory lock for PostgreSQL. A template gets its final name only when it is complete. The name contains a hash of
//! the migrations, so a template of other migrations is never used.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::server::{connect, new_name, url_of};
use crate::migrations::{lock_file, migrator};
use crate::{Db, DbOptions, Engine, migrate};

/// The advisory lock that is held while a template is created.
const LOCK: i64 = 0x6e73_7465_6d70;
/// The SQLSTATE of "the database does not exist", here the template.
const UNDEFINED_DATABASE: &str = "3D000";

/// Copies the migrated file to `file`, which must not exist yet.
pub(super) async fn copy_sqlite(file: &Path) {
    let template = std::env::temp_dir().join(name(Engine::Sqlite)).with_extension("db");
    if !template.exists() {
        make_sqlite(&template).await;
    }
    std::fs::copy(&template, file).expect("the template can be copied");
}

async fn make_sqlite(template: &Path) {
    let _lock = lock_file(template.with_extension("lock")).await.expect("the lock of the template");
    if template.exists() {
        return;
    }
    // In a folder of its own, so that the rest of a killed process does not disturb.
    let folder = tempfile::tempdir_in(std::env::temp_dir()).expect("a temporary folder");
    let unfinished = folder.path().join("template.db");
    let url = format!("sqlite://{}", unfinished.display());
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the SQLite file opens");
    migrate(&db).await.expect("a fresh database migrates");
    // Closing the last connection moves the write-ahead log into the file.
    db.close().await;
    assert!(!unfinished.with_extension("db-wal").exists(), "all of the template is in one file");
    std::fs::rename(&unfinished, template).expect("the template gets its name");
}

/// Creates a migrated database on `server` and returns its name.
pub(super) async fn copy_postgres(server: &str) -> String {
    let mut connection = connect(server).await;
    let (new, template) = (new_name(), name(Engine::Postgres));
    let copy = format!("CREATE DATABASE {new} TEMPLATE {template}");
    if let Err(error) = connection.execute(AssertSqlSafe(copy.as_str())).await {
        let missing =
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(UNDEFINED_DATABASE));
        assert!(missing, "the test server lets us create databases: {error}");
        make_postgres(server, &mut connection, &template).await;
        connection.execute(AssertSqlSafe(copy)).await.expect("the template can be copied");
    }
    connection.close().await.expect("the connection closes");
    new
}

async fn make_postgres(server: &str, connection: &mut PgConnection, template: &str) {
    let mut run = async |sql: String| connection.execute(AssertSqlSafe(sql)).await.expect("the template is made");
    run(format!("SELECT pg_advisory_lock({LOCK})")).await;
    let standing = run(format!("SELECT FROM pg_database WHERE datname = '{template}'")).await;
    if standing.rows_affected() == 0 {
        let unfinished = format!("{template}_unfinished");
        run(format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
        run(format!("CREATE DATABASE {unfinished}")).await;
        let db =
            Db::connect(&url_of(server, &unfinished), &DbOptions::default()).await.expect("the address is readable");
        migrate(&db).await.expect("a fresh database migrates");
        db.close().await;
        // Prevents changes by mistake, and connections, which would prevent copying.
        run(format!("ALTER DATABASE {unfinished} WITH ALLOW_CONNECTIONS false")).await;
        run(format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
    }
    run(format!("SELECT pg_advisory_unlock({LOCK})")).await;
}

/// Returns the name of the template for the current migrations.
fn name(engine: Engine) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrator(engine).iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    format!("nightshift_template_{:016x}", hasher.finish())
}
