//! Who wants no texts, and that nobody is texted who does.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp, Tx};
use nightshift_domain::Error;
use nightshift_domain::ids::{InboxId, MessageId, OrgId, ThreadId};
use nightshift_domain::messaging::delivery::{self, NewReply, ReplyChannel, SendDecision};
use nightshift_domain::messaging::opt_outs::{self, Change, OptOutSource};
use nightshift_domain::phone::PhoneNumber;

use crate::fixture::*;

each_engine! {
    a_stop_holds_for_the_person_in_the_organisation_and_is_copied_to_the_client,
    what_an_older_version_has_recorded_holds_and_a_start_lifts_it,
    a_refusal_by_the_carrier_opts_out_until_the_person_says_yes,
    a_refusal_of_a_text_from_before_the_start_changes_nothing,
    a_refusal_of_a_text_from_before_the_yes_that_is_reported_late_changes_nothing,
    only_the_confirmation_of_the_stop_is_sent_and_only_in_time,
    a_stop_waits_for_a_text_that_is_about_to_be_sent(flavor = "multi_thread"),
    the_owner_decides_about_a_wish_once,
    a_keyword_settles_what_seemed_to_be_a_wish,
    a_wish_in_another_organisation_or_within_it_is_none,
}

const CLIENT: &str = "+15551234567";

fn phone(number: &str) -> PhoneNumber {
    PhoneNumber::stored(number).unwrap()
}

fn minute(minute: u64) -> Timestamp {
    noon() + Duration::from_secs(60 * minute)
}

/// A change that a text of the client makes at a minute.
async fn said<T>(
    business: &Business,
    number: &str,
    text: Option<&MessageId>,
    at: Timestamp,
    change: impl AsyncFnOnce(&mut Tx, &Change<'_>) -> Result<T, Error>,
) -> T {
    let (org, phone, by) = (org(), phone(number), webhook());
    let said = Change { org: &org, phone: &phone, message: text, at, by: &by };
    business.write(async |tx| change(tx, &said).await.unwrap()).await
}

async fn stop(business: &Business, text: Option<&MessageId>, at: Timestamp) -> bool {
    said(business, CLIENT, text, at, async |tx, change| opt_outs::stop(tx, change, OptOutSource::Keyword, at).await)
        .await
}

async fn start(business: &Business, at: Timestamp) -> bool {
    said(business, CLIENT, None, at, async |tx, change| opt_outs::start(tx, change, at).await).await
}

async fn is_opted_out(business: &Business, org: &str, number: &str) -> bool {
    let (org, phone) = (OrgId::from(org), phone(number));
    business.write(async |tx| opt_outs::is_opted_out(tx, &org, &phone).await.unwrap()).await
}

/// A thread with the client, and a text in it that waits to be sent.
async fn waiting(business: &Business) -> (ThreadId, MessageId) {
    business.add_number("pool-1", "pool", "org-1").await;
    let (_, thread, text) = business.confirmed_and_written(|_| {}).await;
    (thread, text)
}

async fn begin(business: &Business, text: &MessageId, now: Timestamp) -> SendDecision {
    business.write(async |tx| delivery::begin_send(tx, text, &job(), now).await.unwrap()).await
}

/// Stores a text of the client, and the event in the inbox that it came with.
async fn inbound(business: &Business, id: &str, thread: &ThreadId, at: Timestamp, suggested: bool) -> MessageId {
    business
        .db
        .write(
            "INSERT INTO message_events
                 (id, org_id, thread_id, direction, actor_type, body, status, provider_at, opt_out_wish, created_at)
             VALUES ($1, 'org-1', $2, 'inbound', 'client', 'a text', 'received', $3, $4, $3)",
        )
        .bind(id)
        .bind(thread)
        .bind(at)
        .bind(suggested.then_some("suggested"))
        .execute()
        .await
        .unwrap();
    business
        .db
        .write("INSERT INTO webhook_inbox (id, provider, event_key, verified) VALUES ($1, 'openphone', $1, TRUE)")
        .bind(id)
        .execute()
        .await
        .unwrap();
    MessageId::from(id)
}

const MIRRORED: &str = "SELECT COUNT(*) FROM clients WHERE opted_out_at IS NOT NULL";

async fn a_stop_holds_for_the_person_in_the_organisation_and_is_copied_to_the_client(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        assert!(stop(&business, None, minute(1)).await);
        assert!(!stop(&business, None, minute(2)).await, "it is not news");
        assert!(is_opted_out(&business, "org-1", "15551234567").await, "numbers are compared by their digits");
        assert!(!is_opted_out(&business, "org-2", CLIENT).await);
        assert_eq!(business.count(MIRRORED).await, 1);
        assert!(matches!(begin(&business, &text, minute(3)).await, SendDecision::Blocked("opted_out")));

        assert!(!start(&business, minute(0)).await, "that was before the STOP");
        assert!(start(&business, minute(4)).await);
        assert!(!start(&business, minute(5)).await);
        assert!(!stop(&business, None, minute(3)).await, "it was taken in late");
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
        assert_eq!(business.count(MIRRORED).await, 0);
        assert_eq!(business.audited("recipient.opted_out").await, 1);
        assert_eq!(business.audited("recipient.opted_in").await, 1);
        let named = "SELECT COUNT(*) FROM event_log WHERE event_type LIKE 'recipient.%' AND client_id IS NOT NULL";
        assert_eq!(business.count(named).await, 2);
        let told = "SELECT COUNT(*) FROM event_log WHERE CAST(metadata AS TEXT) LIKE '%5551234567%'";
        assert_eq!(business.count(told).await, 0);
    })
    .await;
}

