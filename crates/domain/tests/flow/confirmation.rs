//! The steps of the confirmation, and what follows when a confirmed booking changes.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::automations::Executed;
use nightshift_domain::automations::runs::{AutomationRunStatus, RunToStart, RunsToStart};
use nightshift_domain::bookings::{self, Patch, StatusChange};
use nightshift_domain::confirmation::{self, Loaded};
use nightshift_domain::ids::BookingId;
use nightshift_domain::messaging::masking::{self, NumberGiven};
use nightshift_domain::messaging::numbers::NumberClass;
use nightshift_domain::messaging::windows::WindowChange;
use serde_json::{Value, json};

use crate::fixture::*;

each_engine! {
    a_confirmed_booking_gets_one_thread_number_window_and_run,
    twenty_concurrent_confirmations_make_everything_once,
    the_number_is_the_sitters_own_else_of_the_pool_else_the_front_desk,
    a_thread_keeps_its_number_when_a_sitter_comes_later,
    without_a_number_the_run_is_blocked_until_one_comes,
    a_booking_without_its_client_is_given_up_on_record,
    a_booking_cancelled_meanwhile_is_left_alone,
    a_cancellation_closes_the_window_and_tells_the_client_once,
    a_pending_booking_that_is_cancelled_tells_nobody,
    a_rescheduled_booking_moves_its_window_and_reminder_and_tells_the_client,
    a_completed_bookings_conversation_closes_a_week_later,
    the_views_cannot_be_written,
}

async fn cancel(business: &Business, id: &BookingId) -> StatusChange {
    business.write(async |tx| bookings::cancel(tx, &org(), id, None, &owner(), noon()).await.unwrap()).await
}

/// Runs the follow-up of a cancellation as its job does.
async fn after_cancel(business: &Business, change: &StatusChange) -> Option<RunToStart> {
    let history = change.history_id.clone().expect("a history row");
    business
        .write(async |tx| {
            let record = bookings::load_record(tx, &history).await.unwrap();
            confirmation::cancelled(tx, &record, &job(), noon()).await.unwrap()
        })
        .await
        .into_iter()
        .next()
}

async fn run_status(business: &Business, kind: &str) -> Vec<String> {
    let rows: Vec<(String,)> = business
        .db
        .read("SELECT status FROM automation_runs WHERE type = $1 ORDER BY created_at, id")
        .bind(kind)
        .all()
        .await
        .unwrap();
    rows.into_iter().map(|(status,)| status).collect()
}

async fn a_confirmed_booking_gets_one_thread_number_window_and_run(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let first = business.run_confirmation(&booking.id, noon()).await;
        assert!(first.outcome.thread.created && first.outcome.automation.created);
        assert_eq!(first.outcome.window.change, WindowChange::Created);
        assert!(matches!(first.given, NumberGiven::Assigned(_)));
        assert_eq!(first.starts.len(), 1);

        let again = business.run_confirmation(&booking.id, noon()).await;
        assert!(!again.outcome.thread.created && !again.outcome.automation.created);
        assert_eq!(again.outcome.window.change, WindowChange::Unchanged);
        assert_eq!(again.given.number(), first.given.number());
        assert!(matches!(again.given, NumberGiven::Kept(_)));
        assert!(again.starts.is_empty());

        let (scope, class, masked): (String, String, String) = business
            .db
            .read("SELECT scope, \"numberClass\", \"maskedNumberE164\" FROM \"MessageThread\" WHERE \"bookingId\" = $1")
            .bind(&booking.id)
            .one()
            .await
            .unwrap();
        assert_eq!((scope.as_str(), class.as_str()), ("client_booking", "pool"));
        assert!(masked.starts_with("+1555"));
        let (starts, ends): (nightshift_db::Timestamp, nightshift_db::Timestamp) = business
            .db
            .read("SELECT \"startsAt\", \"endsAt\" FROM \"AssignmentWindow\" WHERE \"bookingId\" = $1")
            .bind(&booking.id)
            .one()
            .await
            .unwrap();
        assert_eq!((starts, ends), (at("2024-12-31T10:00:00Z"), at("2024-12-31T12:00:00Z")));
        let metadata: nightshift_db::Json<Value> = business
            .db
            .read(
                "SELECT metadata FROM \"EventLog\"
                 WHERE \"eventType\" = 'booking.confirmed.processed' AND status = 'success'
                 ORDER BY \"createdAt\", id LIMIT 1",
            )
            .scalar()
            .await
            .unwrap();
        assert_eq!(metadata.0["correlationId"], json!(booking.id));
        assert_eq!(metadata.0["created"], json!({"thread": true, "window": true, "automation": true}));
        assert_eq!(metadata.0["numberClass"], "pool");

        for (event, times) in [
            ("thread.created", 1),
            ("thread.number.assigned", 1),
            ("window.created", 1),
            ("window.updated", 0),
            ("booking.confirmed.processed", 2),
        ] {
            assert_eq!(business.audited(event).await, times, "{event}");
        }
        assert_eq!(business.streamed("threads", "thread.created").await, 1);
        assert_eq!(business.streamed("windows", "window.changed").await, 1);
        assert_eq!(business.streamed("ledger", "automation.run").await, 1);
    })
    .await;
}

