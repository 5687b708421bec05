//! Numbers, threads, windows and posting.

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::Error;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{MessageId, NumberId, OrgId, SitterId, ThreadId, UserId};
use nightshift_domain::messaging::inbox;
use nightshift_domain::messaging::messages;
use nightshift_domain::messaging::numbers::{self, NewNumber, NumberPatch, Usage};
use nightshift_domain::messaging::post::{Author, Blocked, Post, Posted, post};
use nightshift_domain::messaging::threads::{Mailbox, Scope, mailbox};
use nightshift_domain::messaging::windows::{self, WindowStatus};
use nightshift_domain::page::Limit;
use nightshift_domain::viewer::Viewer;
use serde_json::json;

use crate::fixture::*;

each_engine! {
    a_number_is_added_once_and_shows_how_it_is_used,
    lists_show_a_mailbox_and_go_on_where_they_ended,
    a_sitter_sees_only_threads_with_an_active_window_and_no_number_in_full,
    a_sitter_may_post_only_while_the_window_is_active,
    a_text_needs_words_a_number_an_open_thread_and_a_willing_recipient,
    the_same_reference_posts_one_text,
    an_owners_text_waits_for_the_end_of_quiet_hours_unless_it_answers_or_is_forced,
    texts_are_listed_oldest_first_and_backwards_from_any_of_them,
    windows_are_listed_by_booking_sitter_status_and_time,
}

fn text(body: &str) -> Post {
    Post { body: body.to_owned(), force_send: false, client_ref: None }
}

fn as_owner() -> Author {
    Author::Owner(Some(UserId::from("user-1".to_owned())))
}

async fn try_post(
    business: &Business,
    thread: &ThreadId,
    author: &Author,
    what: &Post,
    now: &str,
) -> Result<Posted, Error> {
    business.write(async |tx| post(tx, &org(), thread, author, what, &owner(), at(now)).await).await
}

async fn thread_with_sitter(business: &Business) -> ThreadId {
    business.add_number("pool-1", "pool", "org-1").await;
    let booking = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
    business.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id
}

async fn a_number_is_added_once_and_shows_how_it_is_used(engine: Engine) {
    on(engine, async |business| {
        let new: NewNumber = serde_json::from_value(
            json!({"e164": "+1 555 010 0100", "numberClass": "front_desk", "provider": "mock"}),
        )
        .unwrap();
        let number = business.write(async |tx| numbers::add(tx, &org(), &new, &Actor::Unauthenticated, noon()).await.unwrap()).await;
        assert_eq!(number.e164.e164(), "+15550100100");
        for org in ["org-1", "org-2"] {
            let org = OrgId::from(org.to_owned());
            let twice = business.write(async |tx| numbers::add(tx, &org, &new, &Actor::Unauthenticated, noon()).await).await;
            assert!(matches!(twice, Err(Error::Conflict { code, .. }) if code == "duplicate"));
        }
        let second_desk = NewNumber { e164: "+15550100101".to_owned(), ..new.clone() };
        let refused = business.write(async |tx| numbers::add(tx, &org(), &second_desk, &Actor::Unauthenticated, noon()).await).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })));
        for wrong in [
            json!({"e164": "12", "numberClass": "pool", "provider": "mock"}),
            json!({"e164": "+15550100102", "numberClass": "sitter", "provider": "mock"}),
            json!({"e164": "+15550100102", "numberClass": "sitter", "assignedSitterId": "sitter-9", "provider": "mock"}),
            json!({"e164": "+15550100102", "numberClass": "pool", "assignedSitterId": "sitter-1", "provider": "mock"}),
        ] {
            let wrong: NewNumber = serde_json::from_value(wrong).unwrap();
            let refused = business.write(async |tx| numbers::add(tx, &org(), &wrong, &Actor::Unauthenticated, noon()).await).await;
            assert!(matches!(refused, Err(Error::Invalid(_))));
        }

        let usage = async || {
            let listed = numbers::list(&business.db, &viewer_of(&org()), None, None).await.unwrap();
            listed.into_iter().map(|number| (number.usage, number.threads)).next().unwrap()
        };
        assert_eq!(usage().await.0, Usage::Available);
        let booking = business.confirmed(|_| {}).await;
        business.run_confirmation(&booking.id, noon()).await;
        let (used, threads) = usage().await;
        assert_eq!((used, threads.len()), (Usage::InUse, 1));
        assert_eq!(threads[0].client_name.as_deref(), Some("Test Client"));

        let off = |force| {
            let body = json!({"status": "inactive", "force": force});
            serde_json::from_value::<NumberPatch>(body).unwrap()
        };
        let refused =
            business.write(async |tx| numbers::patch(tx, &org(), &number.id, &off(false), &Actor::Unauthenticated, noon()).await).await;
        assert!(matches!(refused, Err(Error::Conflict { code, .. }) if code == "in_use"));
        business.write(async |tx| numbers::patch(tx, &org(), &number.id, &off(true), &Actor::Unauthenticated, noon()).await.unwrap()).await;
        assert_eq!(usage().await.0, Usage::Inactive);
        let foreign = OrgId::from("org-2".to_owned());
        let refused = business.write(async |tx| numbers::patch(tx, &foreign, &number.id, &off(true), &Actor::Unauthenticated, noon()).await).await;
        assert!(matches!(refused, Err(Error::NotFound)));
    })
    .await;
}

