//! Every inbound text finds its person: where it goes, why, and what is stored with it.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_providers::twilio::signature::sign_form;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::FromRow;
use tokio::sync::Mutex;

use crate::support::business::{self, booking_of};
use crate::support::checks::eventually;
use crate::support::nightshift::on_with;
use crate::support::process::{Process, World};
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    a_text_goes_to_the_sitter_while_a_window_is_active_and_to_the_owner_otherwise,
    of_two_active_windows_the_later_one_takes_the_text,
    a_window_that_is_active_on_another_number_is_not_denied,
    a_window_without_a_sitter_is_the_owners,
    a_text_to_a_sitters_own_number_is_the_sitters_without_a_window_too,
    a_sitter_who_has_left_gets_no_texts_of_clients,
    a_sitters_number_that_becomes_anothers_takes_its_conversations_along,
    somebody_new_becomes_a_client_with_one_conversation,
    a_sitter_writes_to_the_owner_also_when_the_number_is_a_clients,
    keywords_are_stored_in_their_conversation_and_twilio_answers_them,
    a_text_for_nobody_is_put_before_people_and_answered_all_the_same,
    a_text_to_the_number_for_new_businesses_is_kept_by_the_platform,
    a_number_out_of_service_still_receives_and_a_closed_conversation_does_not,
    a_number_that_moved_belongs_to_its_present_organisation,
    a_short_code_and_a_name_are_kept_as_they_are,
    what_cannot_be_stored_whole_is_cut_and_marked,
    a_repeated_delivery_stores_nothing_twice,
    only_owners_and_operators_see_why_and_nobody_can_change_it,
    on_an_openphone_number_we_answer_keywords_ourselves,
    texts_are_shown_by_the_carriers_time_and_judged_by_it,
    a_text_taken_in_late_is_answered_by_its_own_time,
    two_webhooks_of_one_openphone_text_store_it_once,
    a_short_code_is_not_texted_back,
    an_unread_text_wakes_its_conversation(flavor = "multi_thread"),
    texts_of_one_person_over_two_processes_are_shown_in_the_order_of_their_webhooks(flavor = "multi_thread"),
    a_text_is_stored_once_when_its_process_is_killed_anywhere(flavor = "multi_thread"),
}

const POOL: &str = "+15550199001";
const CLIENT: &str = "+15551234567";
const TWILIO_TOKEN: &str = "simulated-auth-token";

/// A text as the tests read it.
#[derive(Debug, FromRow)]
struct Stored {
    id: String,
    org_id: String,
    thread_id: String,
    actor_type: String,
    body: String,
    routed_to: String,
    truncated: bool,
}

/// A trace as the tests read it.
#[derive(Debug, FromRow)]
struct Traced {
    org_id: Option<String>,
    outcome: String,
    summary: String,
    steps: String,
}

/// Delivers a text as Twilio does.
pub async fn text(nightshift: &Nightshift, sid: &str, from: &str, to: &str, body: &str) -> Answer {
    let form = form(sid, from, to, body, &[]);
    post(&nightshift.http, &nightshift.app.url(), form).await
}

fn form(sid: &str, from: &str, to: &str, body: &str, more: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("MessageSid", sid).append_pair("AccountSid", "AC1").append_pair("From", from);
    form.append_pair("To", to).append_pair("Body", body).extend_pairs(more);
    form.finish()
}

async fn post(http: &reqwest::Client, base: &str, form: String) -> Answer {
    let url = format!("{base}/api/twilio/inbound");
    let signature = sign_form(&TWILIO_TOKEN.into(), &url, form.as_bytes());
    let request = http
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(form);
    Answer::to(request).await
}

async fn stored(nightshift: &Nightshift) -> Vec<Stored> {
    nightshift
        .rows(
            "SELECT id, org_id, thread_id, actor_type, body, routed_to, truncated FROM message_events
             WHERE direction = 'inbound' ORDER BY id",
        )
        .await
}

/// Delivers a text and returns it as it is stored, with its trace.
async fn arrives(nightshift: &Nightshift, sid: &str, from: &str, to: &str, body: &str) -> (Stored, Traced) {
    text(nightshift, sid, from, to, body).await.expect(200);
    nightshift.all_webhooks().with_key(sid).processed().until_with_the_clock_standing(1).await;
    let stored = stored(nightshift).await.pop().expect("a text");
    (stored, traces(nightshift).await.pop().expect("a trace"))
}

async fn traces(nightshift: &Nightshift) -> Vec<Traced> {
    let sql = match nightshift.db.engine() {
        Engine::Postgres => "SELECT org_id, outcome, summary, steps::text AS steps FROM routing_traces ORDER BY id",
        Engine::Sqlite => "SELECT org_id, outcome, summary, steps FROM routing_traces ORDER BY id",
    };
    nightshift.rows(sql).await
}

