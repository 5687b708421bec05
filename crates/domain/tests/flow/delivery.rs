//! The delivery of an outbound text.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::ids::{AutomationRunId, MessageId, NumberId};
use nightshift_domain::messaging::delivery::{self, Envelope, ReportOutcome, SendDecision, rank};
use nightshift_domain::messaging::message::MessageStatus;
use proptest::prelude::*;

use crate::fixture::*;

each_engine! {
    a_text_goes_from_queued_to_delivered_and_its_run_succeeds_when_it_is_sent,
    a_text_to_somebody_who_opted_out_in_the_meantime_never_leaves,
    a_number_taken_out_of_service_sends_nothing_more_and_its_text_waits,
    a_refused_text_fails_and_raises_an_exception,
    a_text_that_did_not_leave_goes_back_and_asks_for_a_new_slot,
    an_unclear_attempt_is_found_out_about_and_sent_again_once_at_most,
    a_failed_delivery_raises_an_exception_once_and_a_run_stays_a_success,
    a_number_gives_out_one_slot_a_second_also_to_many_at_once,
    the_run_of_a_text_is_loaded_with_it,
}

async fn written(business: &Business) -> MessageId {
    business.add_number("pool-1", "pool", "org-1").await;
    business.confirmed_and_written(|_| {}).await.2
}

async fn begin(business: &Business, id: &MessageId) -> SendDecision {
    business.write(async |tx| delivery::begin_send(tx, id, &job(), noon()).await.unwrap()).await
}

async fn sending(business: &Business, id: &MessageId) -> Envelope {
    match begin(business, id).await {
        SendDecision::Send(envelope) => *envelope,
        _ => panic!("it should be sent"),
    }
}

async fn status(business: &Business) -> String {
    business.db.read("SELECT status FROM message_events").scalar().await.unwrap()
}

async fn run_status(business: &Business) -> String {
    business.db.read("SELECT status FROM automation_runs").scalar().await.unwrap()
}

async fn report(business: &Business, sid: &str, status: MessageStatus, code: Option<&str>) -> ReportOutcome {
    business.write(async |tx| delivery::apply_report(tx, sid, status, code, &webhook(), noon()).await.unwrap()).await
}

async fn a_text_goes_from_queued_to_delivered_and_its_run_succeeds_when_it_is_sent(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        let envelope = sending(&business, &id).await;
        let number: String = business.db.read("SELECT e164 FROM message_numbers").scalar().await.unwrap();
        assert_eq!((envelope.from.e164(), envelope.to.e164()), (number, "+15551234567".to_owned()));
        assert!(envelope.body.starts_with("Hi Test, your dog walking on Tue 31 Dec 2024 at 10:00 is confirmed."));
        assert_eq!(status(&business).await, "sending");

        for _ in 0..2 {
            business.write(async |tx| delivery::record_sent(tx, &id, "SM1", &job(), noon()).await.unwrap()).await;
        }
        assert_eq!((status(&business).await.as_str(), run_status(&business).await.as_str()), ("sent", "success"));
        assert!(matches!(begin(&business, &id).await, SendDecision::Settled(MessageStatus::Sent)));
        assert_eq!(report(&business, "SM1", MessageStatus::Sent, None).await, ReportOutcome::Stale);
        let delivered = report(&business, "SM1", MessageStatus::Delivered, None).await;
        assert_eq!(delivered, ReportOutcome::Applied(MessageStatus::Delivered));
        assert_eq!(report(&business, "SM1", MessageStatus::Sent, None).await, ReportOutcome::Stale);
        assert_eq!(report(&business, "SM2", MessageStatus::Sent, None).await, ReportOutcome::Unknown);
        assert_eq!(status(&business).await, "delivered");

        let metadata: nightshift_db::Json<serde_json::Value> =
            business.db.read("SELECT metadata FROM automation_runs").scalar().await.unwrap();
        assert_eq!(metadata.0["executor"], "sendAutomationMessageViaThread");
        assert_eq!(metadata.0["usedThread"], true);
        let endpoint = format!("/api/messages/threads/{}/messages", envelope.thread_id);
        assert_eq!(metadata.0["endpoint"], endpoint);
        for event in ["message.sent", "automation.executed"] {
            assert_eq!(business.audited(event).await, 1, "{event}");
        }
        let logged = "SELECT COUNT(*) FROM event_log
                      WHERE CAST(metadata AS TEXT) LIKE '%dog walking%' OR CAST(metadata AS TEXT) LIKE '%5551234567%'";
        assert_eq!(business.count(logged).await, 0);
    })
    .await;
}