#[test]
fn every_thread_is_in_exactly_one_mailbox() {
    for scope in Scope::ALL {
        let with_client = matches!(scope, Scope::ClientBooking | Scope::ClientGeneral);
        assert_eq!(mailbox(*scope, None), Mailbox::Owner);
        let expected = if with_client { Mailbox::Sitter } else { Mailbox::Owner };
        assert_eq!(mailbox(*scope, Some(&sitter())), expected);
    }
}

async fn lists_show_a_mailbox_and_go_on_where_they_ended(engine: Engine) {
    on(engine, async |business| {
        let assigned = thread_with_sitter(&business).await;
        let mut unassigned = Vec::new();
        for _ in 0..3 {
            let booking = business.confirmed(|_| {}).await;
            unassigned.push(business.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id);
        }
        unassigned.reverse();
        let listed = async |filter: inbox::Filter| {
            let (mut ids, mut cursor) = (Vec::new(), None);
            loop {
                let (org, limit, now) = (org(), Limit::asked(Some(2)), at("2024-12-31T10:30:00Z"));
                let page = inbox::list(&business.db, &viewer_of(&org), &filter, cursor.as_deref(), limit, now).await;
                let page = page.unwrap();
                for thread in page.items {
                    let filtered = filter.mailbox.is_none_or(|wanted| wanted == thread.mailbox);
                    assert!(filtered && thread.window.unwrap().status == WindowStatus::Active);
                    ids.push(thread.id);
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return ids;
                }
            }
        };
        let filter = |mailbox| inbox::Filter { mailbox, ..inbox::Filter::default() };
        assert_eq!(listed(filter(Some(Mailbox::Owner))).await, unassigned);
        assert_eq!(listed(filter(Some(Mailbox::Sitter))).await, [assigned]);
        assert_eq!(listed(filter(None)).await.len(), 4);
        let searched = inbox::Filter { q: Some("sam".to_owned()), unread: Some(false), ..inbox::Filter::default() };
        assert_eq!(listed(searched).await.len(), 1);
    })
    .await;
}

async fn a_sitter_sees_only_threads_with_an_active_window_and_no_number_in_full(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let open_to = async |sitter: &SitterId, now: Timestamp| {
            let viewer = viewer_of(&org());
            let page = inbox::open_to_sitter(&business.db, &viewer, Some(sitter), None, Limit::default(), now).await;
            page.unwrap().items
        };
        for (now, open) in [
            ("2024-12-31T09:59:59.999Z", false),
            ("2024-12-31T10:00:00Z", true),
            ("2024-12-31T11:59:59.999Z", true),
            ("2024-12-31T12:00:00Z", false),
        ] {
            let threads = open_to(&sitter(), at(now)).await;
            assert_eq!(threads.len(), usize::from(open), "{now}");
            let open_now = inbox::view(&business.db, &Viewer::sitter(org(), sitter()), &thread, at(now)).await.is_ok();
            assert_eq!(open_now, open, "{now}");
            let json = serde_json::to_string(&threads).unwrap();
            assert!(!json.contains("+1555"), "{json}");
        }
        let other = SitterId::from("sitter-2".to_owned());
        let noon = at("2024-12-31T10:30:00Z");
        assert!(open_to(&other, noon).await.is_empty());
        let owners = inbox::view(&business.db, &viewer_of(&org()), &thread, noon).await.unwrap();
        assert!(owners.masked_number_e164.unwrap().starts_with("+1555"));
    })
    .await;
}

