//! Threads: who has what to read, whose mailbox shows them, in which order their texts stand, and what people change.

use std::collections::HashSet;
use std::sync::Arc;

use nightshift_db::testing::{each_engine, statements_of};
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::automations::runs::{self, NewAutomationRun};
use nightshift_domain::automations::{AutomationType, Executed};
use nightshift_domain::ids::{ClientId, MessageId, OrgId, SitterId, ThreadId};
use nightshift_domain::messaging::change::{self, Patch};
use nightshift_domain::messaging::inbox::{self, Filter};
use nightshift_domain::messaging::messages;
use nightshift_domain::messaging::numbers;
use nightshift_domain::messaging::threads::{self, Mailbox, Scope, ThreadStatus, mailbox};
use nightshift_domain::page::Limit;
use nightshift_domain::viewer::Viewer;
use nightshift_domain::{Error, Result};
use serde_json::{Value, json};

use crate::fixture::*;
use crate::lists::plan;

each_engine! {
    after_every_sequence_of_acts_the_counters_say_what_is_unread,
    a_text_that_arrives_while_somebody_reads_stays_unread(flavor = "multi_thread", worker_threads = 4),
    a_text_taken_in_twice_counts_once_and_a_late_one_sets_no_time_back,
    a_text_that_nobody_was_shown_stays_unread,
    who_pages_through_the_texts_comes_to_have_read_them_all,
    texts_stand_at_the_carriers_time_and_pages_miss_none,
    every_thread_is_in_exactly_one_mailbox_and_the_lists_agree,
    a_sitter_lists_their_own_mailbox_and_nobody_elses,
    a_person_has_one_open_general_thread_on_a_number_whatever_happens_at_once(flavor = "multi_thread", worker_threads = 4),
    an_automation_uses_the_general_thread_that_is_open,
    a_change_of_a_thread_is_checked_recorded_and_announced,
    a_general_thread_is_not_opened_beside_another_open_one,
}

/// A time within the window of the booking of [`draft`].
const DURING: &str = "2024-12-31T10:30:00Z";

fn second_sitter() -> SitterId {
    SitterId::from("sitter-2".to_owned())
}

fn as_sitter(sitter: &SitterId) -> Viewer {
    Viewer::sitter(org(), sitter.clone())
}

fn patch(body: Value) -> Patch {
    serde_json::from_value(body).unwrap()
}

/// A booking's thread with sitter 1, whose window is active at [`DURING`].
async fn thread_with_sitter(business: &Business) -> ThreadId {
    business.add_number("pool-1", "pool", "org-1").await;
    let booking = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
    business.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id
}

/// Stores an inbound text as the routing does.
async fn receive(business: &Business, thread: &ThreadId, routed_to: &str, provider_at: Timestamp) -> MessageId {
    let now = at(DURING);
    business
        .write(async |tx| {
            let thread = threads::lock(tx, thread).await.unwrap();
            let id = MessageId::new(now);
            tx.query(
                "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status, routed_to,
                                             provider_at, created_at, updated_at)
                 VALUES ($1, $2, $3, 'inbound', 'client', 'hello', 'received', $4, $5, $6, $6)",
            )
            .bind(&id)
            .bind(&thread.org_id)
            .bind(&thread.id)
            .bind(routed_to)
            .bind(provider_at)
            .bind(now)
            .execute()
            .await
            .unwrap();
            threads::received(tx, &thread.id, &id, provider_at, now).await.unwrap();
            id
        })
        .await
}