async fn twenty_concurrent_confirmations_make_everything_once(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        business.add_number("pool-2", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let business = std::sync::Arc::new(business);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (business, id) = (business.clone(), booking.id.clone());
                tokio::spawn(async move { business.run_confirmation(&id, noon()).await })
            })
            .collect();
        let mut numbers = Vec::new();
        for task in tasks {
            numbers.push(task.await.unwrap().given.number().cloned().unwrap());
        }
        numbers.dedup();
        assert_eq!(numbers.len(), 1);
        for sql in [
            "SELECT COUNT(*) FROM message_threads",
            "SELECT COUNT(*) FROM assignment_windows",
            "SELECT COUNT(*) FROM automation_runs",
            "SELECT COUNT(*) FROM event_log WHERE event_type = 'thread.number.assigned'",
        ] {
            assert_eq!(business.count(sql).await, 1, "{sql}");
        }
        assert_eq!(business.audited("booking.confirmed.processed").await, 20);
    })
    .await;
}

async fn the_number_is_the_sitters_own_else_of_the_pool_else_the_front_desk(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        business.add_number("foreign", "pool", "org-2").await;
        let at_desk = business.confirmed(|_| {}).await;
        let class = async |id: &BookingId| {
            let confirmed = business.run_confirmation(id, noon()).await;
            confirmed.given.number().unwrap().class
        };
        assert_eq!(class(&at_desk.id).await, NumberClass::FrontDesk);
        business.add_number("pool-1", "pool", "org-1").await;
        business.add_number("own", "sitter", "org-1").await;
        let with_sitter = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
        assert_eq!(class(&with_sitter.id).await, NumberClass::Sitter);
        let pooled = business.confirmed(|_| {}).await;
        assert_eq!(class(&pooled.id).await, NumberClass::Pool);
        // The client has a thread on pool-1 already, so the next booking gets the front desk.
        let second = business.confirmed(|_| {}).await;
        assert_eq!(class(&second.id).await, NumberClass::FrontDesk);
        // Without a front desk the pool number is shared.
        business.set("UPDATE message_numbers SET status = 'inactive' WHERE id = 'desk'").await;
        let third = business.confirmed(|_| {}).await;
        assert_eq!(class(&third.id).await, NumberClass::Pool);
    })
    .await;
}

async fn a_thread_keeps_its_number_when_a_sitter_comes_later(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        business.add_number("own", "sitter", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let before = business.run_confirmation(&booking.id, noon()).await;
        let patch: Patch = serde_json::from_value(json!({"sitterId": "sitter-1"})).unwrap();
        let change = business
            .write(async |tx| bookings::patch(tx, &org(), &booking.id, patch, &owner(), noon()).await.unwrap())
            .await;
        assert!(change.needs_confirm);
        let after = business.run_confirmation(&booking.id, noon()).await;
        assert_eq!(before.given.number(), after.given.number());
        assert_eq!(after.outcome.window.change, WindowChange::Unchanged, "the change has updated it at once");
        let assigned = "SELECT COUNT(*) FROM message_threads WHERE assigned_sitter_id = 'sitter-1'";
        assert_eq!(business.count(assigned).await, 1);
        assert_eq!(business.streamed("sitter:sitter-1", "window.changed").await, 1);
    })
    .await;
}

