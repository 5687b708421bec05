//! A database server that is not what it was: read-only for a while, or set up in a way of its own.

use std::time::Duration;

use nightshift_db::testing::{TestDb, each_engine, empty, postgres};
use nightshift_db::{Db, DbError, DbOptions, Engine, migrate, settings};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, booking_of, paid};
use crate::support::checks::eventually;
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::World;

each_engine! {
    what_a_session_has_prepared_before_the_schema_changed_is_tried_again_and_found_anew,
    settings_of_the_database_do_not_reach_the_program,
}

/// A handle of its own whose one session was opened before whatever is done to the others.
async fn admin(database: &TestDb) -> Db {
    let options = DbOptions { connections_max: 1, ..DbOptions::default() };
    let admin = Db::connect(&database.url, &options).await.unwrap();
    assert_eq!(admin.read("SELECT 1::bigint").scalar::<i64>().await.unwrap(), 1);
    admin
}

async fn execute(db: &Db, sql: &'static str) {
    db.write(sql).execute().await.unwrap();
}

const READ_ONLY: &str = "DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
const WRITABLE: &str = "DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$";
const END_THE_OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_from_the_time_when_the_server_was_read_only_are_not_kept() {
    let database = postgres().await;
    migrate(&database.db).await.unwrap();
    let admin = admin(&database).await;
    let world = World::new(database).await;
    business::load_bookings(world.db(), 1).await;
    let mut process = world.serve();
    let http = http_client().unwrap();
    let book = async |number: usize| {
        let request = http.post(format!("{}/api/bookings", world.url())).json(&booking_of(number));
        request.send().await.map_or(0, |answer| answer.status().as_u16())
    };
    assert_eq!(book(1).await, 201);
    execute(&admin, READ_ONLY).await;
    execute(&admin, END_THE_OTHERS).await;
    let ready = async || http.get(format!("{}/readyz", world.url())).send().await.unwrap().status().as_u16();
    eventually("it says that it can't write", async || ready().await == 503).await;
    // All sessions of the pool are renewed meanwhile, many times over.
    for number in 2..22 {
        assert_eq!(book(number).await, 503);
    }
    execute(&admin, WRITABLE).await;
    let own = async || world.db().read("SELECT 1::bigint").scalar::<i64>().await.is_ok();
    eventually("the test's own sessions are new ones", own).await;
    eventually("bookings are taken again", async || book(22).await == 201).await;
    // All of them, from then on: no session of that time is left in the pool.
    for number in 23..43 {
        assert_eq!(book(number).await, 201);
    }
    let sender =
        StripeSender::new(format!("{}/api/webhooks/stripe", world.url()), STRIPE_SECRET.into(), http_client().unwrap());
    sender.deliver_until_taken(&paid("evt_1", "booking-0"), Duration::from_secs(30)).await.unwrap();
    world.texts().sent().until(1).await;
    world.until_quiet().await;
    eventually("it says that it is ready", async || ready().await == 200).await;
    assert!(!process.has_ended());
}

async fn what_a_session_has_prepared_before_the_schema_changed_is_tried_again_and_found_anew(engine: Engine) {
    let database = empty(engine).await;
    let db = &database.db;
    execute(db, "CREATE TABLE things (a BIGINT)").await;
    execute(db, "INSERT INTO things VALUES (7)").await;
    let sql = match db.engine() {
        Engine::Postgres => "SELECT * FROM things",
        Engine::Sqlite => "SELECT a FROM things",
    };
    let read = async || db.read(sql).one::<(i64,)>().await;
    assert_eq!(read().await.unwrap(), (7,));
    execute(db, "ALTER TABLE things ADD COLUMN b BIGINT").await;
    match read().await {
        Ok(row) => assert_eq!(row, (7,)),
        Err(error) => assert!(matches!(error, DbError::Contention(_)), "{error}"),
    }
    assert_eq!(read().await.unwrap(), (7,));
}

#[tokio::test]
async fn a_transaction_that_somebody_left_open_is_not_handed_to_the_next() {
    let database = empty(Engine::Postgres).await;
    execute(&database.db, "CREATE TABLE things (a BIGINT)").await;
    let db = Db::connect(&database.url, &DbOptions { connections_max: 1, ..DbOptions::default() }).await.unwrap();
    // As a statement that was cut off may leave it. On SQLite a transaction does not begin with a statement of its own.
    execute(&db, "BEGIN").await;
    db.write("SELECT 1 / 0").execute().await.unwrap_err();
    let left_behind = db.write("INSERT INTO things VALUES (7)").execute().await.unwrap_err();
    assert!(left_behind.is_transient(), "{left_behind}");
    execute(&db, "INSERT INTO things VALUES (8)").await;
    assert_eq!(database.db.read("SELECT a FROM things").scalar::<i64>().await.unwrap(), 8);
}

async fn settings_of_the_database_do_not_reach_the_program(engine: Engine) {
    let database = empty(engine).await;
    if database.engine() == Engine::Postgres {
        // Long enough for the statement that replaces it, also on a busy machine.
        execute(
            &database.db,
            "DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
            EXECUTE format('ALTER DATABASE %I SET statement_timeout = 200', current_database());
            EXECUTE format('ALTER DATABASE %I SET lock_timeout = 1', current_database());
            EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
            EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database());
            EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kathmandu''', current_database());
            EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database()); END $$",
        )
        .await;
    }
    let db = Db::connect(&database.url, &DbOptions::default()).await.unwrap();
    migrate(&db).await.unwrap();
    let settings = settings(&db).await.unwrap();
    let value = |name: &str| settings.iter().find(|setting| setting.name == name).unwrap().value.clone();
    let expected: &[(&str, &str)] = match db.engine() {
        Engine::Postgres => &[
            ("synchronous_commit", "on"),
            ("statement_timeout", "20s"),
            ("lock_timeout", "0"),
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", "20s"),
            ("TimeZone", "UTC"),
        ],
        Engine::Sqlite => &[("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")],
    };
    for (name, expected) in expected {
        assert_eq!(value(name), *expected, "{name}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused_with_what_to_do() {
    let server = postgres().await;
    execute(&server.db, "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0").await;
    let mut url = reqwest::Url::parse(&server.url).unwrap();
    url.set_path("/latin");
    let db = Db::connect(url.as_str(), &DbOptions::default()).await.unwrap();
    let refused = migrate(&db).await.unwrap_err();
    execute(&server.db, "DROP DATABASE latin WITH (FORCE)").await;
    assert!(matches!(refused, DbError::Config(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("server_encoding is LATIN1") && told.contains("ENCODING 'UTF8'"), "{told}");
}

#[tokio::test]
async fn a_file_without_a_write_ahead_log_is_refused() {
    let refused = Db::connect("sqlite://:memory:", &DbOptions::default()).await.unwrap_err();
    assert!(refused.to_string().contains("journal_mode is memory"), "{refused}");
}
