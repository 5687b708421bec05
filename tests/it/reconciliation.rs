//! The nightly price check: what it finds, what it leaves alone, and that it changes nothing.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Db, Engine, Timestamp};
use nightshift_lab::bulk::{self, Fill};
use serde_json::{Value, json};

use super::pricing::rule;
use crate::support::business::{self, booking, booking_of};
use crate::support::nightshift::on_with;
use crate::support::process::World;
use crate::support::{Nightshift, on};

each_engine! {
    drift_is_found_explained_put_before_people_and_nothing_is_changed,
    what_cannot_be_computed_is_told_and_does_not_stop_the_run,
    only_bookings_of_the_last_90_days_that_stood_when_the_run_began_are_looked_at,
    somebody_may_ask_for_a_run_one_at_a_time,
    a_run_that_was_given_up_is_told_and_goes_on_where_it_was,
    a_run_that_is_killed_again_and_again_comes_to_the_same_end,
    behind_the_shield_no_price_can_be_written_and_others_are_not_hindered,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Lets the clock come to the next 02:00 and the runs end.
async fn night(nightshift: &Nightshift, completed: i64) {
    let two = nightshift.clock.now().to_datetime().date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
    let two = Timestamp::from(two);
    nightshift.clock.set(if nightshift.clock.now() < two { two } else { two + DAY });
    nightshift.reconciliation_runs().completed().until(completed).await;
    nightshift.quiet().await;
}

/// Every column of every row, to the byte.
async fn all_of(db: &Db, table: &str) -> String {
    let sql = match db.engine() {
        Engine::Postgres => format!("SELECT COALESCE(string_agg(t::text, '\n' ORDER BY id), '') FROM {table} AS t"),
        Engine::Sqlite => {
            let columns: Vec<(String,)> =
                db.read(leak(format!("SELECT name FROM pragma_table_info('{table}')"))).all().await.unwrap();
            let row: Vec<_> = columns.iter().map(|(name,)| format!("quote(\"{name}\")")).collect();
            let row = row.join(" || '|' || ");
            format!(
                "SELECT COALESCE(group_concat(line, char(10)), '') FROM (SELECT {row} AS line FROM {table} ORDER BY id)"
            )
        }
    };
    db.read(leak(sql)).scalar().await.unwrap()
}

fn leak(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}

async fn prices(db: &Db) -> [String; 3] {
    [all_of(db, "bookings").await, all_of(db, "pricing_snapshots").await, all_of(db, "pricing_rules").await]
}

async fn exceptions(nightshift: &Nightshift, status: &str) -> Vec<Value> {
    let path = format!("/api/exceptions?type=pricing_drift&status={status}");
    nightshift.get(&path).await.expect(200).json()["exceptions"].as_array().unwrap().clone()
}

async fn drift_is_found_explained_put_before_people_and_nothing_is_changed(engine: Engine) {
    on(engine, async |nightshift| {
        let unpriced = nightshift.book_as(booking_of(1)).await;
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let (right, edited, wrong) = (
            nightshift.book_as(booking_of(2)).await,
            nightshift.book_as(booking_of(3)).await,
            nightshift.book_as(booking_of(4)).await,
        );
        let cancelled = nightshift.book_as(booking_of(5)).await;
        nightshift.patch(&format!("/api/bookings/{edited}"), json!({"quantity": 2})).await.expect(200);
        nightshift.patch(&format!("/api/bookings/{cancelled}"), json!({"quantity": 2})).await.expect(200);
        nightshift.post(&format!("/api/bookings/{cancelled}/cancel"), json!({})).await.expect(200);
        nightshift.price_booking(&wrong, 3_960).await;
        let mut later = rule();
        later["baseMinor"] = json!(1);
        later["effectiveFrom"] = json!(nightshift.clock.now() + Duration::from_secs(60));
        nightshift.post("/api/pricing-rules", later).await.expect(201);
        nightshift.quiet().await;

        let before = prices(&nightshift.db).await;
        night(&nightshift, 2).await;
        assert_eq!(prices(&nightshift.db).await, before, "bookings, snapshots and rules are as they were");

        let runs = nightshift.get("/api/reconciliation/runs").await.expect(200).json();
        let run = runs["runs"].as_array().unwrap().iter().find(|run| run["orgId"] == "org-paws").unwrap().clone();
        let expected = json!({
            "localDate": "2024-12-30", "triggerKind": "scheduled", "attemptNo": 0, "status": "completed",
            "missed": false, "checked": 3, "skippedNoSnapshot": 1, "notComputable": 0, "drifted": 2, "high": 1,
            "medium": 0, "low": 1,
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&run[field], value, "{field} of {run}");
        }

        let path = format!("/api/reconciliation/runs/{}/drifts", run["id"].as_str().unwrap());
        let drifts = nightshift.get(&path).await.expect(200).json()["drifts"].as_array().unwrap().clone();
        let drift_of = |id: &str| drifts.iter().find(|drift| drift["bookingId"] == id).cloned();
        assert_eq!((drift_of(&unpriced), drift_of(&right), drift_of(&cancelled)), (None, None, None));
        let drift = drift_of(&edited).unwrap();
        assert_eq!(
            (
                &drift["storedMinor"],
                &drift["recomputedMinor"],
                &drift["driftMinor"],
                &drift["severity"],
                &drift["cause"]
            ),
            (&json!(4000), &json!(5000), &json!(-1000), &json!("high"), &json!("inputs_changed"))
        );
        assert_eq!(drift["detail"]["changedInputs"], json!(["quantity"]));
        assert_eq!(drift["storedLines"][0]["amountMinor"], 4000);
        assert_eq!(drift["detail"]["recomputedLines"][0]["amountMinor"], 5000);
        let drift = drift_of(&wrong).unwrap();
        assert_eq!(
            (&drift["driftMinor"], &drift["severity"], &drift["cause"]),
            (&json!(-40), &json!("low"), &json!("total_mismatch"))
        );
        let high = nightshift.get(&format!("{path}?severity=high")).await.expect(200).json();
        assert_eq!(high["drifts"].as_array().unwrap().len(), 1);
        nightshift.get(&format!("{path}?severity=terrible")).await.expect(422);
        nightshift.get("/api/reconciliation/runs/none/drifts").await.expect(404);

        let log = nightshift.get("/api/event-log?eventType=pricing.drift.detected").await.expect(200).json();
        assert_eq!(log["events"].as_array().unwrap().len(), 2);
        let log = nightshift.get("/api/event-log?eventType=pricing.reconciliation.completed").await.expect(200).json();
        assert_eq!(log["events"].as_array().unwrap().len(), 1, "one of this organisation's");
        let of_run = log["events"].as_array().unwrap().iter().find(|event| event["orgId"] == "org-paws").unwrap();
        assert_eq!((&of_run["metadata"]["checked"], &of_run["metadata"]["drifted"]), (&json!(3), &json!(2)));
        assert!(of_run["metadata"]["durationMs"].is_i64());

        // The more urgent first, each with its facts.
        let open = exceptions(&nightshift, "open").await;
        let seen: Vec<_> =
            open.iter().map(|item| (&item["bookingId"], &item["severity"], &item["occurrences"])).collect();
        assert_eq!(seen, [(&json!(edited), &json!("high"), &json!(1)), (&json!(wrong), &json!("low"), &json!(1))]);
        let one =
            nightshift.get(&format!("/api/exceptions/{}", open[0]["id"].as_str().unwrap())).await.expect(200).json();
        assert_eq!(one["drift"]["recomputedMinor"], 5000);

        // Another night: the same rows, seen twice; what was repaired is closed.
        nightshift.post(&format!("/api/bookings/{edited}/reprice"), json!({"reason": "two dogs"})).await.expect(200);
        night(&nightshift, 4).await;
        let open = exceptions(&nightshift, "open").await;
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0]["bookingId"], &open[0]["occurrences"]), (&json!(wrong), &json!(2)));
        let resolved = exceptions(&nightshift, "resolved").await;
        assert_eq!((&resolved[0]["bookingId"], &resolved[0]["resolvedBy"]), (&json!(edited), &json!("system")));
        assert_eq!(resolved[0]["resolutionNote"], "The price is correct again.");

        // A booking that is no longer looked at needs nobody any more.
        nightshift.post(&format!("/api/bookings/{wrong}/cancel"), json!({})).await.expect(200);
        night(&nightshift, 6).await;
        assert_eq!(exceptions(&nightshift, "open").await.len(), 0);
    })
    .await;
}