async fn a_sitter_may_post_only_while_the_window_is_active(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let sam = Author::Sitter(sitter());
        for (now, inside) in [
            ("2024-12-31T09:59:59Z", false),
            ("2024-12-31T10:00:00Z", true),
            ("2024-12-31T11:59:59Z", true),
            ("2024-12-31T12:00:00Z", false),
            ("2024-12-31T12:00:01Z", false),
        ] {
            let posted = try_post(&business, &thread, &sam, &text("On my way"), now).await.unwrap();
            match posted {
                Posted::Queued { .. } => assert!(inside, "{now}"),
                Posted::Blocked(blocked) => {
                    assert!(!inside && blocked == Blocked::WindowClosed, "{now}");
                    assert!(matches!(Error::from(blocked), Error::Forbidden { .. }));
                }
            }
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events").await, 2);
        assert_eq!(business.audited("message.blocked").await, 3);
        let stranger = Author::Sitter(SitterId::from("sitter-2".to_owned()));
        let posted = try_post(&business, &thread, &stranger, &text("Hello"), "2024-12-31T10:30:00Z").await;
        assert!(matches!(posted, Err(Error::NotFound)));
    })
    .await;
}

async fn a_text_needs_words_a_number_an_open_thread_and_a_willing_recipient(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let now = "2024-12-30T10:00:00Z";
        for body in ["", "  \n", &"x".repeat(1601), "a\u{0}"] {
            let posted = try_post(&business, &thread, &as_owner(), &text(body), now).await;
            assert!(matches!(posted, Err(Error::Invalid(_))));
        }
        let longest = "é".repeat(1600);
        let posted = try_post(&business, &thread, &as_owner(), &text(&longest), now).await.unwrap();
        assert!(matches!(posted, Posted::Queued { not_before: None, repeated: false, .. }));

        let blocked = async |sql: &'static str, undo: &'static str, why: Blocked| {
            business.set(sql).await;
            let posted = try_post(&business, &thread, &as_owner(), &text("Hello"), now).await.unwrap();
            assert!(matches!(posted, Posted::Blocked(found) if found == why), "{posted:?}");
            assert!(matches!(Error::from(why), Error::Conflict { .. }));
            business.set(undo).await;
        };
        blocked(
            "UPDATE message_numbers SET status = 'inactive'",
            "UPDATE message_numbers SET status = 'active'",
            Blocked::NoNumber,
        )
        .await;
        blocked(
            "UPDATE message_threads SET status = 'closed'",
            "UPDATE message_threads SET status = 'open'",
            Blocked::ThreadClosed,
        )
        .await;
        blocked(
            "UPDATE clients SET opted_out_at = created_at",
            "UPDATE clients SET opted_out_at = NULL",
            Blocked::OptedOut,
        )
        .await;
        let foreign = OrgId::from("org-2".to_owned());
        let posted = business
            .write(async |tx| post(tx, &foreign, &thread, &as_owner(), &text("Hello"), &owner(), at(now)).await)
            .await;
        assert!(matches!(posted, Err(Error::NotFound)));
    })
    .await;
}

async fn the_same_reference_posts_one_text(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let referenced = |body: &str| Post { client_ref: Some("ref-1".to_owned()), ..text(body) };
        let now = "2024-12-30T10:00:00Z";
        let mut ids = Vec::new();
        for repeat in [false, true] {
            let posted = try_post(&business, &thread, &as_owner(), &referenced("Hello"), now).await.unwrap();
            let Posted::Queued { message_id, repeated, .. } = posted else { panic!("{posted:?}") };
            assert_eq!(repeated, repeat);
            ids.push(message_id);
        }
        assert_eq!(ids[0], ids[1]);
        let other = try_post(&business, &thread, &as_owner(), &referenced("Bye"), now).await;
        assert!(matches!(other, Err(Error::Conflict { code, .. }) if code == "client_ref_reused"));
    })
    .await;
}

