//! Two versions of the program on one database: this one is the older, and a newer one has migrated the database.

use std::process::Output;

use nightshift_db::testing::each_engine;
use nightshift_db::{Db, Engine, migration_state};

use crate::support::business::{self, booking_of};
use crate::support::checks::eventually;
use crate::support::process::{World, on};

each_engine! {
    a_version_works_beside_newer_migrations_that_expand(flavor = "multi_thread"),
    a_version_works_after_a_contraction_that_needs_no_newer_one(flavor = "multi_thread"),
    a_version_refuses_a_database_that_lacks_what_it_uses,
    a_running_version_is_not_ready_once_the_database_lacks_what_it_uses,
}

/// Higher than the number of any migration of this version.
const NEWER: i64 = 9_001;
const EXPANSION: &str = "expand tips";
/// The contraction needs the expansion, which this version does not have.
const CONTRACTION: &str = "contract needs 9001 gratuity";

/// Records a migration as a newer version does that has applied it.
async fn record(db: &Db, version: i64, description: &str) {
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, $2, TRUE, $3, 0)";
    db.write(sql).bind(version).bind(description).bind(vec![0_u8]).execute().await.unwrap();
}

struct Ran {
    code: i32,
    /// Standard output and the log.
    text: String,
}

fn run(world: &World, arguments: &[&str]) -> Ran {
    let mut command = world.command(arguments);
    let Output { status, stdout, stderr } = command.stderr(std::process::Stdio::piped()).output().unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    Ran { code: status.code().expect("it ended by itself"), text }
}

async fn readiness(world: &World) -> (u16, String) {
    let answer = reqwest::get(format!("{}/readyz", world.url())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Starts the program, has it take and confirm a booking, and checks what the commands say.
async fn works(world: &World, told: &str) {
    let process = world.serve();
    eventually("it is ready", async || readiness(world).await.0 == 200).await;
    business::load_bookings(world.db(), 1).await;
    let request = reqwest::Client::new().post(format!("{}/api/bookings", process.url)).json(&booking_of(1));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
    let logged = world.logged();
    let lines: Vec<_> = logged.lines().filter(|line| line.contains("migrations of a newer version")).collect();
    assert!(lines.len() == 1 && lines[0].contains(told), "{logged}");
    for command in [&["migrate"][..], &["migrate", "--check"], &["doctor"]] {
        let ran = run(world, command);
        assert!(ran.code == 0 && ran.text.contains(told), "{command:?}: {}", ran.text);
    }
    assert_eq!(run(world, &["jobs", "list"]).code, 0);
}

async fn a_version_works_beside_newer_migrations_that_expand(engine: Engine) {
    on(engine, async |world| {
        record(world.db(), NEWER, EXPANSION).await;
        works(&world, "9001_expand_tips").await;
    })
    .await;
}

async fn a_version_works_after_a_contraction_that_needs_no_newer_one(engine: Engine) {
    on(engine, async |world| {
        let applied = migration_state(world.db()).await.unwrap().applied;
        record(world.db(), NEWER, &format!("contract needs {:04} gratuity", applied.last().unwrap())).await;
        works(&world, "9001_contract_needs_").await;
    })
    .await;
}

async fn a_version_refuses_a_database_that_lacks_what_it_uses(engine: Engine) {
    on(engine, async |mut world| {
        record(world.db(), NEWER, EXPANSION).await;
        record(world.db(), NEWER + 1, CONTRACTION).await;
        // A later one that needs an earlier version, which is not the one to tell.
        record(world.db(), NEWER + 2, "contract needs 0099 rates").await;
        for auto_migrate in ["true", "false"] {
            world.set("NIGHTSHIFT__DATABASE__AUTO_MIGRATE", auto_migrate);
            for command in [&["serve"][..], &["migrate"], &["migrate", "--check"], &["doctor"], &["jobs", "list"]] {
                let ran = run(&world, command);
                for part in ["9002_contract_needs_9001_gratuity", "have migration 9001", "start a newer version"] {
                    assert!(ran.code == 1 && ran.text.contains(part), "{command:?}: {}", ran.text);
                }
            }
        }
    })
    .await;
}

async fn a_running_version_is_not_ready_once_the_database_lacks_what_it_uses(engine: Engine) {
    on(engine, async |world| {
        let _process = world.serve();
        eventually("it is ready", async || readiness(&world).await.0 == 200).await;
        record(world.db(), NEWER, EXPANSION).await;
        assert_eq!(readiness(&world).await.0, 200);
        record(world.db(), NEWER + 1, CONTRACTION).await;
        let (status, told) = readiness(&world).await;
        assert!(status == 503 && told.contains("9002_contract_needs_9001_gratuity"), "{status} {told}");
    })
    .await;
}
