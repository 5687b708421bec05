//! Migrated databases to copy, one per engine and set of migrations.
//!
//! The first test that needs one makes it while the others wait: for the lock of a file, or for a lock on the server. It
//! is complete before it has the name that copies are made of. The name tells the migrations, so a template that was made
//! from others is never used.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::server::{connect, new_name, url_of};
use crate::migrations::{lock_file, migrator};
use crate::{Db, DbOptions, Engine, migrate};

/// Held on the server while a template is made.
const LOCK: i64 = 0x6e73_7465_6d70;
/// "The database does not exist", said of the template.
const UNDEFINED_DATABASE: &str = "3D000";

/// Copies the migrated file to `file`, which is not there yet.
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
    // What a killed process left behind is its own.
    let folder = tempfile::tempdir_in(std::env::temp_dir()).expect("a temporary folder");
    let unfinished = folder.path().join("template.db");
    let url = format!("sqlite://{}", unfinished.display());
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the SQLite file opens");
    migrate(&db).await.expect("a fresh database migrates");
    // The last connection that closes takes the write-ahead log into the file.
    db.close().await;
    assert!(!unfinished.with_extension("db-wal").exists(), "all of the template is in one file");
    std::fs::rename(&unfinished, template).expect("the template gets its name");
}

/// Makes a migrated database on `server` and returns its name.
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
        // Nobody changes it by mistake, and no connection keeps it from being copied.
        run(format!("ALTER DATABASE {unfinished} WITH ALLOW_CONNECTIONS false")).await;
        run(format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
    }
    run(format!("SELECT pg_advisory_unlock({LOCK})")).await;
}

/// What the template for today's migrations is called.
fn name(engine: Engine) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrator(engine).iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    format!("nightshift_template_{:016x}", hasher.finish())
}