async fn change(business: &Business, thread: &ThreadId, body: Value) -> Result<()> {
    let patch = patch(body);
    let mut tx = business.db.begin().await.unwrap();
    change::change(&mut tx, &org(), thread, &patch, &owner(), at(DURING)).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn read(business: &Business, viewer: &Viewer, thread: &ThreadId, up_to: Option<i64>) -> Result<()> {
    let mut tx = business.db.begin().await.unwrap();
    change::read(&mut tx, viewer, thread, up_to, at(DURING)).await?;
    tx.commit().await.unwrap();
    Ok(())
}

/// The stored counters of the owner and the sitter.
async fn counters(business: &Business, thread: &ThreadId) -> (i64, i64) {
    let sql = "SELECT owner_unread, sitter_unread FROM message_threads WHERE id = $1";
    business.db.read(sql).bind(thread).one().await.unwrap()
}

/// A text in the model: to whom it was routed, and who has read it.
struct Received {
    routed_to: &'static str,
    by_owner: bool,
    by_sitter: bool,
}

struct Model {
    texts: Vec<Received>,
    marked: bool,
    sitter: Option<SitterId>,
    open: bool,
    done: bool,
}

impl Model {
    fn owner_reads(&self, text: &Received) -> bool {
        let passed_on = text.routed_to == "sitter" && self.sitter.is_none() && !text.by_sitter;
        !text.by_owner && (text.routed_to == "owner" || passed_on)
    }

    fn counters(&self) -> (i64, i64) {
        let count = |wanted: &dyn Fn(&Received) -> bool| {
            i64::try_from(self.texts.iter().filter(|text| wanted(text)).count()).unwrap()
        };
        let owner = count(&|text| self.owner_reads(text));
        let sitter = count(&|text| text.routed_to == "sitter" && self.sitter.is_some() && !text.by_sitter);
        (owner.max(i64::from(self.marked)), sitter)
    }
}

async fn after_every_sequence_of_acts_the_counters_say_what_is_unread(engine: Engine) {
    let rounds = std::env::var("NIGHTSHIFT_TEST_UNREAD_ROUNDS").map_or(4, |rounds| rounds.parse().unwrap());
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        for seed in 0..rounds {
            let mut random = Random::new(seed);
            for sql in [
                "DELETE FROM message_events",
                "UPDATE message_threads SET arrivals = 0, owner_read = 0, sitter_read = 0, marked_unread = FALSE,
                        owner_unread = 0, sitter_unread = 0, done_at = NULL, status = 'open',
                        assigned_sitter_id = 'sitter-1'",
            ] {
                business.set(sql).await;
            }
            let mut model = Model { texts: Vec::new(), marked: false, sitter: Some(sitter()), open: true, done: false };
            // The mark of a page that was loaded some time ago.
            let mut seen = 0;
            for step in 0..50 {
                let act = random.below(12);
                match act {
                    0..=3 => {
                        let routed_to = ["owner", "sitter", "sitter", "none"][random.below(4)];
                        receive(&business, &thread, routed_to, at(DURING)).await;
                        model.texts.push(Received { routed_to, by_owner: false, by_sitter: false });
                        model.done = false;
                    }
                    4 => {
                        let (viewer, limit) = (viewer_of(&org()), Limit::default());
                        let page = messages::list(&business.db, &viewer, &thread, None, limit, at(DURING)).await;
                        seen = page.unwrap().read_up_to;
                        assert_eq!(usize::try_from(seen).unwrap(), model.texts.len());
                    }
                    5 | 6 => {
                        let up_to = (act == 5).then_some(seen);
                        read(&business, &viewer_of(&org()), &thread, up_to).await.unwrap();
                        let read = up_to.map_or(model.texts.len(), |up_to| usize::try_from(up_to).unwrap());
                        model.texts.iter_mut().take(read).for_each(|text| text.by_owner = true);
                        model.marked = false;
                    }
                    7 | 8 => {
                        // The window is sitter 1's, to whom ever the thread is assigned.
                        let up_to = (act == 7).then_some(seen);
                        let result = read(&business, &as_sitter(&sitter()), &thread, up_to).await;
                        assert_eq!(result.is_ok(), model.open, "{result:?}");
                        if model.open {
                            let read = up_to.map_or(model.texts.len(), |up_to| usize::try_from(up_to).unwrap());
                            model.texts.iter_mut().take(read).for_each(|text| text.by_sitter = true);
                        }
                        let other = read(&business, &as_sitter(&second_sitter()), &thread, None).await;
                        assert!(matches!(other, Err(Error::NotFound)));
                    }
                    9 => {
                        let unread = random.below(2) == 0;
                        change(&business, &thread, json!({"unread": unread})).await.unwrap();
                        model.marked = unread;
                        if !unread {
                            model.texts.iter_mut().for_each(|text| text.by_owner = true);
                        }
                    }
                    10 => {
                        model.sitter = [None, Some(sitter()), Some(second_sitter())][random.below(3)].clone();
                        change(&business, &thread, json!({"assignedSitterId": model.sitter})).await.unwrap();
                    }
                    _ => {
                        (model.open, model.done) = (random.below(3) > 0, random.below(2) == 0);
                        let status = if model.open { "open" } else { "closed" };
                        change(&business, &thread, json!({"status": status, "done": model.done})).await.unwrap();
                    }
                }
                let context = format!("seed {seed}, step {step}, act {act}");
                assert_eq!(counters(&business, &thread).await, model.counters(), "{context}");
                let view = inbox::view(&business.db, &viewer_of(&org()), &thread, at(DURING)).await.unwrap();
                let wanted = (model.counters().0, model.done, model.open, model.sitter.clone());
                let found = (
                    view.unread,
                    view.done_at.is_some(),
                    view.status == ThreadStatus::Open,
                    view.assigned_sitter_id.clone(),
                );
                assert_eq!(found, wanted, "{context}");
                let unread = Filter { unread: Some(true), ..Filter::default() };
                let (viewer, limit) = (viewer_of(&org()), Limit::default());
                let listed = inbox::list(&business.db, &viewer, &unread, None, limit, at(DURING)).await.unwrap();
                assert_eq!(listed.items.is_empty(), model.counters().0 == 0, "{context}");
            }
        }
    })
    .await;
}

