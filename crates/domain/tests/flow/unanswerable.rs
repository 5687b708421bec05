//! Texts of clients who want no texts, which nobody can answer and no sitter's figures count; and texts that wait for the
//! end of quiet hours until the owner wants them sent.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::ids::{InboxId, SitterId, ThreadId, UserId};
use nightshift_domain::messaging::delivery::{held, load};
use nightshift_domain::messaging::inbound::{self, Arrived, Considered, Stored};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::messaging::opt_outs::{self, Change, OptOutSource};
use nightshift_domain::messaging::post::{Author, Post, Posted, post};
use nightshift_domain::metrics;
use nightshift_domain::phone::PhoneNumber;
use serde_json::json;

use crate::fixture::*;

each_engine! {
    the_texts_of_a_client_who_said_stop_count_for_nobody,
    an_opt_out_by_any_way_ends_what_waits_for_an_answer_and_nothing_else,
    a_text_that_waits_leaves_when_the_owner_posts_it_again_with_force,
}

const CLIENT: &str = "+15551234567";
const ASKED: &str = "2024-12-31T10:00:00Z";

/// A thread of a booking of the sitter's, whose window is open on 2024-12-31 from 10:00 to 12:00.
async fn conversation(business: &Business) -> ThreadId {
    business.add_number("pool-1", "pool", "org-1").await;
    let booking = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
    business.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id
}

/// Takes in a text of the client.
async fn texts(business: &Business, id: &str, body: &str, now: Timestamp) {
    let to: String = business.db.read("SELECT e164 FROM message_numbers").scalar().await.unwrap();
    business
        .db
        .write("INSERT INTO webhook_inbox (id, provider, event_key, verified) VALUES ($1, 'openphone', $1, TRUE)")
        .bind(id)
        .execute()
        .await
        .unwrap();
    let text = Arrived {
        inbox: InboxId::from(id),
        carrier: SmsCarrier::Openphone,
        sid: id.to_owned(),
        from: CLIENT.to_owned(),
        to,
        body: body.to_owned(),
        media: Vec::new(),
        lacks_media: false,
        keyword: None,
        sent_at: None,
        received_at: now,
    };
    let (onboarding, by) = (PhoneNumber::stored("+15559990000").unwrap(), webhook());
    business
        .write(async |tx| {
            let considered = inbound::consider(tx, &text, &onboarding, &by, now).await.unwrap();
            let Considered::Route(routing) = considered else { panic!("{body}") };
            let stored = inbound::store(tx, &text, &routing, &by, now).await.unwrap();
            assert!(matches!(stored, Stored::In { .. }), "{stored:?}");
        })
        .await;
}

async fn links(business: &Business) -> Vec<(String, Option<SitterId>)> {
    let sql = "SELECT status, sitter_id FROM message_response_links ORDER BY required_at, id";
    business.db.read(sql).all().await.unwrap()
}

fn minute(minute: u64) -> Timestamp {
    at(ASKED) + Duration::from_secs(60 * minute)
}

fn link(status: &str, sitter: Option<SitterId>) -> (String, Option<SitterId>) {
    (status.to_owned(), sitter)
}

async fn the_texts_of_a_client_who_said_stop_count_for_nobody(engine: Engine) {
    on(engine, async |business| {
        conversation(&business).await;
        texts(&business, "text-1", "Where are you?", minute(0)).await;
        assert_eq!(links(&business).await, [link("open", Some(sitter()))]);
        texts(&business, "text-2", "STOP", minute(1)).await;
        texts(&business, "text-3", "And where is my dog?", minute(2)).await;
        assert_eq!(links(&business).await, [link("expired", None)]);
        texts(&business, "text-4", "START", minute(3)).await;
        texts(&business, "text-5", "Hello?", minute(4)).await;
        assert_eq!(links(&business).await, [link("expired", None), link("open", Some(sitter()))]);
        let a_day_later = minute(24 * 60 + 5);
        let computed =
            business.write(async |tx| metrics::compute(tx, &sitter(), &job(), a_day_later).await.unwrap()).await;
        assert_eq!(computed.seven_days.responses_required, 1, "only the text after the START");
    })
    .await;
}

async fn an_opt_out_by_any_way_ends_what_waits_for_an_answer_and_nothing_else(engine: Engine) {
    on(engine, async |business| {
        conversation(&business).await;
        let (org, phone, by) = (org(), PhoneNumber::stored(CLIENT).unwrap(), owner());
        let mut now = minute(0);
        for (number, source) in [OptOutSource::Carrier, OptOutSource::Owner, OptOutSource::Keyword].iter().enumerate() {
            texts(&business, &format!("text-{number}"), "Where are you?", now).await;
            let change = Change { org: &org, phone: &phone, message: None, at: now, by: &by };
            business.write(async |tx| opt_outs::stop(tx, &change, *source, now).await.unwrap()).await;
            assert_eq!(links(&business).await[number], link("expired", None), "{source:?}");
            now = now + Duration::from_secs(60);
            let change = Change { at: now, ..change };
            business.write(async |tx| opt_outs::start(tx, &change, now).await.unwrap()).await;
            now = now + Duration::from_secs(60);
        }
        // What nobody has answered for a day counts, although it is not recorded yet.
        texts(&business, "text-9", "Where are you?", now).await;
        let a_day_later = now + Duration::from_secs(24 * 3600);
        let change = Change { org: &org, phone: &phone, message: None, at: a_day_later, by: &by };
        business.write(async |tx| opt_outs::stop(tx, &change, OptOutSource::Owner, a_day_later).await.unwrap()).await;
        assert_eq!(links(&business).await[3], link("open", Some(sitter())));
    })
    .await;
}

async fn a_text_that_waits_leaves_when_the_owner_posts_it_again_with_force(engine: Engine) {
    on(engine, async |business| {
        let thread = conversation(&business).await;
        let quiet = nightshift_db::Json(json!({"quietHours": {"start": "21:00", "end": "08:00"}}));
        business.db.write("UPDATE organizations SET settings = $1").bind(quiet).execute().await.unwrap();
        let (night, by) = (at("2024-12-30T23:00:00Z"), owner());
        let author = Author::Owner(Some(UserId::from("user-1")));
        let posted = async |author: &Author, force_send| {
            let what = Post { body: "News".to_owned(), force_send, client_ref: Some("ref-1".to_owned()) };
            let posted =
                business.write(async |tx| post(tx, &org(), &thread, author, &what, &by, night).await.unwrap()).await;
            let Posted::Queued { message_id, repeated, freed, .. } = posted else { panic!("{posted:?}") };
            (message_id, repeated, freed.is_some())
        };
        let waits = async |id| {
            let text = business.write(async |tx| load(tx, id).await.unwrap()).await;
            business.write(async |tx| held(tx, &text, night).await.unwrap()).await.is_some()
        };
        let (id, repeated, freed) = posted(&author, false).await;
        assert_eq!((repeated, freed, waits(&id).await), (false, false, true));
        assert_eq!(posted(&author, false).await, (id.clone(), true, false));
        assert!(waits(&id).await);
        assert_eq!(posted(&author, true).await, (id.clone(), true, true));
        assert!(!waits(&id).await);
        // What the carrier holds back waits all the same, and what has left is not touched.
        for row in [
            "UPDATE message_events SET hold_reason = 'carrier_hours' WHERE client_ref = 'ref-1'",
            "UPDATE message_events SET hold_reason = NULL, status = 'sent' WHERE client_ref = 'ref-1'",
        ] {
            business.set(row).await;
            assert_eq!(posted(&author, true).await, (id.clone(), true, false));
        }
    })
    .await;
}