/// The result and reason of a step of a trace.
fn step(trace: &Traced, name: &str) -> (String, String) {
    let steps: Vec<Value> = serde_json::from_str(&trace.steps).unwrap();
    let step = steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no {name}: {steps:#?}"));
    (step["result"].as_str().unwrap().to_owned(), step["reason"].as_str().unwrap().to_owned())
}

fn at(time: &str) -> Timestamp {
    format!("2024-12-31T{time}:00Z").parse().unwrap()
}

/// Confirms a booking and returns its conversation.
async fn confirmed(nightshift: &Nightshift, booking: Value) -> String {
    let id = nightshift.book_as(booking).await;
    nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
    nightshift.quiet().await;
    let found: Vec<(String, String)> =
        nightshift.rows("SELECT booking_id, id FROM message_threads WHERE scope = 'client_booking'").await;
    found.into_iter().find(|(booking, _)| *booking == id).expect("its conversation").1
}

/// A booking of the client with Sam.
fn with_sam() -> Value {
    let mut booking = business::booking();
    booking["sitterId"] = json!("sitter-sam");
    booking
}

async fn a_text_goes_to_the_sitter_while_a_window_is_active_and_to_the_owner_otherwise(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = confirmed(&nightshift, with_sam()).await;
        let (before, why) = arrives(&nightshift, "SM1", CLIENT, POOL, "See you tomorrow?").await;
        assert_eq!((before.thread_id.as_str(), before.routed_to.as_str()), (thread.as_str(), "owner"));
        assert_eq!(why.summary, "Routed to owner inbox: no active assignment window for this client.");
        let reason = step(&why, "active_window").1;
        assert!(reason.starts_with("none is active; the next one begins at 10:00"), "{reason}");
        assert_eq!(
            step(&why, "open_thread").1,
            format!("conversation {thread} is open; its assignment window has not begun")
        );

        nightshift.clock.set(at("10:30"));
        let (within, why) = arrives(&nightshift, "SM2", CLIENT, POOL, "Are you there?").await;
        assert_eq!((within.thread_id.as_str(), within.routed_to.as_str()), (thread.as_str(), "sitter"));
        assert_eq!((within.actor_type.as_str(), within.body.as_str()), ("client", "Are you there?"));
        assert_eq!(
            why.summary,
            "Routed to Sam (sitter): number +1••••••••01 carries this client's booking thread and its assignment window is \
             active until 12:00."
        );
        assert_eq!(step(&why, "active_window").0, "matched");

        nightshift.clock.set(at("12:00"));
        let (after, why) = arrives(&nightshift, "SM3", CLIENT, POOL, "Thank you").await;
        assert_eq!((after.thread_id.as_str(), after.routed_to.as_str()), (thread.as_str(), "owner"));
        assert_eq!(why.summary, "Routed to owner inbox: no active assignment window for this client.");
        assert_eq!(step(&why, "active_window").1, "none is active; the last one closed at 12:00");

        let shown = nightshift.get(&format!("/api/messages/threads/{thread}/messages")).await.expect(200).json();
        let shown: Vec<&str> = shown["messages"].as_array().unwrap().iter().filter_map(|m| m["body"].as_str()).collect();
        assert_eq!(shown[1..], ["See you tomorrow?", "Are you there?", "Thank you"], "after the confirmation");
        assert_eq!(nightshift.threads().count().await, 1);
        assert_eq!(nightshift.events("message.received").count().await, 3);
    })
    .await;
}

async fn of_two_active_windows_the_later_one_takes_the_text(engine: Engine) {
    on(engine, async |nightshift| {
        confirmed(&nightshift, with_sam()).await;
        let mut later = with_sam();
        (later["startAt"], later["endAt"]) = (json!("2024-12-31T10:20:00Z"), json!("2024-12-31T10:40:00Z"));
        let later = confirmed(&nightshift, later).await;
        // Both conversations of the client are on one number only if there is no other.
        nightshift.db.write("UPDATE message_threads SET message_number_id = 'number-pool'").execute().await.unwrap();
        nightshift.clock.set(at("10:30"));
        let (text, why) = arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        assert_eq!(text.thread_id, later);
        let reason = step(&why, "active_window").1;
        assert!(reason.contains("started last; also active: conversation "), "{reason}");
        assert!(reason.contains("(Sam, since 10:00)"), "{reason}");
    })
    .await;
}

async fn a_window_that_is_active_on_another_number_is_not_denied(engine: Engine) {
    on(engine, async |nightshift| {
        confirmed(&nightshift, with_sam()).await;
        let other = json!({"id": "number-other", "orgId": "org-paws", "e164": "+15550199077", "numberClass": "pool",
                           "provider": "twilio"});
        business::load(&nightshift.db, json!({"numbers": [other]})).await;
        nightshift.clock.set(at("10:30"));
        let (_, why) = arrives(&nightshift, "SM1", CLIENT, "+15550199077", "Is Sam there?").await;
        assert_eq!(why.summary, "Routed to owner inbox: this client has no open conversation on number +1••••••••77.");
        let (_, why) = arrives(&nightshift, "SM2", CLIENT, "+15550199077", "Hello?").await;
        assert_eq!(
            why.summary,
            "Routed to owner inbox: no active assignment window for this client in an open conversation on number \
             +1••••••••77."
        );
        assert_eq!(
            step(&why, "active_window").1,
            "none is active; one is active in a conversation that is closed or on another number"
        );
    })
    .await;
}

async fn a_window_without_a_sitter_is_the_owners(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = confirmed(&nightshift, business::booking()).await;
        nightshift.clock.set(at("10:30"));
        let (text, why) = arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        assert_eq!((text.thread_id, text.routed_to.as_str()), (thread, "owner"));
        assert_eq!(
            why.summary,
            "Routed to owner inbox: the assignment window that is active until 12:00 has no sitter."
        );
    })
    .await;
}

async fn a_text_to_a_sitters_own_number_is_the_sitters_without_a_window_too(engine: Engine) {
    on(engine, async |nightshift| {
        let own = json!({"numbers": [{"id": "number-sam", "orgId": "org-paws", "e164": "+15550199002",
                                      "numberClass": "sitter", "assignedSitterId": "sitter-sam", "provider": "twilio"}]});
        business::load(&nightshift.db, own).await;
        let (text, why) = arrives(&nightshift, "SM1", CLIENT, "+15550199002", "Hello Sam").await;
        assert_eq!(text.routed_to, "sitter");
        assert_eq!(
            why.summary,
            "Routed to Sam (sitter): +1••••••••02 is Sam's own number; the assignment window is closed."
        );
        let (again, _) = arrives(&nightshift, "SM2", CLIENT, "+15550199002", "Still there?").await;
        assert_eq!((again.thread_id.as_str(), again.routed_to.as_str()), (text.thread_id.as_str(), "sitter"));
        let threads: Vec<(String, Option<String>)> =
            nightshift.rows("SELECT scope, assigned_sitter_id FROM message_threads").await;
        assert_eq!(threads, [("client_general".to_owned(), Some("sitter-sam".to_owned()))]);
        // An open conversation about a booking with Sam on Sam's number is the place for it.
        nightshift
            .db
            .write("UPDATE message_numbers SET status = 'inactive' WHERE id = 'number-pool'")
            .execute()
            .await
            .unwrap();
        let thread = confirmed(&nightshift, with_sam()).await;
        let (third, _) = arrives(&nightshift, "SM3", CLIENT, "+15550199002", "Tomorrow then").await;
        assert_eq!((third.thread_id, third.routed_to.as_str()), (thread, "sitter"));
    })
    .await;
}

