//! The clock: when things are due in whose time, once, whoever looks and however late.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift::scheduler::Clockwork;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::access::api_keys::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::checks::eventually;
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift, on};

each_engine! {
    the_nightly_run_starts_at_two_in_each_organisations_own_time,
    an_organisation_that_moves_has_one_run_per_local_date_all_the_same,
    a_scheduler_that_was_down_fires_the_latest_missed_occurrence_once,
    any_number_of_schedulers_fires_each_occurrence_once,
    an_occurrence_whose_forerunner_is_not_done_is_skipped_and_says_so,
    ops_see_what_comes_next_and_run_it_now,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[derive(Debug)]
struct Slot {
    local_slot: String,
    due_at: Timestamp,
    fired_at: Timestamp,
    missed: bool,
    outcome: String,
}

async fn slots(nightshift: &Nightshift, schedule: &str, scope: &str) -> Vec<Slot> {
    let sql = "SELECT local_slot, due_at, fired_at, missed, outcome FROM schedule_slots
               WHERE schedule = $1 AND scope = $2 ORDER BY local_slot";
    let rows: Vec<(String, Timestamp, Timestamp, bool, String)> =
        nightshift.db.read(sql).bind(schedule).bind(scope).all().await.unwrap();
    rows.into_iter()
        .map(|(local_slot, due_at, fired_at, missed, outcome)| Slot { local_slot, due_at, fired_at, missed, outcome })
        .collect()
}

/// Waits until a schedule's newest slot is `local`.
async fn until_fired(nightshift: &Nightshift, schedule: &str, scope: &str, local: &str) {
    eventually(&format!("{schedule} of {scope} is fired for {local}"), async || {
        slots(nightshift, schedule, scope).await.last().is_some_and(|slot| slot.local_slot == local)
    })
    .await;
}

/// Another organisation, which the scheduler has noticed.
async fn organization(nightshift: &Nightshift, id: &str, zone: &str) {
    business::load(&nightshift.db, json!({"organizations": [{"id": id, "name": id, "slug": id, "timezone": zone}]}))
        .await;
    // It counts from when it first looked, so it is given hour after hour to look in.
    eventually(&format!("the scheduler knows {id}"), async || {
        nightshift.clock.advance(Duration::from_secs(3600));
        !slots(nightshift, "pricing.reconcile", id).await.is_empty()
    })
    .await;
}

async fn the_nightly_run_starts_at_two_in_each_organisations_own_time(engine: Engine) {
    on(engine, async |nightshift| {
        for (id, zone) in [
            ("ny", "America/New_York"),
            ("london", "Europe/London"),
            ("berlin", "Europe/Berlin"),
            ("kolkata", "Asia/Kolkata"),
        ] {
            organization(&nightshift, id, zone).await;
        }
        for (org, date, due) in [
            ("ny", "2025-03-09", "2025-03-09T07:00:00Z"),
            ("london", "2025-03-30", "2025-03-30T01:00:00Z"),
            ("kolkata", "2025-06-02", "2025-06-01T20:30:00Z"),
            ("berlin", "2025-10-26", "2025-10-26T00:00:00Z"),
            ("ny", "2025-11-02", "2025-11-02T07:00:00Z"),
        ] {
            let due = at(due);
            nightshift.clock.set(due - Duration::from_millis(1));
            nightshift.quiet().await;
            nightshift.clock.set(due);
            let local = format!("{date}T02:00:00");
            until_fired(&nightshift, "pricing.reconcile", org, &local).await;
            // Through the hours in which the clock may show 02:00 again.
            for minutes in [30, 60, 90, 180] {
                nightshift.clock.set(due + Duration::from_secs(60 * minutes));
                nightshift.quiet().await;
            }
            let slots = slots(&nightshift, "pricing.reconcile", org).await;
            let of_day: Vec<_> = slots.iter().filter(|slot| slot.local_slot.starts_with(date)).collect();
            assert_eq!(of_day.len(), 1, "{of_day:#?}");
            assert_eq!((of_day[0].due_at, of_day[0].fired_at, of_day[0].missed), (due, due, false), "{org} {date}");
            assert_eq!(nightshift.reconciliation_runs().of(org).on(date).completed().count().await, 1, "{org} {date}");
        }
    })
    .await;
}

async fn an_organisation_that_moves_has_one_run_per_local_date_all_the_same(engine: Engine) {
    on(engine, async |nightshift| {
        organization(&nightshift, "mover", "Europe/London").await;
        nightshift.clock.set(at("2025-01-10T02:00:00Z"));
        until_fired(&nightshift, "pricing.reconcile", "mover", "2025-01-10T02:00:00").await;
        nightshift.move_organization("mover", "America/Los_Angeles").await;
        // 02:00 comes again, eight hours later; it has had its run.
        for at in ["2025-01-10T10:00:00Z", "2025-01-10T12:00:00Z"] {
            nightshift.clock.set(at.parse().unwrap());
            nightshift.pass(Duration::from_secs(120)).await;
        }
        let of_day = slots(&nightshift, "pricing.reconcile", "mover").await;
        assert_eq!(of_day.iter().filter(|slot| slot.local_slot.starts_with("2025-01-10")).count(), 1);
        nightshift.clock.set(at("2025-01-11T10:00:00Z"));
        until_fired(&nightshift, "pricing.reconcile", "mover", "2025-01-11T02:00:00").await;
    })
    .await;
}

async fn a_scheduler_that_was_down_fires_the_latest_missed_occurrence_once(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.clock.set(at("2025-01-10T01:50:00Z"));
        nightshift.quiet().await;
        // Nobody looks until 09:00.
        nightshift.clock.set(at("2025-01-10T09:00:00Z"));
        until_fired(&nightshift, "pricing.reconcile", "org-paws", "2025-01-10T02:00:00").await;
        let slot = slots(&nightshift, "pricing.reconcile", "org-paws").await.pop().unwrap();
        assert_eq!(
            (slot.missed, slot.due_at, slot.fired_at),
            (true, at("2025-01-10T02:00:00Z"), at("2025-01-10T09:00:00Z"))
        );
        nightshift.quiet().await;
        let check = nightshift.reconciliation_runs().of("org-paws").since("2025-01-10").one().await;
        assert_eq!((check.local_date.as_str(), check.missed), ("2025-01-10", true));
        // And a week: one run, not seven.
        nightshift.clock.set(at("2025-01-17T09:00:00Z"));
        until_fired(&nightshift, "pricing.reconcile", "org-paws", "2025-01-17T02:00:00").await;
        nightshift.quiet().await;
        assert_eq!(nightshift.reconciliation_runs().of("org-paws").after("2025-01-10").count().await, 1);
        // The next one is on time again.
        nightshift.clock.set(at("2025-01-18T02:00:00Z"));
        until_fired(&nightshift, "pricing.reconcile", "org-paws", "2025-01-18T02:00:00").await;
        assert!(!slots(&nightshift, "pricing.reconcile", "org-paws").await.pop().unwrap().missed);
    })
    .await;
}

