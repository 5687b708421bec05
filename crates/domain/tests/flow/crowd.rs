//! All changes to a booking at the same moment: nothing blocks for ever, and nothing is created twice.

use std::sync::Arc;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::automations::execute;
use nightshift_domain::bookings::{self, Patch, Payment};
use nightshift_domain::confirmation;
use nightshift_domain::ids::AutomationRunId;
use nightshift_domain::messaging::delivery::{self, SendDecision};
use nightshift_domain::messaging::post::{Author, Post, post};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    whatever_happens_at_once_happens_once(flavor = "multi_thread", worker_threads = 4),
}

async fn whatever_happens_at_once_happens_once(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let id = business.book(|_| {}).await.booking.id;
        business.write(async |tx| bookings::confirm(tx, &org(), &id, &owner(), noon()).await.unwrap()).await;
        let thread = business.run_confirmation(&id, noon()).await.outcome.thread.thread_id;
        let run: AutomationRunId = business.db.read("SELECT id FROM automation_runs").scalar().await.unwrap();
        let business = Arc::new(business);
        let tasks: Vec<_> = (0..48)
            .map(|turn| {
                let (business, id, thread, run) = (business.clone(), id.clone(), thread.clone(), run.clone());
                tokio::spawn(async move {
                    let mut tx = business.db.begin().await.unwrap();
                    let tx_ref = &mut tx;
                    match turn % 6 {
                        0 => {
                            let payment = Payment {
                                booking_id: id,
                                payment_intent_id: Some("pi_1".to_owned()),
                                received_minor: 10_000,
                                currency: None,
                            };
                            bookings::mark_paid(tx_ref, &payment, &webhook(), noon()).await.unwrap();
                        }
                        1 => {
                            let executed = execute(tx_ref, &run, &job(), noon()).await.unwrap();
                            if let nightshift_domain::automations::Executed::Written { message_id, .. } = executed
                                && let SendDecision::Send(_) =
                                    delivery::begin_send(tx_ref, &message_id, &job(), noon()).await.unwrap()
                            {
                                delivery::record_sent(tx_ref, &message_id, "SM1", &job(), noon()).await.unwrap();
                            }
                        }
                        2 => {
                            let _ = confirmation::assign_number(tx_ref, &thread, &job(), noon()).await.unwrap();
                        }
                        3 => {
                            let start_at = format!("2024-12-31T08:{turn:02}:00Z");
                            let body = json!({"startAt": start_at, "sitterId": "sitter-1"});
                            let patch: Patch = serde_json::from_value(body).unwrap();
                            let change = bookings::patch(tx_ref, &org(), &id, patch, &owner(), noon()).await.unwrap();
                            if let Some(version) = change.rescheduled_to_version {
                                confirmation::rescheduled(tx_ref, &id, version, GRACE, &job(), noon()).await.unwrap();
                            }
                        }
                        4 => {
                            let text = Post { body: "Hello".to_owned(), force_send: false, client_ref: None };
                            post(tx_ref, &org(), &thread, &Author::Owner(None), &text, &owner(), noon()).await.unwrap();
                        }
                        _ => {
                            confirmation::thread(tx_ref, &id, &job(), noon()).await.unwrap();
                            let _ = confirmation::number(tx_ref, &id, &job(), noon()).await.unwrap();
                            confirmation::window(tx_ref, &id, GRACE, &job(), noon()).await.unwrap();
                            let _ = confirmation::automation(tx_ref, &id, noon()).await.unwrap();
                        }
                    }
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        for sql in [
            "SELECT COUNT(*) FROM message_threads",
            "SELECT COUNT(*) FROM assignment_windows",
            "SELECT COUNT(*) FROM automation_runs WHERE type = 'bookingConfirmation' AND status = 'success'",
            "SELECT COUNT(*) FROM message_events WHERE automation_run_id IS NOT NULL",
            "SELECT COUNT(*) FROM event_log WHERE event_type = 'message.sent'",
        ] {
            assert_eq!(business.count(sql).await, 1, "{sql}");
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events WHERE actor_type = 'owner'").await, 8);
        let in_line = "SELECT COUNT(*) FROM bookings b JOIN assignment_windows w ON w.booking_id = b.id
                       WHERE w.starts_at = b.start_at AND w.sitter_id = b.sitter_id";
        assert_eq!(business.count(in_line).await, 1);
    })
    .await;
}
