//! The checker of promises finds what breaks them, and nothing where all is well.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::{each_engine, empty};
use nightshift_jobs::promises::broken;
use nightshift_lab::simulator::{Fault, FaultRule, Match};
use serde_json::json;

use crate::support::business::paid;
use crate::support::process::{World, program};
use crate::support::{Nightshift, business, on};

each_engine! {
    each_broken_promise_is_found_and_named,
    a_text_that_was_given_back_needs_a_job_for_its_next_sending,
    a_backlog_breaks_no_promise_while_it_waits_nor_while_it_drains,
    the_operators_deep_check_says_which_promise_is_broken(flavor = "multi_thread"),
    killed_under_load_it_loses_nothing_and_does_nothing_twice(flavor = "multi_thread"),
}

async fn found(nightshift: &Nightshift) -> Vec<&'static str> {
    broken(&nightshift.app.queue).await.unwrap().into_iter().map(|broken| broken.promise).collect()
}

async fn each_broken_promise_is_found_and_named(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.stripe(&paid("evt_1", &id)).await.expect(200);
        nightshift.texts().delivered().until(1).await;
        nightshift.quiet().await;
        nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        nightshift.reconciliation_runs().completed().until(1).await;
        nightshift.quiet().await;
        nightshift.clock.advance(Duration::from_secs(120));
        nightshift.quiet().await;
        assert_eq!(found(&nightshift).await, Vec::<&str>::new());

        // Each is broken by hand and mended again.
        let one = "(SELECT min(id) FROM jobs WHERE kind = 'webhook.stripe.process')";
        for (promise, breaking, mending) in [
            (
                "a running job has a lease",
                format!("UPDATE jobs SET state = 'running', finished_at = NULL, lease_id = NULL WHERE id = {one}"),
                format!("UPDATE jobs SET state = 'succeeded', finished_at = created_at WHERE id = {one}"),
            ),
            (
                "a job that ended says when, and no other does",
                format!("UPDATE jobs SET finished_at = NULL WHERE id = {one}"),
                format!("UPDATE jobs SET finished_at = created_at WHERE id = {one}"),
            ),
            (
                "attempts and lost leases stay within their limits",
                format!("UPDATE jobs SET crashes = 4 WHERE id = {one}"),
                format!("UPDATE jobs SET crashes = 0 WHERE id = {one}"),
            ),
            (
                "a delivery that was acknowledged has a job",
                "UPDATE webhook_inbox SET status = 'received' WHERE provider = 'stripe'".to_owned(),
                "UPDATE webhook_inbox SET status = 'processed' WHERE provider = 'stripe'".to_owned(),
            ),
            (
                "a booking has the last status of its history",
                "UPDATE bookings SET status = 'completed'".to_owned(),
                "UPDATE bookings SET status = 'confirmed'".to_owned(),
            ),
            (
                "a run of an automation that succeeded wrote its text",
                "UPDATE automation_runs SET message_event_id = NULL, error = 'kept' WHERE status = 'success'".to_owned(),
                "UPDATE automation_runs SET message_event_id = (SELECT max(id) FROM message_events) WHERE error = 'kept'"
                    .to_owned(),
            ),
            (
                "a text that is to be sent or looked up has a job",
                "UPDATE message_events SET status = 'queued'".to_owned(),
                "UPDATE message_events SET status = 'delivered'".to_owned(),
            ),
            (
                "a text that did not arrive has an exception",
                "UPDATE message_events SET status = 'failed', error_code = 'given_up'".to_owned(),
                "UPDATE message_events SET status = 'delivered', error_code = NULL".to_owned(),
            ),
            (
                "an automatic text that failed before it was written has an exception",
                "UPDATE automation_runs SET status = 'failed' WHERE type = 'bookingReminder'".to_owned(),
                "UPDATE automation_runs SET status = 'pending' WHERE type = 'bookingReminder'".to_owned(),
            ),
            (
                "a text that waits for a number has an exception",
                "UPDATE automation_runs SET status = 'blocked' WHERE type = 'bookingReminder'".to_owned(),
                "UPDATE automation_runs SET status = 'pending' WHERE type = 'bookingReminder'".to_owned(),
            ),
            (
                "a price check's counts match its recorded drifts",
                "UPDATE reconciliation_runs SET drifted = 7".to_owned(),
                "UPDATE reconciliation_runs SET drifted = 0".to_owned(),
            ),
            (
                "an effect has its answer within an hour",
                "UPDATE effects SET state = 'unknown', asked_at = '2020-01-01T00:00:00.000Z'".to_owned(),
                "UPDATE effects SET state = 'confirmed'".to_owned(),
            ),
            (
                "an occurrence that was fired has its job",
                "INSERT INTO schedule_slots (schedule, scope, local_slot, due_at, fired_at, missed, outcome)
                 VALUES ('x', '', '2020-01-01T00:00:00', '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', FALSE, 'fired')"
                    .to_owned(),
                "DELETE FROM schedule_slots WHERE schedule = 'x'".to_owned(),
            ),
            (
                "a text that a webhook brought says why it was routed where it is",
                "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status)
                 SELECT i.id, t.org_id, t.id, 'inbound', 'client', 'hello', 'received'
                 FROM message_threads AS t, webhook_inbox AS i WHERE i.provider = 'stripe'"
                    .to_owned(),
                "DELETE FROM message_events WHERE direction = 'inbound'".to_owned(),
            ),
            (
                "no shield row is left in price_shield",
                "INSERT INTO price_shield (raised) VALUES (TRUE)".to_owned(),
                "DELETE FROM price_shield".to_owned(),
            ),
        ] {
            let run = |sql: String| nightshift.db.write(Box::leak(sql.into_boxed_str())).execute();
            assert!(run(breaking).await.unwrap() > 0, "{promise} was not broken");
            assert_eq!(found(&nightshift).await, [promise]);
            run(mending).await.unwrap();
            assert_eq!(found(&nightshift).await, Vec::<&str>::new(), "after {promise} was mended");
        }
    })
    .await;
}

