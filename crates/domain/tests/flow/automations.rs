//! Executing and listing automation runs.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json};
use nightshift_domain::Error;
use nightshift_domain::automations::runs::{self, AutomationRunStatus, NewAutomationRun, RunToStart};
use nightshift_domain::automations::{AutomationType, Executed, seed_defaults};
use nightshift_domain::ids::{BookingId, ClientId, OrgId};
use nightshift_domain::page::Limit;
use serde_json::json;

use crate::fixture::*;

each_engine! {
    a_run_writes_one_text_however_often_it_is_executed,
    concurrent_executions_write_one_text,
    a_disabled_automation_or_an_opted_out_client_skips_the_run,
    a_template_with_an_unknown_variable_fails_its_run,
    a_run_waits_for_its_delay_and_for_the_end_of_quiet_hours,
    a_run_without_a_thread_falls_back_to_the_front_desk_and_says_so,
    a_thread_that_lost_its_number_blocks_the_run_instead_of_falling_back,
    a_sitters_text_goes_through_the_sitters_own_thread,
    seeding_twice_adds_nothing_and_changes_no_text,
    the_ledger_shows_the_number_of_the_thread_and_filters,
    one_fact_enters_one_run_also_when_it_comes_many_times_at_once,
}

async fn started(business: &Business) -> (BookingId, RunToStart) {
    business.add_number("pool-1", "pool", "org-1").await;
    let booking = business.confirmed(|_| {}).await;
    let confirmed = business.run_confirmation(&booking.id, noon()).await;
    (booking.id, confirmed.starts[0].clone())
}

async fn a_run_writes_one_text_however_often_it_is_executed(engine: Engine) {
    on(engine, async |business| {
        let (_, start) = started(&business).await;
        let first = business.execute(&start, noon()).await;
        let Executed::Written { used_thread: true, .. } = first else { panic!("{first:?}") };
        assert_eq!(business.execute(&start, noon()).await, first);
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events").await, 1);
        let same_number = "SELECT COUNT(*) FROM automation_runs r JOIN message_threads t ON t.id = r.thread_id
                           WHERE r.from_number_id = t.message_number_id";
        assert_eq!(business.count(same_number).await, 1);
    })
    .await;
}

async fn concurrent_executions_write_one_text(engine: Engine) {
    on(engine, async |business| {
        let (_, start) = started(&business).await;
        let business = std::sync::Arc::new(business);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (business, start) = (business.clone(), start.clone());
                tokio::spawn(async move { business.execute(&start, noon()).await })
            })
            .collect();
        for task in tasks {
            assert!(matches!(task.await.unwrap(), Executed::Written { .. }));
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events").await, 1);
    })
    .await;
}

async fn a_disabled_automation_or_an_opted_out_client_skips_the_run(engine: Engine) {
    on(engine, async |business| {
        let (_, start) = started(&business).await;
        business.set("UPDATE automations SET enabled = FALSE").await;
        assert_eq!(business.execute(&start, noon()).await, Executed::Ended(AutomationRunStatus::Skipped));
        business.set("UPDATE automations SET enabled = TRUE").await;
        assert_eq!(business.execute(&start, noon()).await, Executed::Ended(AutomationRunStatus::Skipped));

        business.set("UPDATE clients SET opted_out_at = created_at").await;
        let booking = business.confirmed(|_| {}).await;
        let start = business.run_confirmation(&booking.id, noon()).await.starts[0].clone();
        assert_eq!(business.execute(&start, noon()).await, Executed::Ended(AutomationRunStatus::Skipped));
        let reasons: Vec<(String,)> =
            business.db.read("SELECT error FROM automation_runs ORDER BY created_at, id").all().await.unwrap();
        let reasons: Vec<_> = reasons.iter().map(|(reason,)| reason.as_str()).collect();
        assert_eq!(reasons, ["disabled", "opted_out"]);
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events").await, 0);
    })
    .await;
}

