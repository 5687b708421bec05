//! What operators type: exit codes, what is shown and what never is, and that every change is on record.

use std::process::Output;

use nightshift_db::testing::{TestDb, each_engine, empty, migrated};
use nightshift_db::{Clock, Engine};
use nightshift_domain::access::passwords;
use nightshift_domain::people::users;
use nightshift_jobs::retention::sweep::RetentionSweep;
use nightshift_providers::stripe::signature;
use nightshift_queue::{NewJob, Queue};
use serde_json::{Value, json};

use crate::support::business;
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::{World, on, program};

each_engine! {
    production_says_once_at_its_start_what_it_lacks,
    production_takes_no_password_of_the_demo,
    migrations_apply_to_an_empty_database_and_to_the_version_before,
    a_seed_is_loaded_whole_or_not_at_all_and_twice_is_once,
    a_seed_with_past_bookings_is_loaded_with_warnings_and_one_with_endless_ones_is_not,
    a_key_is_shown_once_and_stored_as_a_hash,
    a_password_is_made_up_shown_once_and_works,
    numbers_are_added_checked_and_listed,
    jobs_are_listed_shown_retried_and_cancelled_from_the_shell_and_each_is_on_record,
    doctor_says_what_is_wrong_and_what_to_do(flavor = "multi_thread"),
    the_load_generator_reports_what_it_sent_and_wrote(flavor = "multi_thread"),
    a_lost_link_is_printed_again,
    prices_are_checked_and_schedules_steered_from_the_command_line(flavor = "multi_thread"),
}

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    program().args(arguments).envs(settings.iter().copied()).output().unwrap().into()
}

fn run_with_input(arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Ran {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = program();
    command.args(arguments).envs(settings.iter().copied()).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

impl World {
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.stderr(std::process::Stdio::piped()).output().unwrap().into()
    }
}

#[test]
fn wrong_use_is_2_failure_is_1_and_help_is_0() {
    assert_eq!(run(&[], &[]).code, 2);
    assert_eq!(run(&["fly"], &[]).code, 2);
    assert_eq!(run(&["serve", "--role", "boss"], &[]).code, 2);
    assert_eq!(run(&["jobs", "list", "--state", "asleep"], &[]).code, 2);
    let help = run(&["--help"], &[]).ok();
    for command in [
        "serve",
        "demo",
        "migrate",
        "seed",
        "jobs",
        "queues",
        "api-keys",
        "users",
        "numbers",
        "request-link",
        "webhooks",
        "simulate",
        "doctor",
    ] {
        assert!(help.contains(command), "{command} is missing in\n{help}");
        let own = run(&[command, "--help"], &[]).ok();
        assert!(own.contains("Example") || command == "doctor", "{command} has no example:\n{own}");
    }
}

#[test]
fn a_wrong_setting_stops_everything_and_is_named_with_its_origin() {
    let ran = run(&["serve"], &[("PORT", "many")]);
    assert_eq!(ran.code, 1);
    for word in ["http.port", "many", "PORT", "65535"] {
        assert!(ran.err.contains(word), "{word} is missing: {}", ran.err);
    }
    let ran = run(&["serve"], &[("NIGHTSHIFT__HTTP__PROT", "1")]);
    assert!(ran.code == 1 && ran.err.contains("http.prot"), "{ran:?}");
    let ran = run(&["serve"], &[("NIGHTSHIFT_ENV", "production")]);
    assert!(ran.code == 1 && ran.err.contains("SESSION_SECRET"), "{ran:?}");
}

#[test]
fn a_server_that_anybody_could_use_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("d.db").display());
    let base = [("DATABASE_URL", file.as_str()), ("PORT", "0")];
    for (variables, said) in [
        (&[("HOST", "0.0.0.0")] as &[_], "HOST=0.0.0.0"),
        (&[("PUBLIC_URL", "https://book.example")], "PUBLIC_URL=https://book.example"),
        (
            &[("NIGHTSHIFT_ENV", "production"), ("STRIPE_WEBHOOK_SECRET", "w"), ("SESSION_SECRET", "x")],
            "SESSION_SECRET",
        ),
        (&[("APP_ENV", "production"), ("TWILIO_BASE_URL", "http://twilio.example")], "TWILIO_BASE_URL=http://"),
    ] {
        let variables = [&base, variables].concat();
        let ran = run(&["serve"], &variables);
        assert!(ran.code == 1 && ran.err.contains(said), "{ran:?}");
        let doctor = run(&["doctor"], &variables);
        let lines = doctor.out.lines().filter(|line| line.starts_with("WRONG"));
        let told = lines
            .filter(|line| ran.err.lines().any(|refusal| line.ends_with(refusal.trim_start_matches("nightshift: "))));
        assert_eq!(told.count(), ran.err.lines().count(), "doctor tells what serve does:\n{}\n{}", doctor.out, ran.err);
    }
}