const OWN: &str = "+15550199002";

/// Gives Sam a number, and the organisation another sitter.
async fn sam_has_a_number(nightshift: &Nightshift) {
    let seed = json!({
        "sitters": [{"id": "sitter-ann", "orgId": "org-paws", "name": "Ann", "phone": "+15550100003"}],
        "numbers": [{"id": "number-sam", "orgId": "org-paws", "e164": OWN, "numberClass": "sitter",
                     "assignedSitterId": "sitter-sam", "provider": "twilio"}],
    });
    business::load(&nightshift.db, seed).await;
}

async fn give_number_to(nightshift: &Nightshift, sitter: &str) {
    let patch = json!({"assignedSitterId": sitter});
    nightshift.patch("/api/messages/numbers/number-sam", patch).await.expect(200);
}

async fn a_sitter_who_has_left_gets_no_texts_of_clients(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = confirmed(&nightshift, with_sam()).await;
        sam_has_a_number(&nightshift).await;
        nightshift.clock.set(at("10:30"));
        let (first, _) = arrives(&nightshift, "SM1", CLIENT, POOL, "Are you there?").await;
        let (general, _) = arrives(&nightshift, "SM2", "+12125550123", OWN, "Hello Sam").await;
        assert_eq!((first.routed_to.as_str(), general.routed_to.as_str()), ("sitter", "sitter"));
        nightshift.patch("/api/sitters/sitter-sam", json!({"active": false})).await.expect(200);
        for id in [&thread, &general.thread_id] {
            let shown = nightshift.get(&format!("/api/messages/threads/{id}")).await.expect(200).json();
            assert_eq!((&shown["thread"]["mailbox"], &shown["thread"]["unread"]), (&json!("owner"), &json!(1)));
        }

        let (within, why) = arrives(&nightshift, "SM3", CLIENT, POOL, "Hello?").await;
        assert_eq!((&within.thread_id, within.routed_to.as_str()), (&thread, "owner"));
        assert_eq!(
            why.summary,
            "Routed to owner inbox: Sam, whose assignment window is active until 12:00, is no longer active."
        );
        let (known, why) = arrives(&nightshift, "SM4", "+12125550123", OWN, "Still there?").await;
        assert_eq!((&known.thread_id, known.routed_to.as_str()), (&general.thread_id, "owner"));
        assert_eq!(
            why.summary,
            "Routed to owner inbox: no active assignment window for this client; +1••••••••02 is the number of Sam, who is \
             no longer active."
        );
        let (new, why) = arrives(&nightshift, "SM5", "+12125550124", OWN, "Hi").await;
        assert_eq!(new.routed_to, "owner");
        assert!(why.summary.ends_with("is the number of Sam, who is no longer active."), "{why:?}");
        let assigned = "SELECT count(*) FROM message_threads WHERE assigned_sitter_id IS NOT NULL";
        assert_eq!(nightshift.count(assigned).await, 0);

        // Whoever gets the number gets its conversations.
        give_number_to(&nightshift, "sitter-ann").await;
        let (next, _) = arrives(&nightshift, "SM6", "+12125550123", OWN, "And now?").await;
        assert_eq!((next.thread_id, next.routed_to.as_str()), (general.thread_id, "sitter"));
    })
    .await;
}

async fn a_sitters_number_that_becomes_anothers_takes_its_conversations_along(engine: Engine) {
    on(engine, async |nightshift| {
        sam_has_a_number(&nightshift).await;
        let (first, _) = arrives(&nightshift, "SM1", CLIENT, OWN, "Hello Sam").await;
        let (taken, _) = arrives(&nightshift, "SM2", "+12125550123", OWN, "Hello Sam").await;
        let path = format!("/api/messages/threads/{}", taken.thread_id);
        nightshift.patch(&path, json!({"assignedSitterId": null})).await.expect(200);
        give_number_to(&nightshift, "sitter-ann").await;
        let (next, why) = arrives(&nightshift, "SM3", CLIENT, OWN, "Hello Ann").await;
        assert_eq!((next.thread_id, next.routed_to.as_str()), (first.thread_id, "sitter"));
        assert_eq!(
            why.summary,
            "Routed to Ann (sitter): +1••••••••02 is Ann's own number; the assignment window is closed."
        );
        // The owner answers this one, as before.
        let (still, why) = arrives(&nightshift, "SM4", "+12125550123", OWN, "Hello?").await;
        assert_eq!((&still.thread_id, still.routed_to.as_str()), (&taken.thread_id, "owner"));
        let reason = format!("conversation {} of the client is the owner's", taken.thread_id);
        assert_eq!(step(&why, "sitter_number"), ("not_matched".to_owned(), reason));
    })
    .await;
}