async fn a_text_that_arrives_while_somebody_reads_stays_unread(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let business = Arc::new(business);
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (business, thread) = (business.clone(), thread.clone());
                tokio::spawn(async move {
                    for _ in 0..10 {
                        receive(&business, &thread, "owner", at(DURING)).await;
                    }
                })
            })
            .collect();
        let reader = {
            let (business, thread) = (business.clone(), thread.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                for _ in 0..10 {
                    let (viewer, limit) = (viewer_of(&org()), Limit::asked(Some(200)));
                    let page = messages::list(&business.db, &viewer, &thread, None, limit, at(DURING)).await.unwrap();
                    let up_to = page.read_up_to;
                    let shown = page.messages.iter().filter(|text| text.routed_to.is_some()).count();
                    assert!(usize::try_from(up_to).unwrap() <= shown, "more is marked as read than was shown");
                    read(&business, &viewer, &thread, Some(up_to)).await.unwrap();
                    seen = up_to;
                }
                seen
            })
        };
        for writer in writers {
            writer.await.unwrap();
        }
        let seen = reader.await.unwrap();
        assert_eq!(counters(&business, &thread).await, (30 - seen, 0));
        let numbers: Vec<(i64,)> = business
            .db
            .read("SELECT arrival FROM message_events WHERE arrival IS NOT NULL ORDER BY arrival")
            .all()
            .await
            .unwrap();
        assert_eq!(numbers.into_iter().map(|(number,)| number).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    })
    .await;
}