async fn without_a_number_the_run_is_blocked_until_one_comes(engine: Engine) {
    on(engine, async |business| {
        business.add_number("foreign", "pool", "org-2").await;
        business.add_number("resting", "pool", "org-1").await;
        business.set("UPDATE message_numbers SET status = 'inactive' WHERE id = 'resting'").await;
        let booking = business.confirmed(|_| {}).await;
        let confirmed = business.run_confirmation(&booking.id, noon()).await;
        assert_eq!(confirmed.given, NumberGiven::Missing);
        assert!(confirmed.outcome.automation.blocked && confirmed.starts.is_empty());
        let open = "SELECT COUNT(*) FROM exceptions WHERE type = 'no_number_available' AND status = 'open'";
        assert_eq!(business.count(open).await, 1);
        assert_eq!(business.count("SELECT COUNT(*) FROM assignment_windows").await, 1);

        let thread = confirmed.outcome.thread.thread_id;
        let assign = async |business: &Business| {
            business
                .write(async |tx| confirmation::assign_number(tx, &thread, &job(), noon()).await.unwrap())
                .await
                .into_option()
                .expect("the thread still needs one")
        };
        assert_eq!(assign(&business).await.given, NumberGiven::Missing);
        let waiting = async |business: &Business| {
            business.write(async |tx| masking::waiting_for_number(tx, &org()).await.unwrap()).await
        };
        assert_eq!(waiting(&business).await, std::slice::from_ref(&thread));
        business.set("UPDATE message_numbers SET status = 'active' WHERE id = 'resting'").await;
        let given = assign(&business).await;
        assert!(matches!(given.given, NumberGiven::Assigned(_)));
        let released = Vec::from_iter(given.released);
        assert_eq!(released.len(), 1);
        assert_eq!(business.count(open).await, 0);
        assert_eq!(waiting(&business).await, []);
        let executed = business.execute(&released[0], noon()).await;
        assert!(matches!(executed, Executed::Written { used_thread: true, .. }), "{executed:?}");
        assert_eq!(assign(&business).await.released, RunsToStart::default());
    })
    .await;
}

async fn a_booking_without_its_client_is_given_up_on_record(engine: Engine) {
    on(engine, async |business| {
        let booking = business.confirmed(|_| {}).await;
        business.set("UPDATE clients SET org_id = 'org-2'").await;
        let loaded =
            business.write(async |tx| confirmation::load(tx, &booking.id, &job(), noon()).await.unwrap()).await;
        assert!(matches!(loaded, Loaded::Broken(reason) if reason.contains("client")), "{loaded:?}");
        let nobody = BookingId::from("nobody".to_owned());
        let loaded = business.write(async |tx| confirmation::load(tx, &nobody, &job(), noon()).await.unwrap()).await;
        assert!(matches!(loaded, Loaded::Broken(_)), "{loaded:?}");
        assert_eq!(business.audited("booking.confirmed.failed").await, 2);
    })
    .await;
}

async fn a_booking_cancelled_meanwhile_is_left_alone(engine: Engine) {
    on(engine, async |business| {
        let booking = business.confirmed(|_| {}).await;
        cancel(&business, &booking.id).await;
        let (id, by) = (&booking.id, &job());
        let loaded = business.write(async |tx| confirmation::load(tx, id, by, noon()).await.unwrap()).await;
        assert!(matches!(loaded, Loaded::Skip(_)));
        business
            .write(async |tx| {
                assert_eq!(confirmation::thread(tx, id, by, noon()).await.unwrap(), None);
                assert_eq!(confirmation::number(tx, id, by, noon()).await.unwrap().into_option(), None);
                assert_eq!(confirmation::window(tx, id, GRACE, by, noon()).await.unwrap(), None);
                assert_eq!(confirmation::automation(tx, id, noon()).await.unwrap().into_option(), None);
            })
            .await;
        assert_eq!(business.count("SELECT COUNT(*) FROM message_threads").await, 0);
    })
    .await;
}

async fn a_cancellation_closes_the_window_and_tells_the_client_once(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let confirmed = business.run_confirmation(&booking.id, noon()).await;
        business.execute(&confirmed.starts[0], noon()).await;
        let history: (String,) = business
            .db
            .read("SELECT id FROM booking_status_history WHERE to_status = 'confirmed'")
            .one()
            .await
            .unwrap();
        let reminder = business
            .write(async |tx| {
                let record = bookings::load_record(tx, &history.0.clone().into()).await.unwrap();
                confirmation::confirmed(tx, &record, &job(), noon()).await.unwrap()
            })
            .await
            .into_iter()
            .next()
            .expect("the booking is more than a day away");
        assert_eq!(reminder.not_before, Some(at("2024-12-30T10:00:00Z")));

        let change = cancel(&business, &booking.id).await;
        let start = after_cancel(&business, &change).await.expect("the client is told");
        assert_eq!(after_cancel(&business, &change).await, None);
        let status: String = business.db.read("SELECT status FROM \"AssignmentWindow\"").scalar().await.unwrap();
        assert_eq!(status, "cancelled");
        assert_eq!(run_status(&business, "bookingReminder").await, ["skipped"]);
        assert_eq!(run_status(&business, "bookingConfirmation").await, ["skipped"], "its text had not left");
        let executed = business.execute(&start, noon()).await;
        assert!(matches!(executed, Executed::Written { .. }));
        let executed = business.execute(&reminder, at("2024-12-30T10:00:00Z")).await;
        assert_eq!(executed, Executed::Ended(AutomationRunStatus::Skipped));
        assert_eq!(business.audited("window.updated").await, 1);
    })
    .await;
}

