//! Two versions of the program on one database: this one is the older, and a newer one has migrated the database.

use std::path::PathBuf;
use std::process::Output;

use nightshift_db::testing::{Network, Weather, each_engine};
use nightshift_db::{Db, Engine, migration_state};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, booking_of, paid};
use crate::support::checks::eventually;
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::{Process, World, on};

each_engine! {
    a_version_works_beside_newer_migrations_that_expand(flavor = "multi_thread"),
    a_version_works_after_a_contraction_that_needs_no_newer_one(flavor = "multi_thread"),
    a_version_refuses_a_database_that_lacks_what_it_uses,
    a_running_version_ends_once_the_database_lacks_what_it_uses,
    a_version_that_learns_late_that_the_database_lacks_what_it_uses_ends_without_work(flavor = "multi_thread"),
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

/// Returns the status of `/readyz`, 0 if the process has ended.
async fn readiness(world: &World) -> u16 {
    reqwest::get(format!("{}/readyz", world.url())).await.map_or(0, |answer| answer.status().as_u16())
}

const SENTENCE: [&str; 3] = ["9002_contract_needs_9001_gratuity", "have migration 9001", "start a newer version"];

/// Waits until a process ends as one that does not start.
async fn is_refused(world: &World, process: &mut Process) {
    assert_eq!(process.wait().await.code(), Some(1));
    let logged = world.logged();
    let mut told = logged.lines().filter(|line| line.starts_with("nightshift: "));
    assert!(told.next_back().is_some_and(|line| SENTENCE.iter().all(|part| line.contains(part))), "{logged}");
}

/// Starts the program, has it take and confirm a booking, and checks what the commands say.
async fn works(world: &World, told: &str) {
    let process = world.serve();
    eventually("it is ready", async || readiness(world).await == 200).await;
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
                for part in SENTENCE {
                    assert!(ran.code == 1 && ran.text.contains(part), "{command:?}: {}", ran.text);
                }
            }
        }
    })
    .await;
}

async fn a_running_version_ends_once_the_database_lacks_what_it_uses(engine: Engine) {
    on(engine, async |world| {
        let mut process = world.serve();
        eventually("it is ready", async || readiness(&world).await == 200).await;
        record(world.db(), NEWER, EXPANSION).await;
        assert_eq!(readiness(&world).await, 200);
        record(world.db(), NEWER + 1, CONTRACTION).await;
        assert_ne!(readiness(&world).await, 200);
        is_refused(&world, &mut process).await;
        assert_eq!(world.workers().count().await, 0, "it has left in order");
    })
    .await;
}

async fn a_version_that_learns_late_that_the_database_lacks_what_it_uses_ends_without_work(engine: Engine) {
    on(engine, async |mut world| {
        business::load_bookings(world.db(), 2).await;
        let stripe = StripeSender::new(
            format!("{}/api/webhooks/stripe", world.url()),
            STRIPE_SECRET.into(),
            http_client().unwrap(),
        );
        let takes = async |number: usize| {
            let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
            stripe.deliver(&event).await.is_ok_and(|answer| answer.taken())
        };
        let mut receiver = world.serve_with(&["--role", "web"], &[]);
        assert!(takes(0).await);
        receiver.kill();
        record(world.db(), NEWER, EXPANSION).await;
        record(world.db(), NEWER + 1, CONTRACTION).await;

        let obstacle = Obstacle::to_the_database(&mut world).await;
        let mut process = world.serve();
        assert!(!takes(1).await);
        assert_eq!(readiness(&world).await, 503);
        obstacle.remove();
        eventually("it ends", async || {
            assert!(!takes(1).await);
            process.has_ended()
        })
        .await;
        is_refused(&world, &mut process).await;
        assert_eq!(world.webhooks("stripe").count().await, 1);
        assert_eq!(world.webhook_jobs().queued().count().await, 1);
        assert_eq!(world.workers().count().await, 0);
    })
    .await;
}

/// Keeps processes from their database at their start.
enum Obstacle {
    Network(Network),
    /// A folder in the place of the file that processes lock before they look at the migrations.
    Folder(PathBuf),
}

impl Obstacle {
    async fn to_the_database(world: &mut World) -> Self {
        if let Some(file) = world.db().sqlite_path() {
            let lock = file.with_extension("migrate-lock");
            std::fs::remove_file(&lock).unwrap();
            std::fs::create_dir(&lock).unwrap();
            return Self::Folder(lock);
        }
        let (network, url) = world.network_to_database().await;
        network.set(Weather::Cut);
        world.set("DATABASE_URL", url);
        Self::Network(network)
    }

    fn remove(&self) {
        match self {
            Self::Network(network) => network.set(Weather::Fair),
            Self::Folder(folder) => std::fs::remove_dir(folder).unwrap(),
        }
    }
}