/// The job of an earlier sending, which an operator may retry, sends the text no more.
async fn a_text_that_was_given_back_needs_a_job_for_its_next_sending(engine: Engine) {
    on(engine, async |nightshift| {
        let path = nightshift.conversation(business::booking()).await;
        nightshift.texts().delivered().until(1).await;
        let rule = FaultRule::new(Fault::Undelivered).body_contains("On my way");
        nightshift.simulator.twilio().inject(FaultRule { code: Some(30615), ..rule });
        nightshift.post(&path, json!({"body": "On my way"})).await.expect(200);
        nightshift.events("message.held").until(1).await;
        nightshift.quiet().await;
        nightshift.clock.advance(Duration::from_secs(120));
        // What became due meanwhile is begun.
        nightshift.quiet().await;
        assert_eq!(found(&nightshift).await, Vec::<&str>::new(), "it waits for the hour");
        let first = "UPDATE jobs SET state = 'dead' WHERE kind = 'sms.send' AND state = 'succeeded'";
        nightshift.given(first).await;
        assert_eq!(found(&nightshift).await, Vec::<&str>::new());
        nightshift.given("DELETE FROM jobs WHERE once_key LIKE 'sms:%:r1'").await;
        assert_eq!(found(&nightshift).await, ["a text that is to be sent or looked up has a job"]);
    })
    .await;
}

/// What waits for a provider, a pause or its turn is nobody's fault.
async fn a_backlog_breaks_no_promise_while_it_waits_nor_while_it_drains(engine: Engine) {
    on(engine, async |nightshift| {
        const TEXTS: i64 = 40;
        business::load_bookings(&nightshift.db, 40).await;
        let written = async |fault| {
            nightshift.simulator.twilio().inject(fault);
            for n in 0..TEXTS {
                nightshift.post(&format!("/api/bookings/booking-{n}/confirm"), json!({})).await.expect(200);
            }
            nightshift.jobs("sms.send").retrying().until(TEXTS).await;
        };
        let down = FaultRule {
            matching: Match::default(),
            fault: Fault::RateLimit,
            times: u32::try_from(TEXTS).unwrap(),
            retry_after: Some(300),
            delay_ms: None,
            code: None,
        };
        written(down).await;
        nightshift.clock.advance(Duration::from_secs(120));
        assert_eq!(found(&nightshift).await, Vec::<&str>::new(), "while the provider is away");

        nightshift.pause("sms").await;
        nightshift.clock.advance(Duration::from_secs(300));
        nightshift.jobs("sms.send").retrying().due().until_with_the_clock_standing(TEXTS).await;
        assert_eq!(found(&nightshift).await, Vec::<&str>::new(), "while the queue is paused");
        nightshift.resume("sms").await;
        // Looked at again and again while jobs end between the statements of a look.
        while nightshift.texts().delivered().count().await < TEXTS {
            assert_eq!(found(&nightshift).await, Vec::<&str>::new(), "while it drains");
            nightshift.clock.advance(Duration::from_millis(100));
        }
    })
    .await;
}

// The simulator answers while the command waits for it.
async fn the_operators_deep_check_says_which_promise_is_broken(engine: Engine) {
    let world = World::on(engine).await;
    let deep = || world.command(&["doctor", "--deep"]).output().unwrap();
    assert!(String::from_utf8_lossy(&deep().stdout).contains("all hold"));
    world.db().write("INSERT INTO price_shield (raised) VALUES (TRUE)").execute().await.unwrap();
    let told = deep();
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("no shield row is left in price_shield"));
}

/// The command with a small budget; `nightshift prove --kills 500` is the same with a large one.
async fn killed_under_load_it_loses_nothing_and_does_nothing_twice(engine: Engine) {
    let database = empty(engine).await;
    // One process with every role, or a process for each role.
    let more: &[&str] = match engine {
        Engine::Sqlite => &[],
        Engine::Postgres => &["--split"],
    };
    let prove =
        |kills| program().args(["prove", "--database-url", &database.url, "--kills", kills]).args(more).output();
    let told = prove("5").unwrap();
    let line = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{line}\n{}", String::from_utf8_lossy(&told.stderr));
    assert!(line.contains("lost=0 twice=0 unknown=0 broken=0 kills=5"), "{line}");
    // And it refuses a database that somebody uses.
    assert!(String::from_utf8_lossy(&prove("1").unwrap().stderr).contains("is not empty"));
}