async fn an_owners_text_waits_for_the_end_of_quiet_hours_unless_it_answers_or_is_forced(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        business
            .db
            .write("UPDATE organizations SET settings = $1")
            .bind(nightshift_db::Json(json!({"quietHours": {"start": "21:00", "end": "08:00"}})))
            .execute()
            .await
            .unwrap();
        let night = "2024-12-30T23:00:00Z";
        let waits = async |what: Post| {
            let posted = try_post(&business, &thread, &as_owner(), &what, night).await.unwrap();
            let Posted::Queued { not_before, .. } = posted else { panic!("{posted:?}") };
            not_before
        };
        assert_eq!(waits(text("News")).await, Some(at("2024-12-31T08:00:00Z")));
        assert_eq!(waits(Post { force_send: true, ..text("Urgent") }).await, None);
        business
            .db
            .write("UPDATE message_threads SET last_inbound_at = $1")
            .bind(at("2024-12-30T22:50:00Z"))
            .execute()
            .await
            .unwrap();
        assert_eq!(waits(text("Answer")).await, None);
    })
    .await;
}

async fn texts_are_listed_oldest_first_and_backwards_from_any_of_them(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let mut ids: Vec<MessageId> = Vec::new();
        for minute in 0..5 {
            let now = format!("2024-12-30T10:0{minute}:00Z");
            let posted = try_post(&business, &thread, &as_owner(), &text(&format!("Text {minute}")), &now).await;
            let Posted::Queued { message_id, .. } = posted.unwrap() else { panic!("blocked") };
            ids.push(message_id);
        }
        let listed = async |before: Option<&MessageId>, rows: i64| {
            let limit = Limit::asked(Some(rows));
            let found = messages::list(&business.db, &viewer_of(&org()), &thread, before, limit, noon())
                .await
                .unwrap()
                .messages;
            found.into_iter().map(|message| message.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, 50).await, ids);
        assert_eq!(listed(None, 2).await, ids[3..]);
        assert_eq!(listed(Some(&ids[3]), 2).await, ids[1..3]);
        let foreign = OrgId::from("org-2".to_owned());
        let refused = messages::list(&business.db, &viewer_of(&foreign), &thread, None, Limit::default(), noon()).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let view = business.write(async |tx| messages::view(tx, &viewer_of(&org()), &ids[0]).await.unwrap()).await;
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!((&json["status"], &json["actorType"]), (&json!("queued"), &json!("owner")));
        assert_eq!(json["fromNumberId"], json!(NumberId::from("pool-1".to_owned())));
        assert_eq!(business.streamed("threads", "message.new").await, 5);
    })
    .await;
}

async fn windows_are_listed_by_booking_sitter_status_and_time(engine: Engine) {
    on(engine, async |business| {
        thread_with_sitter(&business).await;
        let found = async |filter: windows::Filter, now: &str| {
            windows::list(&business.db, &viewer_of(&org()), &filter, None, Limit::default(), at(now))
                .await
                .unwrap()
                .items
        };
        for (now, status) in [
            ("2024-12-31T09:00:00Z", WindowStatus::Future),
            ("2024-12-31T10:00:00Z", WindowStatus::Active),
            ("2024-12-31T12:00:00Z", WindowStatus::Past),
        ] {
            for asked in WindowStatus::ALL {
                let filter = windows::Filter { status: Some(*asked), ..windows::Filter::default() };
                let listed = found(filter, now).await;
                assert_eq!(listed.len(), usize::from(*asked == status), "{now} {asked}");
                assert!(listed.iter().all(|window| window.status == status));
            }
        }
        let now = "2024-12-31T09:00:00Z";
        let of_sitter =
            |id: &str| windows::Filter { sitter_id: Some(SitterId::from(id.to_owned())), ..windows::Filter::default() };
        assert_eq!(found(of_sitter("sitter-1"), now).await[0].sitter_name.as_deref(), Some("Sam"));
        assert!(found(of_sitter("sitter-2"), now).await.is_empty());
        let span = |from, to| windows::Filter { from: Some(at(from)), to: Some(at(to)), ..windows::Filter::default() };
        assert_eq!(found(span("2024-12-31T11:30:00Z", "2024-12-31T13:00:00Z"), now).await.len(), 1);
        assert!(found(span("2024-12-31T12:00:00Z", "2024-12-31T13:00:00Z"), now).await.is_empty());
        assert!(found(span("2024-12-31T09:00:00Z", "2024-12-31T10:00:00Z"), now).await.is_empty());
    })
    .await;
}
