//! `nightshift prove`: kills the program again and again under load, and checks that nothing was lost or done twice.
//!
//! The program runs in its own processes on a scratch database, with its usual lease times. The clients and the
//! simulated Twilio and VAPI run in this process and record what was acknowledged, sent and called. At the end, every
//! acknowledged payment must have exactly one confirmed booking and one text, every acknowledged call request exactly
//! one call and one text, and no promise may be broken in the database.

mod ledger;
mod load;
mod people;
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nightshift_db::{Clock, Db, DbOptions, migrate};
use nightshift_domain::people::organizations;
use nightshift_domain::seed::Seed;
use nightshift_jobs::{Enqueuer, load_seed};
use nightshift_queue::admin::{Filter, SteerError, effects_in_doubt};
use nightshift_queue::lifecycle::State;
use nightshift_queue::{ErrorClass, Queue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::appointment::appointment;
use crate::console::Console;
use crate::simulator::{Accounts, ReservedPort, Simulator, TwilioAccount, VapiAccount};
use ledger::Ledger;
use load::Load;
use process::{Child, Program};

/// Number of bookings per kill, enough that there is work in progress at every kill.
const BOOKINGS_PER_KILL: u32 = 3;
/// Maximum time for the remaining jobs to finish: longer than lease times, look-ups of uncertain texts and several
/// retries together.
const SETTLE: Duration = Duration::from_secs(900);
/// A job that is due later than this is a reminder of a booking, and is not waited for.
const LATER: Duration = Duration::from_secs(1_800);

#[derive(Debug)]
pub struct Plan {
    /// The executable of the program, which is started with `serve --role ROLE`.
    pub executable: PathBuf,
    /// Number of kills.
    pub kills: u32,
    /// The URL of an empty database. `None` creates a fresh SQLite file.
    pub database_url: Option<SecretString>,
    /// Whether each role runs in its own process. One process at a time is killed.
    pub split: bool,
}

/// Runs the test. Returns `false` if anything was lost, was done twice or has an unknown outcome, or if a promise is
/// broken.
///
/// # Errors
/// An error if the database is not empty, a process can't be started, or the jobs do not finish in time.
pub async fn run(plan: &Plan, console: &dyn Console) -> anyhow::Result<bool> {
    let folder = tempfile::Builder::new().prefix("nightshift-prove-").tempdir().context("no temporary folder")?;
    let url = plan
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}", folder.path().join("prove.db").display()).into());
    let db = Db::connect(url.expose_secret(), &DbOptions { connections_max: 4, ..DbOptions::default() }).await?;
    let bookings = plan.kills * BOOKINGS_PER_KILL;
    prepare(&db, bookings).await?;
    let accounts = Accounts {
        twilio: TwilioAccount { callback_delay: Duration::from_millis(20), ..TwilioAccount::default() },
        ..Accounts::default()
    };
    let simulator =
        Simulator::start("127.0.0.1:0", accounts).await.context("the simulated providers can't be started")?;
    simulator.vapi().script(appointment());
    let program = Program {
        executable: plan.executable.clone(),
        folder: folder.path().to_owned(),
        port: ReservedPort::any().context("no free port")?,
        settings: settings(&url, &simulator),
    };
    let ledger = Arc::new(Ledger::default());
    let mut running = start_all(&program, plan.split)?;
    let load = Load::start(&program.url(), bookings, plan.kills.div_ceil(2), ledger.clone())?;

    console.progress(0, plan.kills.into());
    for kill in 1..=plan.kills {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..450))).await;
        let at = fastrand::usize(..running.len());
        let victim = &mut running[at];
        victim.kill();
        *victim = program.start(victim.role)?;
        console.progress(kill.into(), plan.kills.into());
    }
    console.remark(format_args!("{} kills; waiting until everything that was acknowledged is done", plan.kills));
    load.finish().await?;
    let queue = Queue::new(db.clone(), Clock::system());
    let revived = settle(&queue).await?;
    running.iter_mut().for_each(Child::kill);

    let verdict = ledger.judge(&simulator, &queue, console).await?;
    let broken = nightshift_jobs::promises::broken(&queue).await?;
    for broken in &broken {
        console.remark(format_args!("broken: {}: {}", broken.promise, broken.examples.join(", ")));
    }
    if revived > 0 {
        console
            .remark(format_args!("{revived} jobs had lost their third lease and were retried, as an operator would"));
    }
    let unknown = effects_in_doubt(&db).await?;
    simulator.stop().await;
    console.say(format_args!(
        "acknowledged={} lost={} twice={} unknown={unknown} broken={} kills={} texts={} calls={}",
        verdict.acknowledged,
        verdict.lost,
        verdict.twice,
        broken.len(),
        plan.kills,
        verdict.texts,
        verdict.calls,
    ));
    let holds = verdict.lost + verdict.twice == 0 && unknown == 0 && broken.is_empty();
    if !holds && plan.database_url.is_none() {
        let kept = folder.keep();
        console.remark(format_args!("the database and the log are kept in {}", kept.display()));
    }
    Ok(holds)
}