async fn production_says_once_at_its_start_what_it_lacks(engine: Engine) {
    on(engine, async |mut world| {
        world.set("NIGHTSHIFT_ENV", "production");
        world.set("ENABLE_AUTH", "true");
        world.set("SESSION_SECRET", "4f1c09ab77e2d35810b6c4a2f98e6d03");
        world.set("SMS_PROVIDER", "mock");
        let doctor = world.run(&["doctor"]);
        assert!(doctor.code == 0, "{doctor:?}");
        let process = world.serve();
        let ready = reqwest::get(format!("{}/healthz", process.url)).await.unwrap();
        assert_eq!(ready.status().as_u16(), 200);
        let logged = world.logged();
        for warning in ["PUBLIC_URL is not set", "SMS_PROVIDER=mock"] {
            assert_eq!(logged.matches(warning).count(), 1, "{warning}:\n{logged}");
            assert!(doctor.out.lines().any(|line| line.starts_with("WARN") && line.contains(warning)), "{doctor:?}");
        }
    })
    .await;
}

async fn production_takes_no_password_of_the_demo(engine: Engine) {
    let database = empty(engine).await;
    let production = [("DATABASE_URL", database.url.as_str()), ("NIGHTSHIFT_ENV", "production")];
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo-seed.json");
    let mail = "owner@happy-paws.example";
    run(&["migrate"], &production).ok();
    let refused = run(&["seed", file], &production);
    assert!(refused.code == 1 && refused.err.contains("--without-passwords"), "{refused:?}");
    assert!(refused.err.contains(mail) && !refused.err.contains("happy paws demo"), "{refused:?}");
    assert_eq!(database.db.read("SELECT count(*) FROM users").scalar::<i64>().await.unwrap(), 0);
    run(&["seed", file, "--without-passwords"], &production).ok();
    let set = run_with_input(&["users", "set-password", "--email", mail], &production, "happy paws demo\n");
    assert!(set.code == 1 && set.err.contains(mail), "{set:?}");
    run_with_input(&["users", "set-password", "--email", mail], &production, "of their own choice\n").ok();
    assert!(!run(&["doctor"], &production).out.contains("passwords"));
    // Made in development, and then called production.
    run_with_input(&["users", "set-password", "--email", mail], &production[..1], "happy paws demo\n").ok();
    let doctor = run(&["doctor"], &production);
    assert!(doctor.out.lines().any(|line| line.starts_with("WRONG  passwords") && line.contains(mail)), "{doctor:?}");
    let played = run(&["demo", "--exit", "--database-url", &database.url], &production);
    assert!(played.code == 1 && played.err.contains("in production"), "{played:?}");
}

async fn migrations_apply_to_an_empty_database_and_to_the_version_before(engine: Engine) {
    let database = empty(engine).await;
    let url = [("DATABASE_URL", database.url.as_str())];
    let missing = run(&["migrate", "--check"], &url);
    assert!(missing.code == 1 && missing.out.contains("0001_") && missing.out.contains("0007_views"), "{missing:?}");
    assert!(run(&["jobs", "list"], &url).err.contains("nightshift migrate"));
    run(&["migrate"], &url).ok();
    assert!(run(&["migrate", "--check"], &url).ok().contains("up to date"));
    step_back(&database).await;
    let missing = run(&["migrate", "--check"], &url);
    assert!(
        missing.code == 1 && missing.out.contains("0008_booking_calls") && !missing.out.contains("0007"),
        "{missing:?}"
    );
    run(&["migrate"], &url).ok();
    run(&["migrate", "--check"], &url).ok();
    let found: i64 = database.db.read("SELECT count(*) FROM booking_calls").scalar().await.unwrap();
    assert_eq!(found, 0);
}