async fn any_number_of_schedulers_fires_each_occurrence_once(engine: Engine) {
    on(engine, async |nightshift| {
        let clock = Clockwork::new(&Settings::built_in().unwrap()).unwrap();
        let others: Vec<_> = (0..4).map(|_| tokio::spawn(clock.clone().run(nightshift.app.queue.clone()))).collect();
        for day in 1..=5 {
            nightshift.clock.set(at(&format!("2025-02-0{day}T02:00:00Z")));
            until_fired(&nightshift, "pricing.reconcile", "org-paws", &format!("2025-02-0{day}T02:00:00")).await;
            nightshift.quiet().await;
        }
        let jobs = nightshift.jobs("pricing.reconcile").of("org-paws").due_since("2025-02-01T00:00:00Z");
        assert_eq!(jobs.count().await, 5);
        assert_eq!(nightshift.reconciliation_runs().of("org-paws").since("2025-02-01").count().await, 5);
        others.iter().for_each(tokio::task::JoinHandle::abort);
    })
    .await;
}

async fn an_occurrence_whose_forerunner_is_not_done_is_skipped_and_says_so(engine: Engine) {
    on(engine, async |nightshift| {
        // The program starts at the time of an occurrence, which must not be the forerunner that is not done.
        until_fired(&nightshift, "exceptions.wake", "", "2024-12-29T22:00:00").await;
        nightshift.quiet().await;
        nightshift.pause("maintenance").await;
        for minute in ["00", "05", "10"] {
            nightshift.clock.set(at(&format!("2025-01-10T12:{minute}:00Z")));
            until_fired(&nightshift, "exceptions.wake", "", &format!("2025-01-10T12:{minute}:00")).await;
        }
        let outcomes: Vec<_> =
            slots(&nightshift, "exceptions.wake", "").await.into_iter().map(|slot| slot.outcome).collect();
        assert_eq!(outcomes[outcomes.len() - 3..], ["fired", "skipped", "skipped"]);
        nightshift.resume("maintenance").await;
        nightshift.quiet().await;
        nightshift.clock.set(at("2025-01-10T12:15:00Z"));
        until_fired(&nightshift, "exceptions.wake", "", "2025-01-10T12:15:00").await;
        assert_eq!(slots(&nightshift, "exceptions.wake", "").await.pop().unwrap().outcome, "fired");
    })
    .await;
}