async fn what_an_older_version_has_recorded_holds_and_a_start_lifts_it(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        let older = "UPDATE clients SET opted_out_at = created_at";
        business.set(older).await;
        assert!(is_opted_out(&business, "org-1", CLIENT).await);
        assert!(start(&business, minute(1)).await);
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
        // What it records again is about a text from before the START.
        business.set(older).await;
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
        assert!(matches!(begin(&business, &text, minute(2)).await, SendDecision::Send(_)));
    })
    .await;
}

async fn a_refusal_by_the_carrier_opts_out_until_the_person_says_yes(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        assert!(matches!(begin(&business, &text, minute(1)).await, SendDecision::Send(_)));
        business
            .write(async |tx| {
                delivery::record_refused(tx, &text, "21610", delivery::Because::OptedOut, &job(), minute(2))
                    .await
                    .unwrap()
            })
            .await;
        let carrier = "SELECT COUNT(*) FROM opt_outs WHERE source = 'carrier'";
        assert_eq!((business.count(carrier).await, business.count(MIRRORED).await), (1, 1));
        let yes = async |at| {
            said(&business, CLIENT, None, at, async |tx, change| opt_outs::lift_carrier(tx, change, at).await).await
        };
        assert!(yes(minute(3)).await);
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
        assert!(stop(&business, None, minute(4)).await);
        assert!(!yes(minute(5)).await, "a YES does not lift what the person said");
        assert!(is_opted_out(&business, "org-1", CLIENT).await);
    })
    .await;
}

async fn a_refusal_of_a_text_from_before_the_start_changes_nothing(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        assert!(matches!(begin(&business, &text, minute(1)).await, SendDecision::Send(_)));
        start(&business, minute(2)).await;
        business
            .write(async |tx| {
                delivery::record_refused(tx, &text, "21610", delivery::Because::OptedOut, &job(), minute(3))
                    .await
                    .unwrap()
            })
            .await;
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
    })
    .await;
}

async fn a_refusal_of_a_text_from_before_the_yes_that_is_reported_late_changes_nothing(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        assert!(matches!(begin(&business, &text, minute(1)).await, SendDecision::Send(_)));
        business.set("UPDATE message_events SET provider_message_sid = 'SM1'").await;
        let yes = async |tx: &mut Tx, change: &Change<'_>| opt_outs::lift_carrier(tx, change, minute(2)).await;
        assert!(!said(&business, CLIENT, None, minute(2), yes).await, "nothing was known to be blocked");
        let reported = async |now| {
            let because = delivery::Because::OptedOut;
            business.write(async |tx| delivery::record_reported(tx, "SM1", because, &job(), now).await.unwrap()).await;
        };
        reported(minute(3)).await;
        assert!(!is_opted_out(&business, "org-1", CLIENT).await);
        // The refusal of a later one counts.
        business.db.write("UPDATE message_events SET send_started_at = $1").bind(minute(4)).execute().await.unwrap();
        reported(minute(5)).await;
        assert!(is_opted_out(&business, "org-1", CLIENT).await);
    })
    .await;
}

async fn only_the_confirmation_of_the_stop_is_sent_and_only_in_time(engine: Engine) {
    on(engine, async |business| {
        let (thread, text) = waiting(&business).await;
        let confirmation = async |id: &str, said: Timestamp| {
            let stop_text = inbound(&business, id, &thread, said, false).await;
            assert!(stop(&business, Some(&stop_text), said).await);
            let reply = NewReply {
                inbox: &InboxId::from(id),
                thread: &thread,
                from: &"pool-1".into(),
                body: "You are unsubscribed.",
                channel: Some(ReplyChannel::Sms),
            };
            business.write(async |tx| delivery::store_reply(tx, &reply, said).await.unwrap()).await.unwrap()
        };
        let first = confirmation("stop-1", minute(1)).await;
        assert!(matches!(begin(&business, &text, minute(1)).await, SendDecision::Blocked("opted_out")));
        assert!(matches!(begin(&business, &first, minute(2)).await, SendDecision::Send(_)));
        start(&business, minute(10)).await;
        let late = confirmation("stop-2", minute(11)).await;
        assert!(matches!(begin(&business, &late, minute(17)).await, SendDecision::Blocked("opted_out")));
        start(&business, minute(20)).await;
        let outdated = confirmation("stop-3", minute(21)).await;
        start(&business, minute(22)).await;
        assert!(matches!(begin(&business, &outdated, minute(22)).await, SendDecision::Blocked("no_longer_true")));
        assert_eq!(business.count("SELECT COUNT(*) FROM exceptions").await, 0);
    })
    .await;
}

