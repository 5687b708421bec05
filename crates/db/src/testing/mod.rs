//! Fresh, migrated databases of both engines for tests.
//!
//! A test takes the engine that it runs on, and [`each_engine`](crate::each_engine) makes one test per engine of it.
//! Each database belongs to one test and is deleted when dropped. Migrated databases are copies of a [`template`],
//! which is migrated once; tests of migrations use [`empty`]. The PostgreSQL server's address comes from
//! `NIGHTSHIFT_TEST_POSTGRES_URL`, which `./test` sets. Without it tests fail instead of being skipped, so that a
//! partial test run can't pass for a complete one.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this module and a failure here is a failed test"
)]

mod each_engine;
mod network;
mod server;
pub(crate) mod statements;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use self::server::{connect, new_name, server_url, url_of};
use crate::{Db, DbOptions, Engine};

pub use crate::each_engine;
pub use network::{Network, Weather};
pub use server::POSTGRES_URL_VARIABLE;
pub use statements::statements_of;

/// A database that is deleted when this value is dropped.
pub struct TestDb {
    /// Migrated, unless an empty database was requested.
    pub db: Db,
    /// The address, for starting programs on this database.
    pub url: String,
    _cleanup: Cleanup,
}

enum Cleanup {
    Folder {
        _folder: TempDir,
    },
    Postgres {
        server: String,
        name: String,
    },
    /// Something else deletes the database.
    None,
}

impl TestDb {
    /// Wraps a database that exists already and is not deleted.
    #[must_use]
    pub fn existing(db: Db, url: String) -> Self {
        Self { db, url, _cleanup: Cleanup::None }
    }

    /// Starts a simulated [`Network`] in front of the server, and returns it with this database's address through it.
    ///
    /// # Panics
    /// If the database is not on a server.
    pub async fn over_a_network(&self) -> (Network, String) {
        let options = PgConnectOptions::from_str(&self.url).expect("the address of a server");
        let host = options.get_host().parse().expect("the test server listens on an address of this machine");
        let network = Network::to(SocketAddr::new(host, options.get_port())).await;
        let url = options.port(network.address().port()).to_url_lossy().to_string();
        (network, url)
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }
}

/// Creates a migrated database.
pub async fn migrated(engine: Engine) -> TestDb {
    match engine {
        Engine::Sqlite => {
            let (folder, file) = sqlite_folder();
            template::copy_sqlite(&file).await;
            open_sqlite(folder, &file).await
        }
        Engine::Postgres => open_postgres(&template::copy_postgres(&server_url()).await).await,
    }
}

/// A database without any table.
pub async fn empty(engine: Engine) -> TestDb {
    match engine {
        Engine::Sqlite => sqlite().await,
        Engine::Postgres => postgres().await,
    }
}

/// Creates an empty SQLite file.
pub async fn sqlite() -> TestDb {
    let (folder, file) = sqlite_folder();
    open_sqlite(folder, &file).await
}

/// Creates an empty PostgreSQL database.
pub async fn postgres() -> TestDb {
    let name = new_name();
    let mut connection = connect(&server_url()).await;
    let created = connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await;
    created.expect("the test server lets us create databases");
    connection.close().await.expect("the connection closes");
    open_postgres(&name).await
}

fn sqlite_folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("test.db");
    (folder, file)
}

async fn open_sqlite(folder: TempDir, file: &Path) -> TestDb {
    let url = format!("sqlite://{}", file.display());
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the SQLite file opens");
    TestDb { db, url, _cleanup: Cleanup::Folder { _folder: folder } }
}

async fn open_postgres(name: &str) -> TestDb {
    let server = server_url();
    let url = url_of(&server, name);
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the address is readable");
    TestDb { db, url, _cleanup: Cleanup::Postgres { server, name: name.to_owned() } }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else { return };
        let (server, name) = (server.clone(), name.clone());
        // Drop may run on a thread of a runtime, which must not block on a future. A new thread may.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnectOptions::from_str(&server).ok()?.connect().await.ok()?;
                connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.ok()
            })
        });
        // A database that can't be dropped disappears with the temporary server.
        let _ = dropped.join();
    }
}