async fn a_text_taken_in_twice_counts_once_and_a_late_one_sets_no_time_back(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let times = async || {
            let thread = business.write(async |tx| threads::lock(tx, &thread).await.unwrap()).await;
            (thread.last_message_at.unwrap(), thread.last_inbound_at.unwrap())
        };
        let text = receive(&business, &thread, "owner", at("2024-12-31T10:20:00Z")).await;
        business.write(async |tx| threads::received(tx, &thread, &text, at(DURING), at(DURING)).await.unwrap()).await;
        assert_eq!(counters(&business, &thread).await, (1, 0));
        assert_eq!(times().await, (at("2024-12-31T10:20:00Z"), at("2024-12-31T10:20:00Z")));
        receive(&business, &thread, "owner", at("2024-12-31T09:00:00Z")).await;
        assert_eq!(times().await.1, at("2024-12-31T10:20:00Z"));
        // The carrier's clock is ahead.
        receive(&business, &thread, "owner", at("2025-06-01T00:00:00Z")).await;
        assert_eq!(times().await, (at(DURING), at(DURING)));
        assert_eq!(counters(&business, &thread).await, (3, 0));
    })
    .await;
}

async fn a_text_that_nobody_was_shown_stays_unread(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let viewer = viewer_of(&org());
        let seen = async |rows| {
            let page = messages::list(&business.db, &viewer, &thread, None, Limit::asked(Some(rows)), noon()).await;
            page.unwrap().read_up_to
        };
        for minute in 1..4 {
            receive(&business, &thread, "owner", at(&format!("2024-12-31T10:0{minute}:00Z"))).await;
        }
        assert_eq!((seen(2).await, seen(3).await), (0, 3), "the oldest unread text is not on the page");
        read(&business, &viewer, &thread, Some(seen(3).await)).await.unwrap();
        // Taken in late, it stands before what the page shows.
        receive(&business, &thread, "owner", at("2024-12-31T09:00:00Z")).await;
        receive(&business, &thread, "owner", at("2024-12-31T10:04:00Z")).await;
        assert_eq!((seen(4).await, seen(5).await), (3, 5));
        read(&business, &viewer, &thread, Some(seen(4).await)).await.unwrap();
        assert_eq!(counters(&business, &thread).await, (2, 0));
        read(&business, &viewer, &thread, Some(seen(5).await)).await.unwrap();
        assert_eq!((counters(&business, &thread).await, seen(1).await), ((0, 0), 5));
    })
    .await;
}

/// How many conversations are paged through.
fn paged() -> u64 {
    std::env::var("NIGHTSHIFT_TEST_PAGED").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

async fn who_pages_through_the_texts_comes_to_have_read_them_all(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        for seed in 0..paged() {
            let mut random = Random::new(seed);
            business.set("DELETE FROM message_events").await;
            business.set("UPDATE message_threads SET arrivals = 0, owner_read = 0, sitter_read = 0").await;
            let (reader, routed_to) = match random.below(2) {
                0 => (viewer_of(&org()), "owner"),
                _ => (as_sitter(&sitter()), "sitter"),
            };
            let (count, rows) = (1 + random.below(14), i64::try_from(1 + random.below(4)).unwrap());
            let mut arrived = Vec::new();
            for _ in 0..count {
                let time = at(&format!("2024-12-31T10:0{}:00Z", random.below(8)));
                arrived.push(receive(&business, &thread, routed_to, time).await);
            }
            let (mut shown, mut rounds) = (HashSet::new(), 0);
            while counters(&business, &thread).await != (0, 0) {
                let mut before = None::<MessageId>;
                loop {
                    let limit = Limit::asked(Some(rows));
                    let page = messages::list(&business.db, &reader, &thread, before.as_ref(), limit, at(DURING))
                        .await
                        .unwrap();
                    shown.extend(page.messages.iter().map(|text| text.id.clone()));
                    let marked = usize::try_from(page.read_up_to).unwrap();
                    assert!(arrived[..marked].iter().all(|text| shown.contains(text)), "seed {seed}: marked unseen");
                    read(&business, &reader, &thread, Some(page.read_up_to)).await.unwrap();
                    before = page.messages.first().map(|text| text.id.clone());
                    if before.is_none() {
                        break;
                    }
                }
                rounds += 1;
                assert!(rounds <= count, "seed {seed}: something stays unread");
            }
        }
    })
    .await;
}