/// Whichever of the two comes first is seen by the other.
async fn a_stop_waits_for_a_text_that_is_about_to_be_sent(engine: Engine) {
    on(engine, async |business| {
        let (_, text) = waiting(&business).await;
        let mut sending = business.db.begin().await.unwrap();
        let decision = delivery::begin_send(&mut sending, &text, &job(), minute(1)).await.unwrap();
        assert!(matches!(decision, SendDecision::Send(_)));
        let db = business.db.clone();
        let stopping = tokio::spawn(async move {
            let (org, phone, by) = (org(), phone(CLIENT), webhook());
            let change = Change { org: &org, phone: &phone, message: None, at: minute(1), by: &by };
            let mut tx = db.begin().await.unwrap();
            opt_outs::stop(&mut tx, &change, OptOutSource::Keyword, minute(1)).await.unwrap();
            // The intent of the text is committed by now, or it never will be.
            let sending: i64 =
                tx.query("SELECT COUNT(*) FROM message_events WHERE status = 'sending'").scalar().await.unwrap();
            tx.commit().await.unwrap();
            sending
        });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        sending.commit().await.unwrap();
        assert_eq!(stopping.await.unwrap(), 1);
    })
    .await;
}

async fn decide(business: &Business, thread: &ThreadId, accept: bool, now: Timestamp) -> Result<(bool, usize), Error> {
    let decided = business.write(async |tx| opt_outs::decide(tx, &org(), thread, accept, &owner(), now).await).await?;
    Ok((decided.opted_out, decided.texts.len()))
}

async fn wishes(business: &Business) -> Vec<String> {
    let wishes: Vec<(String,)> = business
        .db
        .read("SELECT opt_out_wish FROM message_events WHERE opt_out_wish IS NOT NULL ORDER BY id")
        .all()
        .await
        .unwrap();
    wishes.into_iter().map(|(wish,)| wish).collect()
}

async fn the_owner_decides_about_a_wish_once(engine: Engine) {
    on(engine, async |business| {
        let (thread, _) = waiting(&business).await;
        inbound(&business, "text-1", &thread, minute(1), true).await;
        assert_eq!(decide(&business, &thread, false, minute(2)).await.unwrap(), (false, 1));
        assert_eq!(decide(&business, &thread, false, minute(2)).await.unwrap(), (false, 0));
        let second = inbound(&business, "text-2", &thread, minute(3), true).await;
        assert_eq!(decide(&business, &thread, true, minute(4)).await.unwrap(), (true, 1));
        assert_eq!(decide(&business, &thread, true, minute(5)).await.unwrap(), (true, 0));
        assert_eq!(wishes(&business).await, ["dismissed", "accepted"]);
        let refused = decide(&business, &thread, false, minute(6)).await;
        assert!(matches!(refused, Err(Error::Conflict { code: "opted_out", .. })), "{refused:?}");
        let (source, text): (String, MessageId) =
            business.db.read("SELECT source, message_event_id FROM opt_outs").one().await.unwrap();
        assert_eq!((source.as_str(), text), ("owner", second));
        assert_eq!(business.audited("opt_out_wish.decided").await, 2);
        assert_eq!(business.audited("recipient.opted_out").await, 1);
        assert!(start(&business, minute(7)).await, "only the person lifts it");
    })
    .await;
}

async fn a_keyword_settles_what_seemed_to_be_a_wish(engine: Engine) {
    on(engine, async |business| {
        let (thread, _) = waiting(&business).await;
        inbound(&business, "text-1", &thread, minute(1), true).await;
        stop(&business, None, minute(2)).await;
        inbound(&business, "text-2", &thread, minute(3), true).await;
        start(&business, minute(4)).await;
        inbound(&business, "text-3", &thread, minute(5), true).await;
        start(&business, minute(4)).await;
        assert_eq!(wishes(&business).await, ["accepted", "dismissed", "suggested"]);
    })
    .await;
}

async fn a_wish_in_another_organisation_or_within_it_is_none(engine: Engine) {
    on(engine, async |business| {
        let (thread, _) = waiting(&business).await;
        let foreign = OrgId::from("org-2");
        let decided =
            business.write(async |tx| opt_outs::decide(tx, &foreign, &thread, true, &owner(), noon()).await).await;
        assert!(matches!(decided, Err(Error::NotFound)));
        business.set("UPDATE message_threads SET scope = 'internal', booking_id = NULL, client_id = NULL").await;
        let decided = decide(&business, &thread, true, noon()).await;
        assert!(matches!(decided, Err(Error::Conflict { code: "no_recipient", .. })), "{decided:?}");
    })
    .await;
}