/// Makes the database what it was before the newest migration.
async fn step_back(database: &TestDb) {
    for table in ["DROP TABLE booking_calls", "DROP TABLE providers", "DROP TABLE service_requests"] {
        database.db.write(table).execute().await.unwrap();
    }
    database.db.write("DELETE FROM _sqlx_migrations WHERE version = 8").execute().await.unwrap();
}

async fn a_seed_is_loaded_whole_or_not_at_all_and_twice_is_once(engine: Engine) {
    let database = migrated(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let seed = |file: &str| run(&["seed", file], &[("DATABASE_URL", &database.url)]);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo-seed.json");
    assert!(seed(example).ok().starts_with("new: 1 organisations, 2 sitters, 3 users, 1 clients, 5 numbers, 1 auto"));
    assert!(seed(example).ok().starts_with("new: 0 organisations, 0 sitters, 0 users, 0 clients, 0 numbers, 0 auto"));
    let broken = folder.path().join("broken.json");
    let content = json!({
        "organizations": [{"id": "org-new", "name": "New", "slug": "new"}],
        "clients": [{"id": "c", "orgId": "org-new", "firstName": "A", "lastName": "B", "phone": "none"}],
    });
    std::fs::write(&broken, content.to_string()).unwrap();
    let refused = seed(broken.to_str().unwrap());
    assert!(refused.code == 1 && refused.err.contains("clients[0].phone"), "{refused:?}");
    let found: i64 =
        database.db.read("SELECT count(*) FROM organizations WHERE id = 'org-new'").scalar().await.unwrap();
    assert_eq!(found, 0);
    std::fs::write(&broken, "{").unwrap();
    let refused = seed(broken.to_str().unwrap());
    assert!(refused.code == 1 && refused.err.contains("line 1"), "{refused:?}");
}

async fn a_seed_with_past_bookings_is_loaded_with_warnings_and_one_with_endless_ones_is_not(engine: Engine) {
    let database = migrated(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seed.json");
    let seed = |end: &str| {
        let content = json!({
            "organizations": [{"id": "org-new", "name": "New", "slug": "new"}],
            "clients": [{"id": "c", "orgId": "org-new", "firstName": "A", "lastName": "B", "phone": "+15551234567"}],
            "bookings": [{"id": "b", "orgId": "org-new", "clientId": "c", "service": "dog_walking",
                          "startAt": "2001-12-31T10:00:00Z", "endAt": end}],
        });
        std::fs::write(&file, content.to_string()).unwrap();
        run(&["seed", file.to_str().unwrap()], &[("DATABASE_URL", &database.url)])
    };
    let endless = seed("2061-12-31T10:00:00Z");
    assert!(endless.code == 1 && endless.err.contains("bookings[0].endAt"), "{endless:?}");
    let loaded = seed("2001-12-31T11:00:00Z");
    assert!(loaded.code == 0 && loaded.out.contains("1 bookings"), "{loaded:?}");
    for warning in ["startAt is in the past, and the booking is over", "no price rule is in force"] {
        assert!(loaded.err.contains(&format!("warning: bookings[0]: {warning}")), "{loaded:?}");
    }
    let again = seed("2001-12-31T11:00:00Z");
    assert!(again.code == 0 && again.err.is_empty(), "{again:?}");
}

async fn a_key_is_shown_once_and_stored_as_a_hash(engine: Engine) {
    on(engine, async |world| {
        let key = world.run(&["api-keys", "create", "--name", "site", "--scope", "bookings:write"]).ok();
        let key = key.trim();
        let id = key.split('_').nth(1).unwrap();
        let listed = world.run(&["api-keys", "list"]).ok();
        assert!(listed.contains(id) && !listed.contains(key), "{listed}");
        let stored = world.api_keys().one().await;
        assert!(!stored.secret_sha256.contains(key.rsplit('_').next().unwrap()));
        assert_eq!(stored.org_id.as_deref(), Some("org-paws"));
        world.run(&["api-keys", "revoke", id]).ok();
        assert!(world.run(&["api-keys", "list"]).ok().contains("revoked"));
        let unknown = world.run(&["api-keys", "revoke", "nothing"]);
        assert!(unknown.code == 1 && unknown.err.contains("nothing"), "{unknown:?}");
        assert_eq!(world.run(&["api-keys", "create", "--name", "x", "--scope", "everything"]).code, 2);
        assert_eq!(world.run(&["api-keys", "create", "--name", "x", "--scope", "jobs:admin", "--org", "none"]).code, 1);
        let events = world.all_events().all().await;
        let audited: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(audited, ["api_key.created", "api_key.revoked"]);
    })
    .await;
}

async fn a_password_is_made_up_shown_once_and_works(engine: Engine) {
    on(engine, async |world| {
        let made = ["users", "create", "--email", "New@Paws.test", "--name", "New", "--role", "owner"];
        let password = world.run(&made).ok();
        let find = async |email, password: &str| {
            let turn = passwords::request_operator_slot();
            users::with_password(world.db(), turn, email, &password.trim().into()).await.unwrap()
        };
        assert_eq!(find("new@paws.test", &password).await.unwrap().name, "New");
        assert_eq!(world.run(&made).code, 1, "the address is taken");
        let new = world.run(&["users", "set-password", "--email", business::OWNER]).ok();
        assert!(find(business::OWNER, business::PASSWORD).await.is_none());
        assert!(find(business::OWNER, &new).await.is_some());
        assert_eq!(world.run(&["users", "set-password", "--email", "nobody@paws.test"]).code, 1);
    })
    .await;
}

async fn numbers_are_added_checked_and_listed(engine: Engine) {
    on(engine, async |world| {
        world.run(&["numbers", "add", "+15550199055", "--class", "sitter", "--sitter", "sitter-sam"]).ok();
        let listed = |of: &[&str]| {
            let listed = world.run(&[&["numbers", "list", "--json"], of].concat()).json();
            listed["numbers"].as_array().unwrap().len()
        };
        assert_eq!(listed(&["--org", "org-paws"]), 2);
        assert_eq!(listed(&[]), 3, "the number for new businesses is the platform's");
        for (arguments, named) in [
            (vec!["numbers", "add", "+15550199055"], "number"),
            (vec!["numbers", "add", "12"], "e164"),
            (vec!["numbers", "add", "+15550199056", "--class", "sitter"], "assignedSitterId"),
            (vec!["numbers", "add", "+15550199056", "--org", "none"], "none"),
        ] {
            let refused = world.run(&arguments);
            assert!(refused.code == 1 && refused.err.contains(named), "{arguments:?}: {refused:?}");
        }
        assert_eq!(world.events("number.added").count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_signed_file_is_taken_by_the_receivers_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    std::fs::write(&file, b"{\"id\":\"evt_1\"}\n").unwrap();
    let secret = [("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)];
    let header = run(&["webhooks", "sign", "stripe", file.to_str().unwrap()], &secret).ok();
    let value = header.trim().strip_prefix("stripe-signature: ").unwrap_or_else(|| panic!("{header}"));
    let now = Clock::system().now().to_datetime();
    signature::verify(Some(value.as_bytes()), b"{\"id\":\"evt_1\"}\n", &[STRIPE_SECRET.into()], now).unwrap();
    let without = run(&["webhooks", "sign", "stripe", file.to_str().unwrap()], &[]);
    assert!(without.code == 1 && without.err.contains("STRIPE_WEBHOOK_SECRET"), "{without:?}");
    assert_eq!(run(&["webhooks", "sign", "stripe", "no-such-file"], &secret).code, 1);
}

async fn jobs_are_listed_shown_retried_and_cancelled_from_the_shell_and_each_is_on_record(engine: Engine) {
    on(engine, async |world| {
        let queue = Queue::new(world.db().clone(), Clock::system());
        let day = |days: u64| Clock::system().now() - std::time::Duration::from_secs(days * 86_400);
        let mut ids = Vec::new();
        for days in 1..=3 {
            let job = NewJob::of(&RetentionSweep::of_day(day(days))).unwrap();
            ids.push(queue.submit(job).await.unwrap().id().to_owned());
        }
        let listed = world.run(&["jobs", "list", "--kind", "retention.sweep", "--since", "1h", "--json"]).json();
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 3);
        assert_eq!(world.run(&["jobs", "list", "--state", "dead", "--json"]).json()["jobs"], json!([]));
        let shown = world.run(&["jobs", "show", &ids[0]]).ok();
        assert!(shown.contains("no live worker serves queue maintenance"), "{shown}");
        assert_eq!(world.run(&["jobs", "show", &ids[0], "--json"]).json()["id"], ids[0].as_str());

        world.run(&["jobs", "cancel", &ids[0], &ids[1]]).ok();
        let twice = world.run(&["jobs", "cancel", &ids[0]]);
        assert!(twice.code == 1 && twice.err.contains(&ids[0]), "{twice:?}");
        world.run(&["jobs", "retry", &ids[0]]).ok();
        assert!(world.run(&["jobs", "retry-all", "--state", "cancelled"]).ok().starts_with("1 retried"));
        assert_eq!(world.all_jobs().queued().count().await, 3);
        assert_eq!(world.run(&["jobs", "retry", "none"]).code, 1);
        assert!(world.run(&["jobs", "stats"]).ok().contains("maintenance"));

        world.run(&["queues", "pause", "maintenance", "--reason", "quiet please"]).ok();
        assert!(world.run(&["queues", "list"]).ok().contains("quiet please"));
        assert!(world.run(&["jobs", "show", &ids[0]]).ok().contains("is paused by"));
        world.run(&["queues", "resume", "maintenance"]).ok();
        let unknown = world.run(&["queues", "pause", "smss"]);
        assert!(unknown.code == 1 && unknown.err.contains("sms,"), "{unknown:?}");

        let audited = world.all_events().of_the_system().all().await;
        let types: Vec<_> = audited.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(
            types,
            ["job.cancelled", "job.cancelled", "job.retried", "job.retried", "queue.paused", "queue.resumed"]
        );
    })
    .await;
}

// The simulator answers while the command waits for it.
async fn doctor_says_what_is_wrong_and_what_to_do(engine: Engine) {
    on(engine, async |world| {
        let well = world.run(&["doctor"]);
        assert!(well.code == 0 && well.out.contains("nothing is wrong"), "{well:?}");
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("d.db").display());
    let away = run(&["doctor"], &[("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")]);
    assert!(away.code == 1 && away.out.contains("127.0.0.1:9") && away.out.contains("server running"), "{away:?}");
    let wrong = run(&["doctor"], &[("DATABASE_URL", &file), ("PORT", "x")]);
    assert!(wrong.code == 1 && wrong.out.contains("http.port"), "{wrong:?}");
    let twilio = [
        ("DATABASE_URL", file.as_str()),
        ("SMS_PROVIDER", "twilio"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
        ("TWILIO_AUTH_TOKEN", "the token"),
        ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
    ];
    let unreachable = run(&["doctor"], &twilio);
    assert!(unreachable.code == 1 && unreachable.out.contains("TWILIO_BASE_URL"), "{unreachable:?}");
    assert!(!unreachable.out.contains("the token"));
}

#[tokio::test]
async fn the_demo_plays_the_paid_booking_and_everything_comes_out_as_told() {
    for database in [None, Some(nightshift_db::testing::postgres().await)] {
        let mut arguments = vec!["demo", "--exit"];
        if let Some(database) = &database {
            arguments.extend(["--database-url", &database.url]);
        }
        let ran = run(&arguments, &[]);
        let told = ran.ok();
        assert!(told.contains("Every step gave the expected result"), "{told}");
        let steps = [
            "booking",
            "webhook",
            "job",
            "thread",
            "number",
            "window",
            "text",
            "audit",
            "routing",
            "why here?",
            "offer",
            "automation",
        ];
        for step in steps {
            assert!(told.contains(&format!("ms  {step}")), "{step} is not told:\n{told}");
        }
    }
}

// The server runs beside the command that measures it.
async fn the_load_generator_reports_what_it_sent_and_wrote(engine: Engine) {
    on(engine, async |world| {
        let filled = world.run(&["load", "bookings", "--count", "100", "--drifting-every", "10"]).json();
        assert_eq!(filled["bookings"], 100);
        assert_eq!(world.run(&["load", "bookings", "--floor"]).json()["rows"], 100);

        let _server = world.serve();
        let url = world.url();
        let measured = |what: &str| {
            let arguments = ["load", what, "--url", &url, "--connections", "2", "--seconds", "1", "--rate", "10"];
            world.run(&arguments).json()
        };
        let webhooks = measured("webhooks");
        assert_eq!((&webhooks["by_status"], &webhooks["errors"]), (&json!({"200": 10}), &json!(0)));
        let calls = measured("calls");
        assert_eq!((&calls["by_status"], &calls["errors"]), (&json!({"202": 10}), &json!(0)));

        let texts =
            world.run(&["load", "texts", "--url", &url, "--count", "20", "--senders", "3", "--connections", "2"]);
        let texts = texts.json();
        assert_eq!((&texts["by_status"], &texts["errors"]), (&json!({"200": 20}), &json!(0)));
        for (what, count) in [("received", 20), ("routed", 20), ("traced", 20), ("threads", 3), ("lost", 0)] {
            assert_eq!(texts[what], count, "{what}: {texts}");
        }
    })
    .await;
}

async fn a_lost_link_is_printed_again(engine: Engine) {
    on(engine, async |mut world| {
        world.set("SESSION_SECRET", "a secret that is long enough for tests");
        world.set("PUBLIC_URL", "https://book.example");
        let mut tx = world.db().begin().await.unwrap();
        let new = nightshift_domain::calls::NewServiceRequest {
            title: Some("Teeth".into()),
            user_phone: Some("+14155550199".into()),
            ..Default::default()
        };
        let by = nightshift_domain::actor::Actor::system("test");
        let now = Clock::system().now();
        let (id, _) = nightshift_domain::calls::create(&mut tx, &"org-paws".into(), new, &by, now).await.unwrap();
        tx.commit().await.unwrap();
        let link = world.run(&["request-link", id.as_str()]).ok();
        assert!(link.starts_with(&format!("https://book.example/request/{id}?t=")), "{link}");
        let secret = "a secret that is long enough for tests".into();
        assert!(nightshift::web::auth::link::is_good(&secret, &id, link.trim().split("?t=").nth(1).unwrap()));
        assert_eq!(world.run(&["request-link", "none"]).code, 1);
    })
    .await;
}

// The worker runs beside the command that waits for it.
async fn prices_are_checked_and_schedules_steered_from_the_command_line(engine: Engine) {
    on(engine, async |world| {
        let early = world.run(&["schedules", "disable", "pricing.reconcile"]);
        assert!(early.code == 1 && early.err.contains("no scheduler has run"), "{early:?}");
        let _server = world.serve();
        let checked = world.run(&["reconcile"]).ok();
        let lines: Vec<_> = checked.lines().collect();
        assert!(lines[0].starts_with("ORGANISATION") && lines.len() == 3, "{checked}");
        assert!(checked.contains("org-paws") && checked.contains("completed"), "{checked}");
        let later = world.run(&["reconcile", "--org", "org-paws", "--date", "2999-01-01"]);
        assert!(later.code == 1 && later.err.contains("in the future"), "{later:?}");
        assert_eq!(world.run(&["reconcile", "--date", "tomorrow"]).code, 2);
        assert_eq!(world.run(&["reconcile", "--org", "nobody"]).code, 1);
        assert!(world.run(&["reconcile", "--org", "org-paws", "--no-wait"]).ok().starts_with("org-paws: job "));

        let listed = world.run(&["schedules", "list"]).ok();
        for text in ["pricing.reconcile", "0 0 2 * * *", "org-paws", "retention.sweep", "exceptions.wake"] {
            assert!(listed.contains(text), "{text} is missing in\n{listed}");
        }
        world.run(&["schedules", "disable", "pricing.reconcile"]).ok();
        let list = world.run(&["schedules", "list", "--json"]).json();
        let nightly = &list["schedules"][0];
        assert_eq!((&nightly["name"], &nightly["enabled"]), (&json!("pricing.reconcile"), &json!(false)));
        world.run(&["schedules", "enable", "pricing.reconcile"]).ok();
        assert!(world.run(&["schedules", "run", "retention.sweep"]).ok().contains("retention.sweep: job "));
        world.events("retention.swept").until(1).await;
        let unknown = world.run(&["schedules", "run", "tea"]);
        assert!(unknown.code == 1 && unknown.err.contains("retention.sweep"), "{unknown:?}");
    })
    .await;
}