async fn texts_stand_at_the_carriers_time_and_pages_miss_none(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let mut random = Random::new(7);
        let (mut wanted, mut arrived) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            // Few different times, so that many are the same; in any order, as after an outage.
            let time = at(&format!("2024-12-31T10:0{}:00Z", random.below(5)));
            wanted.push((time, receive(&business, &thread, "sitter", time).await));
            arrived.extend(wanted.last().map(|(_, id)| id.clone()));
        }
        wanted.sort_by(|left, right| (left.0, left.1.as_str()).cmp(&(right.0, right.1.as_str())));
        for rows in [1, 3, 7, 40] {
            let (mut found, mut before) = (Vec::new(), None::<MessageId>);
            loop {
                let (viewer, limit) = (viewer_of(&org()), Limit::asked(Some(rows)));
                let page =
                    messages::list(&business.db, &viewer, &thread, before.as_ref(), limit, noon()).await.unwrap();
                let is_unseen = |id: &MessageId| !page.messages.iter().any(|text| text.id == *id);
                let seen = arrived.iter().position(is_unseen).map_or(40, |place| i64::try_from(place).unwrap());
                assert_eq!(page.read_up_to, seen);
                let Some(first) = page.messages.first() else { break };
                before = Some(first.id.clone());
                let texts = page.messages.into_iter().map(|text| (text.created_at, text.id)).collect::<Vec<_>>();
                found.splice(0..0, texts);
            }
            assert_eq!(found, wanted, "{rows} on a page");
        }
    })
    .await;
}

async fn insert_thread(business: &Business, id: &str, scope: &str, sitter: Option<&str>, booking: Option<&str>) {
    business
        .db
        .write(
            "INSERT INTO message_threads (id, org_id, scope, assigned_sitter_id, booking_id)
             VALUES ($1, 'org-1', $2, $3, $4)",
        )
        .bind(id)
        .bind(scope)
        .bind(sitter)
        .bind(booking)
        .execute()
        .await
        .unwrap();
}

async fn every_thread_is_in_exactly_one_mailbox_and_the_lists_agree(engine: Engine) {
    on(engine, async |business| {
        let mut random = Random::new(3);
        let mut all = Vec::new();
        let (mut sitter_threads, scopes) = (0, ["client_booking", "client_general", "owner_sitter", "internal"]);
        for number in 0..60 {
            let scope = scopes[random.below(4)];
            let mut sitter = [None, Some("sitter-1"), Some("sitter-2")][random.below(3)];
            if scope == "owner_sitter" && sitter.is_some() {
                // A sitter has one such thread.
                sitter = ["sitter-1", "sitter-2"].get(sitter_threads).copied();
                sitter_threads += 1;
            }
            let id = format!("thread-{number:02}");
            insert_thread(&business, &id, scope, sitter, None).await;
            all.push((id, scope.parse::<Scope>().unwrap(), sitter.map(|id| SitterId::from(id.to_owned()))));
        }
        let list = async |of: Option<Mailbox>| {
            let (filter, limit) = (Filter { mailbox: of, ..Filter::default() }, Limit::asked(Some(200)));
            let page = inbox::list(&business.db, &viewer_of(&org()), &filter, None, limit, noon()).await.unwrap();
            let mut ids: Vec<_> = page.items.iter().map(|thread| (thread.id.to_string(), thread.mailbox)).collect();
            ids.sort();
            ids
        };
        let wanted = |of: Option<Mailbox>| -> Vec<_> {
            let each = all.iter().map(|(id, scope, sitter)| (id.clone(), mailbox(*scope, sitter.as_ref())));
            each.filter(|(_, its)| of.is_none_or(|of| of == *its)).collect()
        };
        for of in [None, Some(Mailbox::Owner), Some(Mailbox::Sitter)] {
            assert_eq!(list(of).await, wanted(of), "{of:?}");
        }
        for sitter in [sitter(), second_sitter()] {
            let limit = Limit::asked(Some(200));
            let page = inbox::of_sitter(&business.db, &viewer_of(&org()), &sitter, None, limit, noon()).await.unwrap();
            let mut found: Vec<_> = page.items.iter().map(|thread| thread.id.to_string()).collect();
            found.sort();
            let own = all.iter().filter(|(_, scope, its)| {
                its.as_ref() == Some(&sitter) && mailbox(*scope, its.as_ref()) == Mailbox::Sitter
            });
            assert_eq!(found, own.map(|(id, ..)| id.clone()).collect::<Vec<_>>());
        }
    })
    .await;
}

