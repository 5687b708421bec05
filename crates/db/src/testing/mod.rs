//! Fresh, migrated databases of both engines for tests.
//!
//! A test loops over [`engines`] (or asks for [`empty`] ones); each database is its own and is gone when dropped.
//! PostgreSQL's address comes from `NIGHTSHIFT_TEST_POSTGRES_URL`, which `./test` sets. Without it tests fail: half a
//! test run must not look like a whole one.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this module and a failure here is a failed test"
)]

mod network;

use std::net::SocketAddr;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::{Db, DbOptions, Engine, migrate};

pub use network::{Network, Weather};

/// Names the PostgreSQL server that tests may create databases on.
pub const POSTGRES_URL_VARIABLE: &str = "NIGHTSHIFT_TEST_POSTGRES_URL";

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
        _folder: tempfile::TempDir,
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

/// One migrated database of each engine.
pub async fn engines() -> Vec<TestDb> {
    let databases = empty().await;
    for database in &databases {
        migrate(&database.db).await.expect("a fresh database migrates");
    }
    databases
}

/// One database of each engine without any table.
pub async fn empty() -> Vec<TestDb> {
    vec![sqlite().await, postgres().await]
}

/// An empty SQLite file.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the SQLite file opens");
    TestDb { db, url, _cleanup: Cleanup::Folder { _folder: folder } }
}

/// An empty PostgreSQL database.
pub async fn postgres() -> TestDb {
    let Ok(server) = std::env::var(POSTGRES_URL_VARIABLE) else {
        panic!("{POSTGRES_URL_VARIABLE} is not set: run the tests with ./test, which starts a PostgreSQL");
    };
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let options = PgConnectOptions::from_str(&server).expect("the test server's address is readable");
    let mut connection = options.clone().connect().await.expect("the test server answers");
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("the test server lets us create databases");
    connection.close().await.expect("the connection closes");
    let url = options.database(&name).to_url_lossy().to_string();
    let db = Db::connect(&url, &DbOptions::default()).await.expect("the address is readable");
    TestDb { db, url, _cleanup: Cleanup::Postgres { server, name } }
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