fn start_all(program: &Program, split: bool) -> anyhow::Result<Vec<Child>> {
    let roles: &[&'static str] = if split { &["web", "worker", "worker", "scheduler"] } else { &["all"] };
    roles.iter().map(|role| program.start(role)).collect()
}

/// Returns the complete environment of the processes. They use no settings of this installation.
fn settings(url: &SecretString, simulator: &Simulator) -> Vec<(&'static str, String)> {
    let (twilio, vapi) = (TwilioAccount::default(), VapiAccount::default());
    vec![
        ("DATABASE_URL", url.expose_secret().to_owned()),
        ("ENABLE_AUTH", "false".to_owned()),
        ("ENABLE_WEBHOOK_VALIDATION", "true".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", load::STRIPE_SECRET.to_owned()),
        ("SMS_PROVIDER", "twilio".to_owned()),
        ("TWILIO_ACCOUNT_SID", twilio.account_sid),
        ("TWILIO_AUTH_TOKEN", twilio.auth_token.expose_secret().to_owned()),
        ("TWILIO_BASE_URL", simulator.base_url()),
        ("LIVE_CALL_ENABLED", "true".to_owned()),
        ("VAPI_API_KEY", vapi.api_key.expose_secret().to_owned()),
        ("VAPI_ASSISTANT_ID", vapi.assistant_id),
        ("VAPI_PHONE_NUMBER_ID", vapi.phone_number_id),
        ("VAPI_BASE_URL", simulator.base_url()),
        ("VAPI_WEBHOOK_SECRET", "prove-only".to_owned()),
        ("NIGHTSHIFT__CALLS__POLL_INTERVAL_MS", "300".to_owned()),
        ("NIGHTSHIFT__HTTP__RATE_LIMIT_PER_MINUTE", "100000000".to_owned()),
        ("NIGHTSHIFT__HTTP__WEBHOOK_RATE_LIMIT_PER_MINUTE", "100000000".to_owned()),
        ("RUST_LOG", "warn".to_owned()),
    ]
}

/// Migrates the database and loads a business with `bookings` pending bookings, each of a different client.
async fn prepare(db: &Db, bookings: u32) -> anyhow::Result<()> {
    migrate(db).await.context("the database can't be migrated")?;
    if !organizations::locales(db).await?.is_empty() {
        bail!("the database is not empty; name an empty one");
    }
    let clients: Vec<_> = (0..bookings)
        .map(|n| {
            json!({"id": format!("client-{n}"), "orgId": "org-prove", "firstName": "Test", "lastName": "Client",
                   "phone": people::client_phone(n)})
        })
        .collect();
    let booked: Vec<_> = (0..bookings)
        .map(|n| {
            json!({"id": people::booking_id(n), "orgId": "org-prove", "clientId": format!("client-{n}"),
                   "service": "dog_walking", "startAt": "2099-12-31T10:00:00Z", "endAt": "2099-12-31T11:00:00Z"})
        })
        .collect();
    // A number sends one text per second, so one number would be the bottleneck.
    let mut numbers: Vec<_> = (0..200)
        .map(|n| {
            json!({"id": format!("number-{n}"), "orgId": "org-prove", "e164": format!("+1212555{n:04}"),
                   "numberClass": "pool", "provider": "twilio"})
        })
        .collect();
    numbers
        .push(json!({"id": "number-desk", "orgId": "org-prove", "e164": "+12125560000", "numberClass": "front_desk",
                        "provider": "twilio"}));
    let business = json!({
        "organizations": [{"id": "org-prove", "name": "Proof", "slug": "proof", "timezone": "UTC", "isDefault": true}],
        "pricingRules": [{"id": "rule-prove", "orgId": "org-prove", "service": "dog_walking",
                          "effectiveFrom": "2020-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30}],
        "clients": clients, "bookings": booked, "numbers": numbers,
    });
    let business = Seed::parse(&business.to_string())?;
    let queue = Queue::new(db.clone(), Clock::system());
    let mut tx = db.begin().await?;
    load_seed(&Enqueuer::of_request(&queue), &mut tx, &business).await?;
    Ok(tx.commit().await?)
}

/// Waits until no job is left to run. A job that is dead because it lost its lease three times is retried, as an
/// operator would do. Returns the number of these retries.
async fn settle(queue: &Queue) -> anyhow::Result<usize> {
    let started = Instant::now();
    let mut revived = 0;
    loop {
        let lease_lost = ErrorClass::LeaseLost.as_str().to_owned();
        let dead = Filter { state: Some(State::Dead), error_class: Some(lease_lost), ..Filter::default() };
        for job in queue.list(&dead, None, 1_000).await?.jobs {
            let mut tx = queue.db().begin().await?;
            match nightshift_jobs::registry().retry(queue, &mut tx, &job.id, None).await {
                // The work of the job was done before its process was killed.
                Err(SteerError::Pointless(_)) => continue,
                retried => retried?,
            };
            tx.commit().await?;
            revived += 1;
        }
        let mut left = 0;
        let soon = queue.clock().now() + LATER;
        for state in [State::Queued, State::Retrying, State::Running] {
            let filter = Filter { state: Some(state), ..Filter::default() };
            let jobs = queue.list(&filter, None, 10_000).await?.jobs;
            left += jobs.iter().filter(|job| job.state == State::Running || job.run_at < soon).count();
        }
        if left == 0 {
            return Ok(revived);
        }
        if started.elapsed() > SETTLE {
            bail!("{left} jobs are still not done after {} s", SETTLE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
