//! Fresh, migrated databases of both engines for tests.
//!
//! A test takes the engine that it runs on, and [`each_engine`](crate::each_engine) makes one test per engine of it.
//! [`migrated`] gives it a database of its own, which is removed when the value is dropped. Migrated databases are copies
//! of a [`template`], which is migrated once; tests of migrations begin with [`empty`].
//! PostgreSQL's address comes from `NIGHTSHIFT_TEST_POSTGRES_URL`, which `./test` sets. Without it tests fail: half a
//! test run must not look like a whole one.

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

/// A database that lives as long as this value.
pub struct TestDb {
    /// Open and, unless asked for empty, migrated.
    pub db: Db,
    /// Its address, for starting programs on it.
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
    /// Whoever made it removes it.
    None,
}

impl TestDb {
    /// A database that stands already and stays.
    #[must_use]
    pub fn existing(db: Db, url: String) -> Self {
        Self { db, url, _cleanup: Cleanup::None }
    }

    /// A network that leads to the server, and this database's address over it.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn over_a_network(&self) -> (Network, String) {
        let options = PgConnectOptions::from_str(&self.url).expect("the address of a server");
        let host = options.get_host().parse().expect("the test server listens on an address of this machine");
        let network = Network::to(SocketAddr::new(host, options.get_port())).await;
        let url = options.port(network.address().port()).to_url_lossy().to_string();
        (network, url)
    }

    /// The engine underneath.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }
}

/// A migrated database.
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

/// An empty SQLite file.
pub async fn sqlite() -> TestDb {
    let (folder, file) = sqlite_folder();
    open_sqlite(folder, &file).await
}

/// An empty PostgreSQL database.
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
        // Drop may run on a runtime's thread, which must not block on another future; a thread of its own may.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnectOptions::from_str(&server).ok()?.connect().await.ok()?;
                connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.ok()
            })
        });
        // A database left behind goes away with the throw-away server; nothing to report.
        let _ = dropped.join();
    }
}