async fn somebody_new_becomes_a_client_with_one_conversation(engine: Engine) {
    on(engine, async |nightshift| {
        let (first, why) = arrives(&nightshift, "SM1", "+12125550123", POOL, "Do you walk cats?").await;
        assert_eq!(
            why.summary,
            "Routed to owner inbox: nobody is known under the sender's number, so a client was created."
        );
        let (second, why) = arrives(&nightshift, "SM2", "+12125550123", POOL, "Hello?").await;
        assert_eq!(first.thread_id, second.thread_id);
        assert_eq!(why.summary, "Routed to owner inbox: no active assignment window for this client.");
        let clients: Vec<(String, Option<String>)> =
            nightshift.rows("SELECT phone_number, first_name FROM clients").await;
        assert_eq!(clients, [("+12125550123".to_owned(), None)]);
        let thread = nightshift.get(&format!("/api/messages/threads/{}", first.thread_id)).await.expect(200).json();
        assert_eq!((&thread["thread"]["unread"], &thread["thread"]["mailbox"]), (&json!(2), &json!("owner")));
        assert_eq!(thread["thread"]["scope"], "client_general");
        assert_eq!(nightshift.events("thread.created").count().await, 1);
        // The client's first name becomes known by a booking, and the conversation stays.
        let mut booking = booking_of(0);
        booking["phone"] = json!("+12125550123");
        nightshift.book_as(booking).await;
        assert_eq!(nightshift.count("SELECT count(*) FROM clients").await, 1);
    })
    .await;
}

async fn a_sitter_writes_to_the_owner_also_when_the_number_is_a_clients(engine: Engine) {
    on(engine, async |nightshift| {
        let (text, why) = arrives(&nightshift, "SM1", "+15550100001", POOL, "I am late").await;
        assert_eq!((text.actor_type.as_str(), text.routed_to.as_str()), ("sitter", "owner"));
        assert_eq!(why.summary, "Routed to owner inbox: the sender is Sam (sitter), whose texts go to the owner.");
        let scopes: Vec<(String,)> = nightshift.rows("SELECT scope FROM message_threads").await;
        assert_eq!(scopes, [("owner_sitter".to_owned(),)]);
        // Sam books a walk for a dog of their own.
        let mut own = with_sam();
        own["phone"] = json!("+15550100001");
        confirmed(&nightshift, own).await;
        nightshift.clock.set(at("10:30"));
        let (again, why) = arrives(&nightshift, "SM2", "+15550100001", POOL, "Is somebody there?").await;
        assert_eq!((again.thread_id, again.actor_type.as_str()), (text.thread_id, "sitter"));
        assert!(why.summary.contains("the number is also a client's, and a sitter's number comes first"), "{why:?}");
        // A YES that answers nothing is an ordinary text of the one who sent it.
        let (yes, why) = arrives(&nightshift, "SM3", CLIENT, POOL, "YES").await;
        assert_eq!((yes.actor_type.as_str(), yes.body.as_str()), ("client", "YES"));
        assert_eq!(step(&why, "keyword").0, "matched");
        // Another organisation's sitter is nobody special here.
        let (foreign, _) = arrives(&nightshift, "SM4", "+15550100002", POOL, "NO").await;
        assert_eq!(foreign.actor_type, "client");
    })
    .await;
}

async fn keywords_are_stored_in_their_conversation_and_twilio_answers_them(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = confirmed(&nightshift, with_sam()).await;
        nightshift.texts().delivered().until(1).await;
        for (sid, body, meaning) in [("SM1", "Stop", "STOP"), ("SM2", " start ", "START"), ("SM3", "HELP", "HELP")] {
            let (text, why) = arrives(&nightshift, sid, CLIENT, POOL, body).await;
            assert_eq!(text.thread_id, thread);
            let (result, reason) = step(&why, "keyword");
            assert_eq!(result, "matched");
            assert!(reason.starts_with(meaning) && reason.ends_with("the carrier answers it"), "{reason}");
        }
        // Twilio has recognised a keyword of its own list.
        let own = form("SM4", CLIENT, POOL, "basta", &[("OptOutType", "STOP")]);
        post(&nightshift.http, &nightshift.app.url(), own).await.expect(200);
        nightshift.all_webhooks().with_key("SM4").processed().until(1).await;
        assert_eq!(step(&traces(&nightshift).await[3], "keyword").0, "matched");
        nightshift.quiet().await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1, "nothing but the confirmation was sent");
        let awaited = nightshift.count("SELECT COUNT(*) FROM message_response_links").await;
        assert_eq!(awaited, 0, "nobody has to answer what Twilio answers");
    })
    .await;
}

async fn a_text_for_nobody_is_put_before_people_and_answered_all_the_same(engine: Engine) {
    on(engine, async |nightshift| {
        for sid in ["SM1", "SM2"] {
            let answer = text(&nightshift, sid, CLIENT, "+15559990000", "Hello").await.expect(200);
            assert_eq!((answer.header("content-type"), answer.text.as_str()), (Some("text/xml"), "<Response/>"));
            nightshift.all_webhooks().with_key(sid).processed().until(1).await;
        }
        let why = traces(&nightshift).await;
        assert_eq!((why.len(), why[0].org_id.as_deref(), why[0].outcome.as_str()), (2, None, "unroutable"));
        assert_eq!(why[0].summary, "Not routed: it was sent to +1••••••••00, which no organisation has.");
        assert_eq!(nightshift.open_exceptions("sms_unroutable").count().await, 1, "one problem");
        assert_eq!(nightshift.events("message.unroutable").count().await, 2);
        assert!(stored(&nightshift).await.is_empty());
        text(&nightshift, "SM3", CLIENT, "OFFERS", "Hello").await.expect(200);
        nightshift.all_webhooks().with_key("SM3").processed().until(1).await;
        let why = traces(&nightshift).await;
        assert_eq!(why[2].summary, "Not routed: it was sent to a short code or a name, which no organisation has.");
    })
    .await;
}