async fn what_cannot_be_computed_is_told_and_does_not_stop_the_run(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let odd = nightshift.book_as(booking_of(1)).await;
        nightshift.book_as(booking_of(2)).await;
        nightshift.patch(&format!("/api/bookings/{odd}"), json!({"service": "cat_sitting"})).await.expect(200);
        night(&nightshift, 2).await;
        let check = nightshift.reconciliation_runs().of("org-paws").one().await;
        assert_eq!((check.checked, check.not_computable, check.drifted), (1, 1, 0));
        let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
        let item = &list["exceptions"][0];
        assert_eq!((&item["bookingId"], &item["severity"]), (&json!(odd), &json!("low")));
        assert!(item["detail"]["error"].as_str().unwrap().contains("cat_sitting"), "{item}");
        let shown = nightshift.get(&format!("/api/bookings/{odd}/pricing")).await.expect(200).json();
        assert!(shown["error"].as_str().unwrap().contains("cat_sitting"), "{shown}");
        // With its service back it is computed, and closed.
        nightshift.patch(&format!("/api/bookings/{odd}"), json!({"service": "dog_walking"})).await.expect(200);
        night(&nightshift, 4).await;
        let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
        assert_eq!(list["exceptions"].as_array().unwrap().len(), 0);
    })
    .await;
}

