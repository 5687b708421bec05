//! The PostgreSQL server on which tests create their databases.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

/// The variable with the address of the PostgreSQL server on which tests may create databases.
pub const POSTGRES_URL_VARIABLE: &str = "NIGHTSHIFT_TEST_POSTGRES_URL";

pub(super) fn server_url() -> String {
    let Ok(server) = std::env::var(POSTGRES_URL_VARIABLE) else {
        panic!("{POSTGRES_URL_VARIABLE} is not set: run the tests with ./test, which starts a PostgreSQL");
    };
    server
}

/// Returns a unique name for a database.
pub(super) fn new_name() -> String {
    format!("test_{}", uuid::Uuid::new_v4().simple())
}

pub(super) fn url_of(server: &str, name: &str) -> String {
    let options = PgConnectOptions::from_str(server).expect("the test server's address is readable");
    options.database(name).to_url_lossy().to_string()
}

pub(super) async fn connect(server: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(server).expect("the test server's address is readable");
    options.connect().await.expect("the test server answers")
}