async fn a_text_to_the_number_for_new_businesses_is_kept_by_the_platform(engine: Engine) {
    on(engine, async |nightshift| {
        let (first, why) = arrives(&nightshift, "SM1", "+447700900001", "+447476955179", "Hi").await;
        assert_eq!((first.org_id.as_str(), first.routed_to.as_str()), ("platform", "none"));
        assert_eq!((why.org_id.as_deref(), why.outcome.as_str()), (Some("platform"), "onboarding"));
        assert_eq!(why.summary, "Kept for onboarding: +44••••••••79 is the number for new businesses.");
        arrives(&nightshift, "SM2", "+447700900001", "+447476955179", "Please stop texting me").await;
        let (second, _) = arrives(&nightshift, "SM3", "+447700900001", "+447476955179", "STOP").await;
        assert_eq!(first.thread_id, second.thread_id);
        let opted_out = "SELECT count(*) FROM clients WHERE opted_out_at IS NOT NULL";
        let accepted = "SELECT count(*) FROM message_events WHERE opt_out_wish = 'accepted'";
        assert_eq!((nightshift.count(opted_out).await, nightshift.count(accepted).await), (1, 1));
        let clients: Vec<(Option<String>, String)> = nightshift.rows("SELECT org_id, phone_number FROM clients").await;
        assert_eq!(clients, [(None, "+447700900001".to_owned())]);
        let numbers: Vec<(String, String, String)> =
            nightshift.rows("SELECT e164, number_class, status FROM message_numbers WHERE org_id = 'platform'").await;
        let front_desk = ("+447476955179".to_owned(), "front_desk".to_owned(), "active".to_owned());
        assert_eq!(numbers, [front_desk]);
        assert_eq!(nightshift.get("/api/messages/threads?mailbox=all").await.json()["threads"], json!([]));
    })
    .await;
}

async fn a_number_out_of_service_still_receives_and_a_closed_conversation_does_not(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = confirmed(&nightshift, with_sam()).await;
        nightshift.texts().delivered().until(1).await;
        nightshift.db.write("UPDATE message_numbers SET status = 'inactive'").execute().await.unwrap();
        let (text, _) = arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        assert_eq!(text.thread_id, thread);
        // The conversation has moved to another number, and the client still answers to the old one.
        business::load(
            &nightshift.db,
            json!({"numbers": [{"id": "number-new", "orgId": "org-paws", "e164": "+15550199003",
                                "numberClass": "pool", "provider": "twilio"}]}),
        )
        .await;
        nightshift.db.write("UPDATE message_threads SET message_number_id = 'number-new'").execute().await.unwrap();
        let (text, _) = arrives(&nightshift, "SM2", CLIENT, POOL, "Hello again").await;
        assert_eq!(text.thread_id, thread);
        nightshift.db.write("UPDATE message_threads SET status = 'closed'").execute().await.unwrap();
        let (text, _) = arrives(&nightshift, "SM3", CLIENT, POOL, "And again").await;
        assert_ne!(text.thread_id, thread);
        let next = arrives(&nightshift, "SM4", CLIENT, POOL, "And again").await.0;
        assert_eq!(text.thread_id, next.thread_id);
        // It looks for a number from which it can be answered, and stays where the client finds it.
        nightshift.quiet().await;
        let number: Vec<(Option<String>,)> =
            nightshift.rows("SELECT message_number_id FROM message_threads WHERE scope = 'client_general'").await;
        assert_eq!(number, [(Some("number-new".to_owned()),)]);
        let last = arrives(&nightshift, "SM5", CLIENT, POOL, "And again").await.0;
        assert_eq!(last.thread_id, next.thread_id);
    })
    .await;
}

async fn a_number_that_moved_belongs_to_its_present_organisation(engine: Engine) {
    on(engine, async |nightshift| {
        let (before, _) = arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        nightshift.db.write("UPDATE message_numbers SET org_id = 'org-other'").execute().await.unwrap();
        let (after, _) = arrives(&nightshift, "SM2", CLIENT, POOL, "Hello").await;
        assert_eq!((before.org_id.as_str(), after.org_id.as_str()), ("org-paws", "org-other"));
        assert_ne!(before.thread_id, after.thread_id);
        assert_eq!(nightshift.count("SELECT count(*) FROM clients").await, 2);
    })
    .await;
}

async fn a_short_code_and_a_name_are_kept_as_they_are(engine: Engine) {
    on(engine, async |nightshift| {
        for (sid, from) in [("SM1", "72345"), ("SM2", "MYBANK"), ("SM3", "MYBANK")] {
            let (text, why) = arrives(&nightshift, sid, from, POOL, "Your code is 1234. STOP").await;
            assert_eq!(text.actor_type, "client");
            assert!(!why.steps.contains(from), "{}", why.steps);
        }
        let known: Vec<(String,)> = nightshift.rows("SELECT phone_number FROM clients ORDER BY phone_number").await;
        assert_eq!(known, [("72345".to_owned(),), ("MYBANK".to_owned(),)]);
        let threads = nightshift.get("/api/messages/threads").await.expect(200).json();
        assert_eq!(threads["threads"].as_array().unwrap().len(), 2);
        assert_eq!(nightshift.count("SELECT count(*) FROM message_response_links").await, 0);
    })
    .await;
}