async fn only_bookings_of_the_last_90_days_that_stood_when_the_run_began_are_looked_at(engine: Engine) {
    on_with(
        engine,
        |settings| settings.reconciliation.chunk_size = 2,
        async |nightshift| {
            nightshift.post("/api/pricing-rules", rule()).await.expect(201);
            for number in 0..7 {
                nightshift.book_as(booking_of(number)).await;
            }
            nightshift.quiet().await;
            let two = Timestamp::from("2024-12-30T02:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
            let bookings = nightshift.bookings().all().await;
            let takes_place = async |booking: &str, start: Timestamp, end: Timestamp| {
                let sql = "UPDATE bookings SET start_at = $2, end_at = $3 WHERE id = $1";
                nightshift.db.write(sql).bind(booking).bind(start).bind(end).execute().await.unwrap();
            };
            let set = async |sql, booking: &str, at: Timestamp| {
                nightshift.db.write(sql).bind(booking).bind(at).execute().await.unwrap();
            };
            let (old, hour) = (two - 90 * DAY, Duration::from_secs(3600));
            takes_place(&bookings[0].id, old - 2 * DAY, old - Duration::from_millis(1)).await;
            takes_place(&bookings[1].id, old - DAY, old + hour).await;
            set("UPDATE bookings SET updated_at = $2 WHERE id = $1", &bookings[5].id, two + hour).await;
            set("UPDATE bookings SET created_at = $2 WHERE id = $1", &bookings[6].id, two + hour).await;
            night(&nightshift, 2).await;
            let check = nightshift.reconciliation_runs().of("org-paws").one().await;
            assert_eq!(
                (check.checked, check.drifted),
                (4, 1),
                "of the seven one is too old, one was changed and one made since"
            );
        },
    )
    .await;
}

async fn somebody_may_ask_for_a_run_one_at_a_time(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let id = nightshift.book().await;
        nightshift.quiet().await;
        let asked = nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        assert!(asked.header("location").unwrap().starts_with("/api/jobs/"));
        nightshift.reconciliation_runs().completed().until(1).await;
        nightshift.patch(&format!("/api/bookings/{id}"), json!({"quantity": 3})).await.expect(200);
        nightshift.post("/api/reconciliation/runs", json!({"date": "2024-12-01"})).await.expect(202);
        nightshift.reconciliation_runs().completed().until(2).await;
        nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        nightshift.reconciliation_runs().completed().until(3).await;
        let checks = nightshift.reconciliation_runs().all().await;
        let runs: Vec<_> =
            checks.iter().map(|check| (check.local_date.as_str(), check.attempt_no, check.drifted)).collect();
        assert_eq!(runs, [("2024-12-29", 1, 0), ("2024-12-01", 1, 1), ("2024-12-29", 2, 1)]);
        assert_eq!(exceptions(&nightshift, "open").await[0]["occurrences"], 2);

        nightshift.given("UPDATE reconciliation_runs SET status = 'running'").await;
        let refused = nightshift.post("/api/reconciliation/runs", json!({})).await.expect(409).json();
        assert_eq!(refused["code"], "reconciliation_running");
        for bad in [json!({"date": "2025-06-01"}), json!({"date": "yesterday"}), json!([])] {
            nightshift.post("/api/reconciliation/runs", bad).await.expect(422);
        }
    })
    .await;
}