async fn a_template_with_an_unknown_variable_fails_its_run(engine: Engine) {
    on(engine, async |business| {
        let (_, start) = started(&business).await;
        business.set("UPDATE automations SET template = 'Hi {firstNam}'").await;
        assert_eq!(business.execute(&start, noon()).await, Executed::Ended(AutomationRunStatus::Failed));
        let error: String = business.db.read("SELECT error FROM automation_runs").scalar().await.unwrap();
        assert_eq!(error, "unknown variable {firstNam}");
    })
    .await;
}

async fn a_run_waits_for_its_delay_and_for_the_end_of_quiet_hours(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        business.set("UPDATE automations SET delay_minutes = 10").await;
        business
            .db
            .write("UPDATE organizations SET settings = $1")
            .bind(Json(json!({"quietHours": {"start": "12:05", "end": "13:00"}})))
            .execute()
            .await
            .unwrap();
        let booking = business.confirmed(|_| {}).await;
        let start = business.run_confirmation(&booking.id, noon()).await.starts[0].clone();
        let due = noon() + Duration::from_secs(600);
        assert_eq!(start.not_before, Some(due));
        assert_eq!(business.execute(&start, noon()).await, Executed::Hold { until: due });
        let morning = at("2024-12-28T13:00:00Z");
        assert_eq!(business.execute(&start, due).await, Executed::Hold { until: morning });
        assert!(matches!(business.execute(&start, morning).await, Executed::Written { .. }));
    })
    .await;
}

async fn run_without_thread(business: &Business) -> RunToStart {
    let booking = business.confirmed(|_| {}).await;
    let run = business
        .write(async |tx| {
            let new = NewAutomationRun {
                org_id: &org(),
                kind: AutomationType::BookingCancelled,
                trigger_ref: format!("booking:{}:cancelled", booking.id),
                booking_id: Some(&booking.id),
                thread_id: None,
                client_id: Some(&booking.client_id),
                sitter_id: None,
                scheduled_for: None,
                blocked: false,
                variables: None,
            };
            runs::insert(tx, &new, noon()).await.unwrap().0
        })
        .await;
    run.to_start().unwrap()
}

async fn a_run_without_a_thread_falls_back_to_the_front_desk_and_says_so(engine: Engine) {
    on(engine, async |business| {
        let waiting = run_without_thread(&business).await;
        let told = "SELECT COUNT(*) FROM exceptions WHERE type = 'no_number_available' AND status = 'open'";
        for _ in 0..2 {
            assert_eq!(business.execute(&waiting, noon()).await, Executed::Blocked { thread: None });
            assert_eq!(business.count(told).await, 1);
        }
        business.add_number("desk", "front_desk", "org-1").await;
        let released = business.write(async |tx| runs::waiting_for_front_desk(tx, &org()).await.unwrap()).await;
        assert_eq!(released.into_iter().collect::<Vec<_>>(), std::slice::from_ref(&waiting));
        assert!(matches!(business.execute(&waiting, noon()).await, Executed::Written { used_thread: false, .. }));
        assert_eq!(business.count(told).await, 0);
        for fallbacks in [2, 3] {
            let start = run_without_thread(&business).await;
            let executed = business.execute(&start, noon()).await;
            assert!(matches!(executed, Executed::Written { used_thread: false, .. }), "{executed:?}");
            assert_eq!(business.audited("automation.thread_fallback").await, fallbacks);
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM message_threads").await, 1);
    })
    .await;
}

async fn a_thread_that_lost_its_number_blocks_the_run_instead_of_falling_back(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let (_, start) = started(&business).await;
        business.set("UPDATE message_numbers SET status = 'inactive' WHERE id = 'pool-1'").await;
        assert!(matches!(business.execute(&start, noon()).await, Executed::Blocked { thread: Some(_) }));
        assert_eq!(business.audited("automation.thread_fallback").await, 0);
    })
    .await;
}