async fn what_cannot_be_stored_whole_is_cut_and_marked(engine: Engine) {
    on(engine, async |nightshift| {
        let (long, _) = arrives(&nightshift, "SM1", CLIENT, POOL, &"ä".repeat(2_000)).await;
        assert_eq!((long.body.chars().count(), long.truncated), (1_600, true));
        let (odd, _) = arrives(&nightshift, "SM2", CLIENT, POOL, "a\0b").await;
        assert_eq!((odd.body.as_str(), odd.truncated), ("a\u{fffd}b", true));
        let media = [
            ("NumMedia", "3"),
            ("MediaUrl0", "https://media.test/1"),
            // Not an address that may be shown as a link.
            ("MediaUrl1", "javascript:alert(1)"),
            ("MediaUrl2", "https://media.test/2"),
        ];
        let picture = form("SM3", CLIENT, POOL, "", &media);
        post(&nightshift.http, &nightshift.app.url(), picture).await.expect(200);
        nightshift.all_webhooks().with_key("SM3").processed().until(1).await;
        let sql = match engine {
            Engine::Postgres => "SELECT media::text FROM message_events ORDER BY id",
            Engine::Sqlite => "SELECT media FROM message_events ORDER BY id",
        };
        let media: Vec<(String,)> = nightshift.rows(sql).await;
        let urls: Value = serde_json::from_str(&media[2].0).unwrap();
        assert_eq!(urls, json!(["https://media.test/1", "https://media.test/2"]));
    })
    .await;
}

async fn a_repeated_delivery_stores_nothing_twice(engine: Engine) {
    on(engine, async |nightshift| {
        for _ in 0..3 {
            arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        }
        // The job runs once more, because its result was lost.
        nightshift.quiet().await;
        nightshift
            .db
            .write("UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind = 'webhook.twilio.inbound'")
            .execute()
            .await
            .unwrap();
        nightshift.jobs("webhook.twilio.inbound").succeeded().until(1).await;
        assert_eq!((stored(&nightshift).await.len(), traces(&nightshift).await.len()), (1, 1));
        assert_eq!(nightshift.events("message.received").count().await, 1);
        let thread = nightshift.threads().one().await.id;
        let shown = nightshift.get(&format!("/api/messages/threads/{thread}")).await.expect(200).json();
        assert_eq!(shown["thread"]["unread"], 1);
    })
    .await;
}

async fn only_owners_and_operators_see_why_and_nobody_can_change_it(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let (first, _) = arrives(&nightshift, "SM1", CLIENT, POOL, "a secret").await;
            let (second, _) = arrives(&nightshift, "SM2", CLIENT, POOL, "another secret").await;
            let of_thread = format!("/api/messages/threads/{}/routing-trace", first.thread_id);
            let of_text = format!("/api/messages/events/{}/routing-trace", first.id);
            for email in [business::OWNER, business::OPS] {
                let caller = nightshift.sign_in(email).await;
                let get = async |path: &str| nightshift.send(Method::GET, path, &caller, None).await;
                let all = get(&of_thread).await.expect(200);
                let listed: Vec<Value> = all.json()["traces"].as_array().unwrap().clone();
                let ids: Vec<&str> = listed.iter().map(|trace| trace["eventId"].as_str().unwrap()).collect();
                assert_eq!(ids, [second.id.as_str(), first.id.as_str()], "newest first");
                let one = get(&of_text).await.expect(200);
                assert_eq!(one.json()["trace"], listed[1]);
                let filtered = get(&format!("{of_thread}?eventId={}", first.id)).await.expect(200);
                assert_eq!(filtered.json()["traces"], json!([listed[1]]));
                for answer in [&all, &one] {
                    assert!(!answer.text.contains("secret") && !answer.text.contains("5551234567"), "{}", answer.text);
                }
                get("/api/messages/events/none/routing-trace").await.expect(404);
                get("/api/messages/threads/none/routing-trace").await.expect(404);
            }
            let stranger = nightshift.sign_in(business::STRANGER).await;
            let sitter = nightshift.sign_in(business::SITTER).await;
            for path in [&of_thread, &of_text] {
                nightshift.send(Method::GET, path, &stranger, None).await.expect(404);
                nightshift.send(Method::GET, path, &sitter, None).await.expect(403);
                nightshift.send(Method::GET, path, &Caller::Nobody, None).await.expect(401);
            }
            for change in ["UPDATE routing_traces SET summary = ''", "DELETE FROM routing_traces"] {
                assert!(nightshift.db.write(change).execute().await.is_err(), "{change}");
            }
        },
    )
    .await;
}

async fn an_unread_text_wakes_its_conversation(engine: Engine) {
    on(engine, async |nightshift| {
        let (text, _) = arrives(&nightshift, "SM1", CLIENT, POOL, "Hello").await;
        nightshift.db.write("UPDATE message_threads SET done_at = created_at").execute().await.unwrap();
        nightshift.clock.advance(Duration::from_secs(60));
        arrives(&nightshift, "SM2", CLIENT, POOL, "Hello?").await;
        let done = "SELECT count(*) FROM message_threads WHERE done_at IS NOT NULL";
        assert_eq!(nightshift.count(done).await, 0);
        let sql = match engine {
            Engine::Postgres => "SELECT topic, event, data::text FROM stream_events WHERE event = 'message.new'",
            Engine::Sqlite => "SELECT topic, event, data FROM stream_events WHERE event = 'message.new'",
        };
        let news: Vec<(String, String, String)> = nightshift.rows(sql).await;
        let topics: Vec<&str> = news.iter().map(|(topic, ..)| topic.as_str()).collect();
        let thread = format!("thread:{}", text.thread_id);
        assert_eq!(topics, ["threads", thread.as_str(), "threads", thread.as_str()]);
        assert!(news.iter().all(|(_, _, data)| !data.contains("Hello") && !data.contains("555123")));
    })
    .await;
}