async fn a_run_that_was_given_up_is_told_and_goes_on_where_it_was(engine: Engine) {
    on_with(
        engine,
        |settings| settings.reconciliation.chunk_size = 1,
        async |nightshift| {
            nightshift.post("/api/pricing-rules", rule()).await.expect(201);
            for number in 0..3 {
                nightshift.book_as(booking_of(number)).await;
            }
            nightshift.quiet().await;
            // What the third booking was priced with is no longer readable.
            let last = nightshift.bookings().all().await.pop().unwrap();
            let (good, bad) = ("[\"key_pickup\"]", "7");
            let set = |add_ons: &'static str| {
                let sql = leak(format!("UPDATE bookings SET add_ons = '{add_ons}' WHERE id = '{}'", last.id));
                nightshift.db.write(sql).execute()
            };
            set(bad).await.unwrap();
            nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
            nightshift.reconciliation_runs().failed().that_checked(2).skip_waits_until(1).await;
            let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
            assert_eq!(list["exceptions"].as_array().unwrap().len(), 1, "{list}");
            let log = nightshift.get("/api/event-log?eventType=pricing.reconciliation.failed").await.expect(200).json();
            assert_eq!(log["events"].as_array().unwrap().len(), 1);

            set(good).await.unwrap();
            let dead = nightshift.jobs("pricing.reconcile.chunk").dead().one().await;
            let mut tx = nightshift.db.begin().await.unwrap();
            nightshift_jobs::registry().retry(&nightshift.app.queue, &mut tx, &dead.id, None).await.unwrap();
            tx.commit().await.unwrap();
            nightshift.reconciliation_runs().completed().that_checked(3).until(1).await;
            let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
            assert_eq!(list["exceptions"].as_array().unwrap().len(), 0, "{list}");
        },
    )
    .await;
}