async fn a_sitter_lists_their_own_mailbox_and_nobody_elses(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        let limit = Limit::default();
        let of = async |viewer: &Viewer, sitter: &SitterId| {
            let page = inbox::of_sitter(&business.db, viewer, sitter, None, limit, noon()).await?;
            Ok::<_, Error>(page.items)
        };
        // Days before the window: the thread is listed without a text, and its texts are not open.
        let own = of(&as_sitter(&sitter()), &sitter()).await.unwrap();
        assert_eq!(own.iter().map(|thread| &thread.id).collect::<Vec<_>>(), [&thread]);
        assert!(own[0].masked_number_e164.as_ref().unwrap().contains('•'));
        assert!(matches!(of(&as_sitter(&sitter()), &second_sitter()).await, Err(Error::NotFound)));
        let (foreign, unknown) = (SitterId::from("sitter-9".to_owned()), SitterId::from("nobody".to_owned()));
        for sitter in [&foreign, &unknown] {
            assert!(matches!(of(&viewer_of(&org()), sitter).await, Err(Error::NotFound)));
        }
        let elsewhere = viewer_of(&OrgId::from("org-2".to_owned()));
        assert!(matches!(of(&elsewhere, &sitter()).await, Err(Error::NotFound)));
        assert!(matches!(of(&Viewer::all(), &sitter()).await, Err(Error::Forbidden { .. })));
    })
    .await;
}

async fn open_general(business: &Business) -> i64 {
    business.count("SELECT COUNT(*) FROM message_threads WHERE scope = 'client_general' AND status = 'open'").await
}