/// Rounds of the test below; 1,000 by hand.
fn rounds() -> usize {
    std::env::var("NIGHTSHIFT_TEST_TEXT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

async fn texts_of_one_person_over_two_processes_are_shown_in_the_order_of_their_webhooks(engine: Engine) {
    // The texts of so many people are routed at a time: those of one person wait for each other, not for those of others.
    const PEOPLE: usize = 4;
    let mut world = World::on(engine).await;
    world.set("PORT", "0");
    let processes = [world.serve(), world.serve()];
    let (rounds, sending) = ((0..rounds()).collect::<Vec<_>>(), Mutex::new(()));
    for people in rounds.chunks(PEOPLE) {
        let rounds = people.iter().map(|round| texts_of_one_person(&world, &processes, &sending, *round));
        futures_util::future::join_all(rounds).await;
    }
    assert_eq!(world.jobs("webhook.twilio.inbound").that_lost_a_lease().count().await, 0);
    world.logs_are_discreet();
}

/// One person writes many texts at once, over both processes, while nobody else writes.
async fn texts_of_one_person(world: &World, processes: &[Process; 2], sending: &Mutex<()>, round: usize) {
    const TEXTS: usize = 64;
    let http = nightshift_providers::http_client().unwrap();
    let from = format!("+1212{round:07}");
    let sent = (0..TEXTS).map(|number| {
        let form = form(&format!("SM{round}-{number}"), &from, POOL, &format!("text {number}"), &[]);
        post(&http, &processes[number % 2].url, form)
    });
    let sending = sending.lock().await;
    for answer in futures_util::future::join_all(sent).await {
        answer.expect(200);
    }
    drop(sending);
    // A range, which an index finds among the texts of a thousand rounds.
    let (first, end) = (format!("SM{round}-"), format!("SM{round}."));
    let left = "SELECT count(*) FROM webhook_inbox
                WHERE provider = 'twilio' AND event_key > $1 AND event_key < $2 AND status <> 'processed'";
    eventually("all texts are processed", async || {
        world.db().read(left).bind(&first).bind(&end).scalar::<i64>().await.unwrap() == 0
    })
    .await;
    let threads: Vec<(String,)> = world
        .db()
        .read("SELECT DISTINCT thread_id FROM message_events WHERE provider_message_sid > $1 AND provider_message_sid < $2")
        .bind(&first)
        .bind(&end)
        .all()
        .await
        .unwrap();
    assert_eq!(threads.len(), 1, "one conversation");
    // Those of one sender were routed one after the other, in the order of their webhooks.
    let traced: Vec<(String,)> = world
        .db()
        .read("SELECT inbox_id FROM routing_traces WHERE thread_id = $1 ORDER BY created_at, id")
        .bind(&threads[0].0)
        .all()
        .await
        .unwrap();
    assert_eq!(traced.len(), TEXTS);
    let path = format!("/api/messages/threads/{}/messages?limit=200", threads[0].0);
    let shown: Value = http.get(format!("{}{path}", processes[0].url)).send().await.unwrap().json().await.unwrap();
    let shown: Vec<String> =
        shown["messages"].as_array().unwrap().iter().map(|text| text["id"].as_str().unwrap().to_owned()).collect();
    let in_order: Vec<(String,)> = world
        .db()
        .read(
            "SELECT id FROM webhook_inbox WHERE provider = 'twilio' AND event_key > $1 AND event_key < $2
             ORDER BY received_at, id",
        )
        .bind(&first)
        .bind(&end)
        .all()
        .await
        .unwrap();
    assert_eq!(shown, in_order.into_iter().map(|(id,)| id).collect::<Vec<_>>());
}

/// Starts the program, which dies at `point`.
fn dying(world: &World, point: &str) -> Process {
    world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", &format!("{point}=abort"))])
}

async fn a_text_is_stored_once_when_its_process_is_killed_anywhere(engine: Engine) {
    let world = World::on(engine).await;
    let http = nightshift_providers::http_client().unwrap();
    for (number, point) in ["inbound.after_store", "inbound.after_commit"].into_iter().enumerate() {
        let mut process = dying(&world, point);
        let form = form(&format!("SM{number}"), CLIENT, POOL, "Hello", &[]);
        let url = format!("{}/api/twilio/inbound", process.url);
        let signature = sign_form(&TWILIO_TOKEN.into(), &url, form.as_bytes());
        let sent = http
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signature)
            .body(form);
        // The process may die before it answers.
        let _ = sent.send().await;
        assert!(!process.wait().await.success(), "{point} was not reached");
        world.leases_run_out().await;
        let _again = world.serve();
        let texts = i64::try_from(number).unwrap() + 1;
        world.webhooks("twilio").processed().until(texts).await;
        world.until_quiet().await;
        assert_eq!(world.texts().in_status("received").count().await, texts, "{point}");
        assert_eq!(world.count("SELECT count(*) FROM routing_traces").await, texts, "{point}");
        assert_eq!(world.count("SELECT owner_unread FROM message_threads").await, texts, "{point}");
    }
    assert_eq!(world.threads().count().await, 1);
}

/// Delivers a text as OpenPhone does, from a webhook that was made in its app.
async fn by_openphone(nightshift: &Nightshift, id: &str, body: &str, sent_at: &str) -> Answer {
    let event = json!({
        "id": format!("EV{id}"), "object": "event", "apiVersion": "v2", "createdAt": sent_at, "type": "message.received",
        "data": {"object": {"id": format!("AC{id}"), "object": "message", "from": CLIENT, "to": "+15550199005",
                            "direction": "incoming", "body": body, "media": [], "status": "received",
                            "createdAt": sent_at}},
    });
    let request = nightshift.http.post(format!("{}/api/webhooks/sms", nightshift.app.url())).json(&event);
    let answer = Answer::to(request).await.expect(200);
    nightshift.all_webhooks().with_key(&format!("EV{id}")).processed().until_with_the_clock_standing(1).await;
    answer
}

/// Runs a test with a number whose texts OpenPhone delivers, without its signature.
async fn with_openphone(engine: Engine, test: impl AsyncFnOnce(Nightshift)) {
    let unsigned = |settings: &mut nightshift::config::Settings| settings.webhooks.validation = false;
    on_with(engine, unsigned, async |nightshift| {
        let number = json!({"numbers": [{"id": "number-openphone", "orgId": "org-paws", "e164": "+15550199005",
                                         "numberClass": "front_desk", "provider": "mock"}]});
        business::load(&nightshift.db, number).await;
        test(nightshift).await;
    })
    .await;
}

async fn on_an_openphone_number_we_answer_keywords_ourselves(engine: Engine) {
    with_openphone(engine, async |nightshift| {
        let said = [
            ("1", "HELP", Some("This is Happy Paws. Reply to reach us. Reply STOP to unsubscribe.")),
            ("2", "Stop", Some("You are unsubscribed. Reply START to get messages again.")),
            ("3", "stop", None),
            ("4", "help", None),
            ("5", "YES", None),
            ("6", "Unstop", Some("You are subscribed again.")),
            ("7", "Thank you", None),
        ];
        let mut expected = Vec::new();
        for (id, body, reply) in said {
            nightshift.clock.advance(Duration::from_secs(5));
            by_openphone(&nightshift, id, body, &nightshift.clock.now().to_string()).await;
            nightshift.quiet().await;
            expected.extend(reply.map(str::to_owned));
            let sent: Vec<(String, String)> = nightshift
                .rows("SELECT actor_type, body FROM message_events WHERE direction = 'outbound' ORDER BY id")
                .await;
            assert!(sent.iter().all(|(actor, _)| actor == "system"));
            assert_eq!(sent.into_iter().map(|(_, body)| body).collect::<Vec<_>>(), expected, "after {body}");
        }
        nightshift.texts().delivered().until(3).await;
        assert_eq!(nightshift.count("SELECT count(*) FROM opt_outs").await, 0);
        assert_eq!(stored(&nightshift).await.len(), said.len());
    })
    .await;
}

async fn texts_are_shown_by_the_carriers_time_and_judged_by_it(engine: Engine) {
    with_openphone(engine, async |nightshift| {
        nightshift
            .db
            .write("UPDATE message_numbers SET status = 'inactive' WHERE id = 'number-pool'")
            .execute()
            .await
            .unwrap();
        let thread = confirmed(&nightshift, with_sam()).await;
        nightshift.clock.set(at("12:30"));
        // Both arrive after the window, and the first one was sent within it.
        by_openphone(&nightshift, "2", "And the keys?", "2024-12-31T12:10:00Z").await;
        by_openphone(&nightshift, "1", "Where is the lead?", "2024-12-31T11:50:00Z").await;
        // A clock that is ahead is not believed.
        by_openphone(&nightshift, "3", "Never mind", "2025-06-01T00:00:00Z").await;
        let shown = nightshift.get(&format!("/api/messages/threads/{thread}/messages")).await.expect(200).json();
        let shown: Vec<(String, String)> = shown["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["direction"] == "inbound")
            .map(|message| {
                (message["body"].as_str().unwrap().to_owned(), message["routedTo"].as_str().unwrap().to_owned())
            })
            .collect();
        let expected = [("Where is the lead?", "sitter"), ("And the keys?", "owner"), ("Never mind", "owner")];
        assert_eq!(shown, expected.map(|(body, to)| (body.to_owned(), to.to_owned())));
    })
    .await;
}

async fn a_text_taken_in_late_is_answered_by_its_own_time(engine: Engine) {
    with_openphone(engine, async |nightshift| {
        let hours_ago = |hours: u64| nightshift.clock.now() - Duration::from_secs(hours * 3600);
        by_openphone(&nightshift, "1", "START", &hours_ago(25).to_string()).await;
        by_openphone(&nightshift, "2", "HELP", &hours_ago(25).to_string()).await;
        assert_eq!(nightshift.count("SELECT count(*) FROM message_events WHERE direction = 'outbound'").await, 0);
        let wrote_at = hours_ago(20);
        by_openphone(&nightshift, "3", "HELP", &wrote_at.to_string()).await;
        let until: Vec<(Timestamp,)> =
            nightshift.rows("SELECT may_disturb_until FROM message_events WHERE direction = 'outbound'").await;
        assert_eq!(until, [(wrote_at + Duration::from_secs(24 * 3600),)]);
    })
    .await;
}

async fn two_webhooks_of_one_openphone_text_store_it_once(engine: Engine) {
    with_openphone(engine, async |nightshift| {
        let sent = nightshift.clock.now().to_string();
        by_openphone(&nightshift, "1", "Hello", &sent).await;
        // A webhook that was made by the current API delivers the same text as another event.
        let event = json!({
            "id": "EVother", "apiVersion": "2026-03-30", "createdAt": sent, "type": "message.received",
            "data": {"resource": {"id": "AC1", "text": "Hello", "direction": "incoming", "createdAt": sent},
                     "context": {"senderIdentifier": CLIENT, "recipientIdentifiers": ["+15550199005"]}},
        });
        let request = nightshift.http.post(format!("{}/api/webhooks/sms", nightshift.app.url())).json(&event);
        Answer::to(request).await.expect(200);
        nightshift.all_webhooks().with_key("EVother").processed().until(1).await;
        assert_eq!((stored(&nightshift).await.len(), traces(&nightshift).await.len()), (1, 1));
    })
    .await;
}

async fn a_short_code_is_not_texted_back(engine: Engine) {
    on(engine, async |nightshift| {
        let (text, _) = arrives(&nightshift, "SM1", "72345", POOL, "Your code is 1234").await;
        let path = format!("/api/messages/threads/{}/messages", text.thread_id);
        let refused = nightshift.post(&path, json!({"body": "Thanks"})).await.expect(409);
        assert_eq!(refused.code(), "no_recipient");
        nightshift.quiet().await;
        assert_eq!(nightshift.texts().queued().count().await, 0);
    })
    .await;
}
