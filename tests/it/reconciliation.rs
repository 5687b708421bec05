//! The nightly price check: what it finds, what it leaves alone, and that it changes nothing.

use std::time::Duration;

use nightshift_db::testing::{TestDb, engines};
use nightshift_db::{Db, Engine, Timestamp};
use nightshift_lab::bulk::{self, Fill};
use serde_json::{Value, json};

use super::pricing::rule;
use crate::support::business::{self, booking, booking_of};
use crate::support::nightshift::on_both_with;
use crate::support::process::World;
use crate::support::{Nightshift, on_both};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Lets the clock come to the next 02:00 and the runs end.
async fn night(nightshift: &Nightshift, completed: i64) {
    let two = nightshift.clock.now().to_datetime().date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
    let two = Timestamp::from(two);
    nightshift.clock.set(if nightshift.clock.now() < two { two } else { two + DAY });
    nightshift.until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed'", completed).await;
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

#[tokio::test]
async fn d11_d12_d13_d14_d16_drift_is_found_explained_put_before_people_and_nothing_is_changed() {
    on_both(async |nightshift| {
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
        nightshift
            .db
            .write("UPDATE bookings SET total_minor = 3960 WHERE id = $1")
            .bind(&wrong)
            .execute()
            .await
            .unwrap();
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
        assert_eq!(resolved[0]["resolutionNote"], "The price is in order again.");

        // A booking that is no longer looked at needs nobody any more.
        nightshift.post(&format!("/api/bookings/{wrong}/cancel"), json!({})).await.expect(200);
        night(&nightshift, 6).await;
        assert_eq!(exceptions(&nightshift, "open").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_computed_is_told_and_does_not_stop_the_run() {
    on_both(async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let odd = nightshift.book_as(booking_of(1)).await;
        nightshift.book_as(booking_of(2)).await;
        nightshift.patch(&format!("/api/bookings/{odd}"), json!({"service": "cat_sitting"})).await.expect(200);
        night(&nightshift, 2).await;
        let runs: Vec<(i64, i64, i64)> = nightshift
            .rows("SELECT checked, not_computable, drifted FROM reconciliation_runs WHERE org_id = 'org-paws'")
            .await;
        assert_eq!(runs, [(1, 1, 0)]);
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

#[tokio::test]
async fn only_bookings_of_the_last_90_days_that_stood_when_the_run_began_are_looked_at() {
    on_both_with(
        |settings| settings.reconciliation.chunk_size = 2,
        async |nightshift| {
            nightshift.post("/api/pricing-rules", rule()).await.expect(201);
            for number in 0..7 {
                nightshift.book_as(booking_of(number)).await;
            }
            nightshift.quiet().await;
            let two = Timestamp::from("2024-12-30T02:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
            let rows: Vec<(String,)> = nightshift.rows("SELECT id FROM bookings ORDER BY id").await;
            let set = async |sql, id: &str, at: Timestamp| {
                nightshift.db.write(sql).bind(id).bind(at).execute().await.unwrap();
            };
            let (old, hour) = (two - 90 * DAY, Duration::from_secs(3600));
            set("UPDATE bookings SET start_at = $2 WHERE id = $1", &rows[0].0, old - 2 * DAY).await;
            set("UPDATE bookings SET end_at = $2 WHERE id = $1", &rows[0].0, old - Duration::from_millis(1)).await;
            set("UPDATE bookings SET start_at = $2 WHERE id = $1", &rows[1].0, old - DAY).await;
            set("UPDATE bookings SET end_at = $2 WHERE id = $1", &rows[1].0, old + hour).await;
            set("UPDATE bookings SET updated_at = $2 WHERE id = $1", &rows[5].0, two + hour).await;
            set("UPDATE bookings SET created_at = $2 WHERE id = $1", &rows[6].0, two + hour).await;
            night(&nightshift, 2).await;
            let checked: Vec<(i64, i64)> =
                nightshift.rows("SELECT checked, drifted FROM reconciliation_runs WHERE org_id = 'org-paws'").await;
            assert_eq!(checked, [(4, 1)], "of the seven one is too old, one was changed and one made since");
        },
    )
    .await;
}

#[tokio::test]
async fn somebody_may_ask_for_a_run_one_at_a_time() {
    on_both(async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let id = nightshift.book().await;
        nightshift.quiet().await;
        let asked = nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        assert!(asked.header("location").unwrap().starts_with("/api/jobs/"));
        nightshift.until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed'", 1).await;
        nightshift.patch(&format!("/api/bookings/{id}"), json!({"quantity": 3})).await.expect(200);
        nightshift.post("/api/reconciliation/runs", json!({"date": "2024-12-01"})).await.expect(202);
        nightshift.until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed'", 2).await;
        nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        nightshift.until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed'", 3).await;
        let runs: Vec<(String, i64, i64)> = nightshift
            .rows("SELECT local_date, attempt_no, drifted FROM reconciliation_runs ORDER BY started_at, id")
            .await;
        let runs: Vec<_> = runs.iter().map(|(date, attempt, drifted)| (date.as_str(), *attempt, *drifted)).collect();
        assert_eq!(runs, [("2024-12-29", 1, 0), ("2024-12-01", 1, 1), ("2024-12-29", 2, 1)]);
        assert_eq!(exceptions(&nightshift, "open").await[0]["occurrences"], 2);

        nightshift.db.write("UPDATE reconciliation_runs SET status = 'running'").execute().await.unwrap();
        let refused = nightshift.post("/api/reconciliation/runs", json!({})).await.expect(409).json();
        assert_eq!(refused["code"], "reconciliation_running");
        for bad in [json!({"date": "2025-06-01"}), json!({"date": "yesterday"}), json!({"when": "now"})] {
            nightshift.post("/api/reconciliation/runs", bad).await.expect(422);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_given_up_is_told_and_goes_on_where_it_was() {
    on_both_with(
        |settings| settings.reconciliation.chunk_size = 1,
        async |nightshift| {
            nightshift.post("/api/pricing-rules", rule()).await.expect(201);
            for number in 0..3 {
                nightshift.book_as(booking_of(number)).await;
            }
            nightshift.quiet().await;
            // What the third booking was priced with is no longer readable.
            let last: Vec<(String,)> = nightshift.rows("SELECT max(id) FROM bookings").await;
            let (good, bad) = ("[\"key_pickup\"]", "7");
            let set = |add_ons: &'static str| {
                let sql = leak(format!("UPDATE bookings SET add_ons = '{add_ons}' WHERE id = '{}'", last[0].0));
                nightshift.db.write(sql).execute()
            };
            set(bad).await.unwrap();
            nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
            nightshift
                .skip_waits_until("SELECT count(*) FROM reconciliation_runs WHERE status = 'failed' AND checked = 2", 1)
                .await;
            let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
            assert_eq!(list["exceptions"].as_array().unwrap().len(), 1, "{list}");
            let log = nightshift.get("/api/event-log?eventType=pricing.reconciliation.failed").await.expect(200).json();
            assert_eq!(log["events"].as_array().unwrap().len(), 1);

            set(good).await.unwrap();
            let dead: Vec<(String,)> =
                nightshift.rows("SELECT id FROM jobs WHERE state = 'dead' AND kind = 'pricing.reconcile.chunk'").await;
            let mut tx = nightshift.db.begin().await.unwrap();
            nightshift_jobs::registry().retry(&nightshift.app.queue, &mut tx, &dead[0].0, None).await.unwrap();
            tx.commit().await.unwrap();
            nightshift
                .until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed' AND checked = 3", 1)
                .await;
            let list = nightshift.get("/api/exceptions?type=reconciliation_failed").await.expect(200).json();
            assert_eq!(list["exceptions"].as_array().unwrap().len(), 0, "{list}");
        },
    )
    .await;
}

/// What a run came to, without times and ids.
async fn outcome(db: &Db) -> (Vec<(i64, i64, i64, i64, i64)>, Vec<(String, i64, String)>, Vec<(String, i64)>) {
    (
        db.read("SELECT checked, drifted, high, medium, low FROM reconciliation_runs WHERE org_id = 'org-paws'")
            .all()
            .await
            .unwrap(),
        db.read("SELECT booking_id, drift_minor, severity FROM pricing_drifts ORDER BY booking_id")
            .all()
            .await
            .unwrap(),
        db.read("SELECT booking_id, occurrences FROM exceptions WHERE type = 'pricing_drift' ORDER BY booking_id")
            .all()
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn d17_a_run_that_is_killed_again_and_again_comes_to_the_same_end() {
    let worlds = engines().await.into_iter().map(async |database: TestDb| {
        let mut world = World::new(database).await;
        let db = world.database.db.clone();
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
        world.until("SELECT count(*) FROM reconciliation_runs WHERE status = 'completed'", 1).await;
        let (runs, drifts, exceptions) = outcome(&db).await;
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].0, runs[0].1), (1_000, 100));
        assert_eq!(drifts.len(), 100);
        for (n, (booking, drift, _)) in drifts.iter().enumerate() {
            assert_eq!(*booking, format!("load-{:010}", n * 10));
            assert_eq!(*drift, 100 * (1 + i64::try_from(n).unwrap() % 60));
        }
        assert!(exceptions.iter().all(|(_, occurrences)| *occurrences == 1), "{exceptions:?}");
        assert_eq!(exceptions.len(), 100);
        let count = "SELECT count(*) FROM event_log WHERE event_type = 'pricing.drift.detected'";
        assert_eq!(world.count(count).await, 100);
        assert_eq!(prices(&db).await, before);
    });
    futures_util::future::join_all(worlds).await;
}

#[tokio::test]
async fn behind_the_shield_no_price_can_be_written_and_others_are_not_hindered() {
    use nightshift_domain::reconciliation::Shielded;
    on_both(async |nightshift| {
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