async fn a_text_to_somebody_who_opted_out_in_the_meantime_never_leaves(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        business.set("UPDATE clients SET opted_out_at = created_at").await;
        assert!(matches!(begin(&business, &id).await, SendDecision::Blocked("opted_out")));
        assert!(matches!(begin(&business, &id).await, SendDecision::Settled(MessageStatus::Failed)));
        assert_eq!(run_status(&business).await, "skipped");
        assert_eq!(business.audited("message.blocked").await, 1);
    })
    .await;
}

async fn a_number_taken_out_of_service_sends_nothing_more_and_its_text_waits(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        business.set("UPDATE message_numbers SET status = 'quarantined'").await;
        assert!(matches!(begin(&business, &id).await, SendDecision::NoNumber));
        assert_eq!((status(&business).await.as_str(), run_status(&business).await.as_str()), ("queued", "pending"));
    })
    .await;
}

async fn a_refused_text_fails_and_raises_an_exception(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        sending(&business, &id).await;
        for _ in 0..2 {
            business
                .write(async |tx| {
                    delivery::record_refused(tx, &id, "21610", delivery::Because::OptedOut, &job(), noon())
                        .await
                        .unwrap()
                })
                .await;
        }
        assert_eq!((status(&business).await.as_str(), run_status(&business).await.as_str()), ("failed", "failed"));
        let opted_out = "SELECT COUNT(*) FROM clients WHERE opted_out_at IS NOT NULL";
        assert_eq!(business.count(opted_out).await, 1);
        let raised = "SELECT COUNT(*) FROM exceptions WHERE type = 'sms_undelivered'";
        assert_eq!(business.count(raised).await, 1);
        assert_eq!(business.audited("message.failed").await, 1);
    })
    .await;
}

async fn a_text_that_did_not_leave_goes_back_and_asks_for_a_new_slot(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        let number = NumberId::from("pool-1".to_owned());
        let slot =
            async |now| business.write(async |tx| delivery::take_send_slot(tx, &number, &id, now).await.unwrap()).await;
        assert_eq!(slot(noon()).await, noon());
        assert_eq!(slot(noon() + Duration::from_secs(9)).await, noon(), "a text keeps its slot");
        sending(&business, &id).await;
        business.write(async |tx| delivery::back_to_queue(tx, &id, noon()).await.unwrap()).await;
        assert_eq!(status(&business).await, "queued");
        assert_eq!(slot(noon()).await, noon() + Duration::from_secs(1));
        sending(&business, &id).await;
        business.write(async |tx| delivery::record_sent(tx, &id, "SM1", &job(), noon()).await.unwrap()).await;
        business.write(async |tx| delivery::back_to_queue(tx, &id, noon()).await.unwrap()).await;
        assert_eq!(status(&business).await, "sent");
    })
    .await;
}

async fn an_unclear_attempt_is_found_out_about_and_sent_again_once_at_most(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        let unconfirmed =
            async || business.write(async |tx| delivery::mark_unconfirmed(tx, &id, noon()).await.unwrap()).await;
        let resend = async || business.write(async |tx| delivery::resend_once(tx, &id, noon()).await.unwrap()).await;
        assert!(!unconfirmed().await, "nothing was asked yet");
        sending(&business, &id).await;
        assert!(matches!(begin(&business, &id).await, SendDecision::Unclear { since } if since == noon()));
        assert!(unconfirmed().await && unconfirmed().await);
        assert!(resend().await);
        assert!(!resend().await, "it is queued again");
        sending(&business, &id).await;
        assert!(unconfirmed().await);
        assert!(!resend().await, "once in its life");
        business.write(async |tx| delivery::adopt_sid(tx, &id, "SM7", &job(), noon()).await.unwrap()).await;
        assert_eq!((status(&business).await.as_str(), run_status(&business).await.as_str()), ("sent", "success"));
        assert!(!unconfirmed().await);
    })
    .await;
}

