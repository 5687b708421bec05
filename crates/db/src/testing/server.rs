//! The PostgreSQL server that tests make their databases on.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

/// Names the PostgreSQL server that tests may create databases on.
pub const POSTGRES_URL_VARIABLE: &str = "NIGHTSHIFT_TEST_POSTGRES_URL";

pub(super) fn server_url() -> String {
    let Ok(server) = std::env::var(POSTGRES_URL_VARIABLE) else {
        panic!("{POSTGRES_URL_VARIABLE} is not set: run the tests with ./test, which starts a PostgreSQL");
    };
    server
}

/// The name of a database that no other test has.
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