async fn a_person_has_one_open_general_thread_on_a_number_whatever_happens_at_once(engine: Engine) {
    on(engine, async |business| {
        let number = business.add_number("desk-1", "front_desk", "org-1").await;
        let client: ClientId = business.book(|_| {}).await.booking.client_id;
        let business = Arc::new(business);
        let tasks: Vec<_> = (0..40)
            .map(|turn| {
                let (business, client, number) = (business.clone(), client.clone(), number.clone());
                tokio::spawn(async move {
                    let mut tx = business.db.begin().await.unwrap();
                    let number = numbers::load(&mut tx, &number).await.unwrap().unwrap();
                    let (thread, created) =
                        threads::find_or_create_general(&mut tx, &client, &number, noon()).await.unwrap();
                    assert_eq!(thread.status, ThreadStatus::Open);
                    if turn % 3 == 0 {
                        threads::set_status(&mut tx, &thread.id, ThreadStatus::Closed, noon()).await.unwrap();
                    }
                    tx.commit().await.unwrap();
                    created
                })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            created += i64::from(task.await.unwrap());
        }
        assert!(open_general(&business).await <= 1);
        assert_eq!(business.count("SELECT COUNT(*) FROM message_threads").await, created);
        assert!(created <= 15, "a thread was created although one was open");
    })
    .await;
}

async fn an_automation_uses_the_general_thread_that_is_open(engine: Engine) {
    on(engine, async |business| {
        let number = business.add_number("desk-1", "front_desk", "org-1").await;
        let number = business.write(async |tx| numbers::load(tx, &number).await.unwrap().unwrap()).await;
        let mut random = Random::new(11);
        let mut clients: Vec<ClientId> = Vec::new();
        for turn in 0..24 {
            // Bookings without a thread of their own, of few clients. Threads are opened and closed in between.
            let phone = format!("+1555777000{}", random.below(3));
            let booking = business.confirmed(|draft| draft.phone = Some(phone)).await;
            let general = "SELECT id FROM message_threads WHERE client_id = $1 AND status = 'open'";
            let open: Option<(ThreadId,)> =
                business.db.read(general).bind(&booking.client_id).optional().await.unwrap();
            match random.below(4) {
                0 => {
                    business
                        .write(async |tx| {
                            threads::find_or_create_general(tx, &booking.client_id, &number, noon()).await.unwrap()
                        })
                        .await;
                }
                1 => {
                    if let Some((thread,)) = &open {
                        change(&business, thread, json!({"status": "closed"})).await.unwrap();
                    }
                }
                _ => {}
            }
            let before: Option<(ThreadId,)> =
                business.db.read(general).bind(&booking.client_id).optional().await.unwrap();
            let run = business
                .write(async |tx| {
                    let new = NewAutomationRun {
                        org_id: &booking.org_id,
                        kind: AutomationType::BookingConfirmation,
                        trigger_ref: format!("turn:{turn}"),
                        booking_id: Some(&booking.id),
                        thread_id: None,
                        client_id: Some(&booking.client_id),
                        sitter_id: None,
                        scheduled_for: None,
                        blocked: false,
                        variables: None,
                    };
                    runs::insert(tx, &new, noon()).await.unwrap().0.to_start().unwrap()
                })
                .await;
            let executed = business.execute(&run, noon()).await;
            let Executed::Written { thread_id, used_thread: false, .. } = executed else { panic!("{executed:?}") };
            assert!(before.is_none_or(|(open,)| open == thread_id), "turn {turn}: a second thread was opened");
            clients.push(booking.client_id);
            clients.sort();
            clients.dedup();
            assert!(open_general(&business).await <= i64::try_from(clients.len()).unwrap());
        }
    })
    .await;
}

async fn a_change_of_a_thread_is_checked_recorded_and_announced(engine: Engine) {
    on(engine, async |business| {
        let thread = thread_with_sitter(&business).await;
        for wrong in ["sitter-9", "nobody"] {
            let refused = change(&business, &thread, json!({"assignedSitterId": wrong, "done": true})).await;
            assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields.contains_key("assignedSitterId")));
        }
        business.set("UPDATE sitters SET active = FALSE WHERE id = 'sitter-2'").await;
        let refused = change(&business, &thread, json!({"assignedSitterId": "sitter-2"})).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        business.set("UPDATE sitters SET active = TRUE").await;
        insert_thread(&business, "thread-2", "internal", None, None).await;
        let refused = change(&business, &"thread-2".into(), json!({"assignedSitterId": "sitter-1"})).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        insert_thread(&business, "thread-3", "owner_sitter", Some("sitter-1"), None).await;
        let refused = change(&business, &"thread-3".into(), json!({"status": "closed"})).await;
        assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields.contains_key("status")), "{refused:?}");
        assert_eq!(business.audited("thread.changed").await, 0);

        let body = json!({"assignedSitterId": "sitter-2", "status": "closed", "done": true, "unread": true});
        change(&business, &thread, body.clone()).await.unwrap();
        assert_eq!(business.audited("thread.changed").await, 1);
        for topic in ["threads", "sitter:sitter-1", "sitter:sitter-2", &format!("thread:{thread}")] {
            assert_eq!(business.streamed(topic, "thread.changed").await, 1, "{topic}");
        }
        // The same again changes nothing.
        change(&business, &thread, body).await.unwrap();
        change(&business, &thread, json!({})).await.unwrap();
        assert_eq!(business.audited("thread.changed").await, 1);
        let view = inbox::view(&business.db, &viewer_of(&org()), &thread, at(DURING)).await.unwrap();
        assert_eq!((view.status, view.unread, view.mailbox), (ThreadStatus::Closed, 1, Mailbox::Sitter));
        change(&business, &thread, json!({"assignedSitterId": null})).await.unwrap();
        let view = inbox::view(&business.db, &viewer_of(&org()), &thread, at(DURING)).await.unwrap();
        assert_eq!((view.mailbox, view.assigned_sitter_id), (Mailbox::Owner, None));

        let elsewhere = OrgId::from("org-2".to_owned());
        let foreign = business
            .write(async |tx| change::change(tx, &elsewhere, &thread, &Patch::default(), &owner(), noon()).await)
            .await;
        assert!(matches!(foreign, Err(Error::NotFound)));
        assert!(matches!(read(&business, &viewer_of(&elsewhere), &thread, None).await, Err(Error::NotFound)));
    })
    .await;
}