async fn a_sitters_text_goes_through_the_sitters_own_thread(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let booking = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
        for (reference, class) in [("a", "front_desk"), ("b", "sitter")] {
            let start = business
                .write(async |tx| {
                    let new = NewAutomationRun {
                        org_id: &org(),
                        kind: AutomationType::SitterAssignment,
                        trigger_ref: reference.to_owned(),
                        booking_id: Some(&booking.id),
                        thread_id: None,
                        client_id: None,
                        sitter_id: Some(&sitter()),
                        scheduled_for: None,
                        blocked: false,
                        variables: None,
                    };
                    runs::insert(tx, &new, noon()).await.unwrap().0.to_start().unwrap()
                })
                .await;
            let executed = business.execute(&start, noon()).await;
            assert!(matches!(executed, Executed::Written { used_thread: true, .. }), "{executed:?}");
            let stored: String = business.db.read("SELECT number_class FROM message_threads").scalar().await.unwrap();
            assert_eq!(stored, class);
            // The next text leaves from the number that the sitter gets meanwhile.
            if reference == "a" {
                business.add_number("own", "sitter", "org-1").await;
            }
        }
    })
    .await;
}

async fn seeding_twice_adds_nothing_and_changes_no_text(engine: Engine) {
    on(engine, async |business| {
        business.set("UPDATE automations SET template = 'Our own words'").await;
        business.write(async |tx| seed_defaults(tx, &org(), noon()).await.unwrap()).await;
        let own = "SELECT COUNT(*) FROM automations WHERE template = 'Our own words'";
        assert_eq!(business.count(own).await, i64::try_from(AutomationType::ALL.len()).unwrap());
    })
    .await;
}

async fn the_ledger_shows_the_number_of_the_thread_and_filters(engine: Engine) {
    on(engine, async |business| {
        let (booking, start) = started(&business).await;
        business.execute(&start, noon()).await;
        let listed = async |filter: runs::Filter| {
            runs::list(&business.db, &viewer_of(&org()), &filter, None, Limit::default()).await.unwrap().items
        };
        let runs = listed(runs::Filter::default()).await;
        let json = serde_json::to_value(&runs[0]).unwrap();
        assert_eq!((&json["type"], &json["recipient"]), (&json!("bookingConfirmation"), &json!("client")));
        assert_eq!((&json["fromNumber"], &json["bookingId"]), (&json!("pool-1"), &json!(booking)));
        assert!(json["fromNumberE164"].as_str().unwrap().starts_with("+1555"));
        let by = |status| runs::Filter { status: Some(status), ..runs::Filter::default() };
        assert_eq!(
            (
                listed(by(AutomationRunStatus::Pending)).await.len(),
                listed(by(AutomationRunStatus::Blocked)).await.len()
            ),
            (1, 0)
        );
        let of =
            |id: &str| runs::Filter { booking_id: Some(BookingId::from(id.to_owned())), ..runs::Filter::default() };
        assert!(listed(of("other")).await.is_empty());
        let detail = runs::view(&business.db, &viewer_of(&org()), &start.run_id).await.unwrap();
        let detail = serde_json::to_value(&detail).unwrap();
        assert_eq!((&detail["metadata"], &detail["usedThread"]), (&json!({}), &json!(true)));
        let foreign = OrgId::from("org-2".to_owned());
        assert!(matches!(runs::view(&business.db, &viewer_of(&foreign), &start.run_id).await, Err(Error::NotFound)));
    })
    .await;
}

async fn one_fact_enters_one_run_also_when_it_comes_many_times_at_once(engine: Engine) {
    on(engine, async |business| {
        let booking = business.confirmed(|_| {}).await;
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (db, client): (_, ClientId) = (business.db.clone(), booking.client_id.clone());
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    let new = NewAutomationRun {
                        org_id: &org(),
                        kind: AutomationType::BookingReminder,
                        trigger_ref: "fact".to_owned(),
                        booking_id: None,
                        thread_id: None,
                        client_id: Some(&client),
                        sitter_id: None,
                        scheduled_for: None,
                        blocked: false,
                        variables: None,
                    };
                    let (_, created) = runs::insert(&mut tx, &new, noon()).await.unwrap();
                    tx.commit().await.unwrap();
                    i32::from(created)
                })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            created += task.await.unwrap();
        }
        assert_eq!(created, 1);
    })
    .await;
}