async fn a_run_that_is_killed_again_and_again_comes_to_the_same_end(engine: Engine) {
    let mut world = World::on(engine).await;
    let db = world.db().clone();
    let fill = Fill { org: "org-paws".into(), drifting_every: 10, now: business::start() };
    let mut tx = db.begin().await.unwrap();
    bulk::prepare(&mut tx, &fill).await.unwrap();
    tx.commit().await.unwrap();
    bulk::write(&db, &fill, 0, 1_000).await.unwrap();
    // The bookings start in the past of the real clock.
    world.set("NIGHTSHIFT__RECONCILIATION__LOOKBACK_DAYS", "36500");
    world.set("NIGHTSHIFT__RECONCILIATION__CHUNK_SIZE", "50");
    let before = prices(&db).await;
    let asked = world.command(&["reconcile", "--org", "org-paws", "--no-wait"]).status().unwrap();
    assert!(asked.success());
    for point in ["pricing.reconcile.chunk.examined", "pricing.reconcile.chunk.recorded"].repeat(2) {
        let failpoint = format!("{point}=abort");
        let mut process = world.serve_with(&["--role", "worker"], &[("NIGHTSHIFT_FAILPOINTS", &failpoint)]);
        assert!(!process.wait().await.success(), "{point} was not reached");
        world.leases_run_out().await;
        // Being killed again and again is what the test is about, not a job that kills its process.
        db.write("UPDATE jobs SET crashes = 0").execute().await.unwrap();
    }
    let _worker = world.serve_with(&["--role", "worker"], &[]);
    world.reconciliation_runs().completed().until(1).await;
    let check = world.reconciliation_runs().of("org-paws").one().await;
    assert_eq!((check.checked, check.drifted), (1_000, 100));
    let drifts = world.drifts().all().await;
    assert_eq!(drifts.len(), 100);
    for (n, drift) in drifts.iter().enumerate() {
        assert_eq!(drift.booking_id, format!("load-{:010}", n * 10));
        assert_eq!(drift.drift_minor, 100 * (1 + i64::try_from(n).unwrap() % 60));
    }
    let exceptions = world.exceptions("pricing_drift").all().await;
    assert!(exceptions.iter().all(|exception| exception.occurrences == 1), "{exceptions:?}");
    assert_eq!(exceptions.len(), 100);
    assert_eq!(world.events("pricing.drift.detected").count().await, 100);
    assert_eq!(prices(&db).await, before);
}

async fn behind_the_shield_no_price_can_be_written_and_others_are_not_hindered(engine: Engine) {
    use nightshift_domain::reconciliation::Shielded;
    on(engine, async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let id = nightshift.book().await;
        nightshift.quiet().await;
        for sql in [
            "UPDATE bookings SET total_minor = 1",
            "DELETE FROM bookings",
            "INSERT INTO bookings (id, org_id, client_id, service, start_at, end_at)
             SELECT 'new', org_id, client_id, service, start_at, end_at FROM bookings",
            "INSERT INTO pricing_snapshots (id, org_id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at)
             SELECT 'new', org_id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at FROM pricing_snapshots",
            "INSERT INTO pricing_rules (id, org_id, service, version, effective_from, base_minor, unit_minutes, currency)
             SELECT 'new', org_id, service, 9, effective_from, base_minor, unit_minutes, currency FROM pricing_rules",
        ] {
            let mut shielded = Shielded::over(nightshift.db.begin().await.unwrap()).await.unwrap();
            let refusal = shielded.tx().query(sql).execute().await.unwrap_err().to_string();
            assert!(refusal.contains("read-only in this transaction"), "{sql}: {refusal}");
        }
        // SQLite has one writer anyway; on PostgreSQL others write as ever while the shield is up.
        if nightshift.db.engine() == Engine::Postgres {
            let shielded = Shielded::over(nightshift.db.begin().await.unwrap()).await.unwrap();
            nightshift.patch(&format!("/api/bookings/{id}"), json!({"quantity": 2})).await.expect(200);
            shielded.commit().await.unwrap();
        }
        nightshift.patch(&format!("/api/bookings/{id}"), json!({"quantity": 4})).await.expect(200);
        assert_eq!(nightshift.count("SELECT count(*) FROM price_shield").await, 0);
        nightshift.book_as(booking()).await;
    })
    .await;
}