async fn a_pending_booking_that_is_cancelled_tells_nobody(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let change = cancel(&business, &id).await;
        assert_eq!(after_cancel(&business, &change).await, None);
        assert_eq!(business.count("SELECT COUNT(*) FROM automation_runs").await, 0);
    })
    .await;
}

async fn a_rescheduled_booking_moves_its_window_and_reminder_and_tells_the_client(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        business.run_confirmation(&booking.id, noon()).await;
        let move_to = async |start: &str, end: &str| {
            let patch: Patch = serde_json::from_value(json!({"startAt": start, "endAt": end})).unwrap();
            let change = business
                .write(async |tx| bookings::patch(tx, &org(), &booking.id, patch, &owner(), noon()).await.unwrap())
                .await;
            let version = change.rescheduled_to_version.expect("the time changed");
            let follow = async || {
                let runs = business
                    .write(async |tx| {
                        confirmation::rescheduled(tx, &booking.id, version, GRACE, &job(), noon()).await.unwrap()
                    })
                    .await;
                runs.into_iter().collect::<Vec<_>>()
            };
            let runs = follow().await;
            assert_eq!(follow().await, [], "a repeat starts nothing");
            runs
        };
        let runs = move_to("2025-01-02T10:00:00Z", "2025-01-02T11:00:00Z").await;
        assert_eq!(runs.len(), 2);
        assert_eq!(runs[0].not_before, Some(at("2025-01-01T10:00:00Z")));
        let ends: nightshift_db::Timestamp =
            business.db.read("SELECT ends_at FROM assignment_windows").scalar().await.unwrap();
        assert_eq!(ends, at("2025-01-02T12:00:00Z"));
        assert_eq!(business.audited("window.updated").await, 1);

        let runs = move_to("2025-01-03T10:00:00Z", "2025-01-03T11:00:00Z").await;
        assert_eq!(runs.len(), 2);
        assert_eq!(run_status(&business, "bookingReminder").await, ["skipped", "pending"]);
        // The booking moves back to its first time, so the first reminder is wanted again.
        let runs = move_to("2025-01-02T10:00:00Z", "2025-01-02T11:00:00Z").await;
        assert_eq!(runs.len(), 2);
        assert_eq!(run_status(&business, "bookingReminder").await, ["pending", "skipped"]);
        assert_eq!(run_status(&business, "bookingRescheduled").await.len(), 3);
    })
    .await;
}

async fn a_completed_bookings_conversation_closes_a_week_later(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        business.run_confirmation(&booking.id, noon()).await;
        let change = business
            .write(async |tx| {
                let to = bookings::Status::Completed;
                bookings::change_status(tx, &org(), &booking.id, to, None, &owner(), noon()).await.unwrap()
            })
            .await;
        let history = change.history_id.unwrap();
        let close = business
            .write(async |tx| {
                let record = bookings::load_record(tx, &history).await.unwrap();
                confirmation::completed(tx, &record).await.unwrap()
            })
            .await
            .into_option()
            .expect("a thread to close");
        assert_eq!(close.at, at("2025-01-04T12:00:00Z"));
        for _ in 0..2 {
            business
                .write(async |tx| {
                    confirmation::close_thread(tx, &close.thread_id, &job(), close.at).await.unwrap();
                })
                .await;
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM message_threads WHERE status = 'closed'").await, 1);
        assert_eq!(business.audited("thread.closed").await, 1);
    })
    .await;
}

async fn the_views_cannot_be_written(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        business.run_confirmation(&booking.id, noon()).await;
        for sql in [
            "UPDATE \"MessageThread\" SET scope = 'internal'",
            "DELETE FROM \"AssignmentWindow\"",
            "DELETE FROM \"EventLog\"",
        ] {
            assert!(business.db.write(sql).execute().await.is_err(), "{sql}");
        }
    })
    .await;
}