async fn a_general_thread_is_not_opened_beside_another_open_one(engine: Engine) {
    on(engine, async |business| {
        let number = business.add_number("desk-1", "front_desk", "org-1").await;
        let client: ClientId = business.book(|_| {}).await.booking.client_id;
        let number = business.write(async |tx| numbers::load(tx, &number).await.unwrap().unwrap()).await;
        let find = async || {
            business
                .write(async |tx| threads::find_or_create_general(tx, &client, &number, noon()).await.unwrap())
                .await
        };
        let (first, _) = find().await;
        change(&business, &first.id, json!({"status": "closed"})).await.unwrap();
        let (second, created) = find().await;
        assert!(created && second.id != first.id);
        let refused = change(&business, &first.id, json!({"status": "open"})).await;
        assert!(matches!(refused, Err(Error::Conflict { code: "already_open", .. })), "{refused:?}");
        change(&business, &second.id, json!({"status": "closed"})).await.unwrap();
        change(&business, &first.id, json!({"status": "open"})).await.unwrap();
        assert_eq!(find().await.0.id, first.id);
    })
    .await;
}

#[tokio::test]
async fn texts_and_mailboxes_are_read_from_an_index_in_their_order() {
    on(Engine::Sqlite, async |business| {
        let thread = thread_with_sitter(&business).await;
        let text = receive(&business, &thread, "owner", at(DURING)).await;
        let (db, viewer, limit) = (&business.db, viewer_of(&org()), Limit::default());
        for before in [None, Some(&text)] {
            let (read, statements) = statements_of(messages::list(db, &viewer, &thread, before, limit, noon())).await;
            read.unwrap();
            let [.., listing, seeing] = statements.as_slice() else { panic!("{statements:#?}") };
            let steps = plan(db, seeing).await;
            let unread = "message_events_arrived (thread_id=? AND routed_to=? AND arrival>?)";
            assert!(steps.iter().any(|step| step.contains(unread)), "{steps:#?}");
            let steps = plan(db, listing).await;
            assert!(steps.iter().any(|step| step.contains("message_events_shown")), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        }
        let (read, statements) = statements_of(inbox::of_sitter(db, &viewer, &sitter(), None, limit, noon())).await;
        read.unwrap();
        let steps = plan(db, statements.last().unwrap()).await;
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        // What counts unread texts reads the unread ones only.
        let counting = async {
            let mut tx = db.begin().await.unwrap();
            change::read(&mut tx, &viewer, &thread, None, at(DURING)).await.unwrap();
            tx.commit().await.unwrap();
        };
        let ((), statements) = statements_of(counting).await;
        let tally = statements.iter().find(|sql| sql.contains("for_either")).unwrap();
        let steps = plan(db, tally).await;
        let ranges = steps
            .iter()
            .filter(|step| step.contains("message_events_arrived (thread_id=? AND routed_to=? AND arrival>?)"));
        assert_eq!(ranges.count(), 3, "{steps:#?}");
    })
    .await;
}