async fn a_failed_delivery_raises_an_exception_once_and_a_run_stays_a_success(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        sending(&business, &id).await;
        business.write(async |tx| delivery::record_sent(tx, &id, "SM1", &job(), noon()).await.unwrap()).await;
        let undelivered = report(&business, "SM1", MessageStatus::Undelivered, Some("30003")).await;
        assert_eq!(undelivered, ReportOutcome::Applied(MessageStatus::Undelivered));
        assert_eq!(report(&business, "SM1", MessageStatus::Undelivered, Some("30003")).await, ReportOutcome::Stale);
        let raised = "SELECT COUNT(*) FROM exceptions WHERE type = 'sms_undelivered'";
        assert_eq!(business.count(raised).await, 1);
        let code: String = business.db.read("SELECT error_code FROM message_events").scalar().await.unwrap();
        assert_eq!((code.as_str(), run_status(&business).await.as_str()), ("30003", "success"));
    })
    .await;
}

async fn a_number_gives_out_one_slot_a_second_also_to_many_at_once(engine: Engine) {
    on(engine, async |business| {
        let first = written(&business).await;
        let number = NumberId::from("pool-1".to_owned());
        for copy in 1..20 {
            business
                .db
                .write(
                    "INSERT INTO message_events
                         (id, org_id, thread_id, direction, actor_type, body, status, from_number_id)
                     SELECT $2, org_id, thread_id, direction, 'owner', body, status, from_number_id
                     FROM message_events WHERE id = $1",
                )
                .bind(&first)
                .bind(format!("copy-{copy}"))
                .execute()
                .await
                .unwrap();
        }
        let ids: Vec<(MessageId,)> = business.db.read("SELECT id FROM message_events").all().await.unwrap();
        let tasks: Vec<_> = ids
            .into_iter()
            .map(|(id,)| {
                let (db, number) = (business.db.clone(), number.clone());
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    let slot = delivery::take_send_slot(&mut tx, &number, &id, noon()).await.unwrap();
                    tx.commit().await.unwrap();
                    slot
                })
            })
            .collect();
        let mut slots = Vec::new();
        for task in tasks {
            slots.push(task.await.unwrap().since(noon()).as_millis());
        }
        slots.sort_unstable();
        assert_eq!(slots, (0..20).map(|second| second * 1000).collect::<Vec<u128>>());
        // Slots that pass unused during a pause are not saved up.
        let later = noon() + Duration::from_secs(3600);
        business.set("UPDATE message_events SET send_slot_at = NULL").await;
        let slot = business.write(async |tx| delivery::take_send_slot(tx, &number, &first, later).await.unwrap()).await;
        assert_eq!(slot, later);
    })
    .await;
}

async fn the_run_of_a_text_is_loaded_with_it(engine: Engine) {
    on(engine, async |business| {
        let id = written(&business).await;
        let run: AutomationRunId = business.db.read("SELECT id FROM automation_runs").scalar().await.unwrap();
        let loaded = business.write(async |tx| delivery::load(tx, &id).await.unwrap()).await;
        assert_eq!((loaded.automation_run_id, loaded.resends), (Some(run), 0));
        assert_eq!(loaded.from_number_id, Some(NumberId::from("pool-1".to_owned())));
    })
    .await;
}

proptest! {
    /// Reports in any order and number never lower the rank, and a final status never changes.
    #[test]
    fn reports_only_move_forward(reports in prop::collection::vec(prop::sample::select(MessageStatus::ALL), 0..30)) {
        let mut status = MessageStatus::Sent;
        for report in reports {
            let before = status;
            if rank(report) > rank(status) {
                status = report;
            }
            prop_assert!(rank(status) >= rank(before));
            if rank(before) == 4 {
                prop_assert_eq!(status, before);
            }
        }
    }
}