async fn ops_see_what_comes_next_and_run_it_now(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let kolkata = json!({"id": "kolkata", "name": "K", "slug": "k", "timezone": "Asia/Kolkata"});
            business::load(&nightshift.db, json!({"organizations": [kolkata]})).await;
            let ops = nightshift.sign_in(business::OPS).await;
            let list = nightshift.send(Method::GET, "/api/ops/schedules", &ops, None).await.expect(200).json();
            let by_name = |name: &str| {
                list["schedules"].as_array().unwrap().iter().find(|schedule| schedule["name"] == name).cloned().unwrap()
            };
            let nightly = by_name("pricing.reconcile");
            assert_eq!(
                (&nightly["cron"], &nightly["timezoneMode"], &nightly["enabled"]),
                (&json!("0 0 2 * * *"), &json!("org"), &json!(true))
            );
            let scopes = nightly["scopes"].as_array().unwrap();
            let kolkata = scopes.iter().find(|scope| scope["orgId"] == "kolkata").unwrap();
            let next: Vec<_> = kolkata["next"].as_array().unwrap().iter().map(|next| next["at"].clone()).collect();
            assert_eq!(
                next,
                [
                    json!("2024-12-30T20:30:00.000Z"),
                    json!("2024-12-31T20:30:00.000Z"),
                    json!("2025-01-01T20:30:00.000Z")
                ]
            );
            assert_eq!(kolkata["next"][0]["local"], "2024-12-31T02:00:00");
            assert_eq!(by_name("retention.sweep")["scopes"][0]["next"][0]["at"], "2024-12-30T04:00:00.000Z");

            let run = async |name: &str, body: Value, caller: &Caller, expected: u16| {
                let path = format!("/api/ops/schedules/{name}/run");
                nightshift.send(Method::POST, &path, caller, Some(body)).await.expect(expected).json()
            };
            let jobs = run("pricing.reconcile", json!({"orgId": "kolkata"}), &ops, 202).await;
            assert_eq!(jobs["jobIds"].as_array().unwrap().len(), 1);
            nightshift.reconciliation_runs().manual().until(1).await;
            run("retention.sweep", json!({}), &ops, 202).await;
            nightshift.events("retention.swept").until(1).await;
            run("tea.time", json!({}), &ops, 404).await;
            run("pricing.reconcile", json!({"orgId": "nobody"}), &ops, 404).await;
            let key = nightshift.key(&[Scope::JobsAdmin]).await;
            run("exceptions.wake", json!({}), &key, 202).await;
        },
    )
    .await;
}
