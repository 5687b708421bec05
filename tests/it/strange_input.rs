//! What the API answers to bodies and parameters that are not what it asks for.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::booking;
use crate::support::{Caller, Nightshift, on};

each_engine! {
    a_body_that_is_no_object_is_refused_and_its_other_fields_are_ignored,
    a_conversation_is_found_by_a_number_in_whatever_form_it_is_typed,
    texts_before_a_text_of_another_conversation_are_refused,
}

/// A booking whose conversation has begun. Returns the ids of both.
async fn confirmed(nightshift: &Nightshift) -> (String, String) {
    let booking = nightshift.book_as(booking()).await;
    nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
    nightshift.quiet().await;
    (booking, nightshift.threads().one().await.id)
}

async fn a_body_that_is_no_object_is_refused_and_its_other_fields_are_ignored(engine: Engine) {
    on(engine, async |nightshift| {
        let (booking, thread) = confirmed(&nightshift).await;
        let thread = format!("/api/messages/threads/{thread}");
        let routes = [
            (Method::PATCH, thread.clone(), json!({"status": "open", "mailbox": "owner"})),
            (Method::POST, format!("{thread}/read"), json!({"upTo": 0, "at": "now"})),
            (Method::POST, format!("{thread}/opt-out"), json!({"accept": false, "why": "no"})),
            (Method::POST, format!("{thread}/messages"), json!({"body": "Hi", "to": "me"})),
            (Method::PATCH, "/api/sitters/sitter-sam".to_owned(), json!({"active": true, "tier": "gold"})),
            (Method::PATCH, format!("/api/bookings/{booking}"), json!({"notes": "Key", "color": "red"})),
        ];
        for (method, path, body) in routes {
            let send = async |body: Value| nightshift.send(method.clone(), &path, &Caller::Nobody, Some(body)).await;
            for wrong in [json!([]), json!(["open", null]), json!("open"), json!(5), json!(null)] {
                let refused = send(wrong.clone()).await.expect(422).json();
                assert_eq!(refused["fields"], json!({"body": "must be an object"}), "{method} {path} {wrong}");
            }
            send(body).await.expect(200);
        }
        let tier = nightshift.get("/api/sitters").await.expect(200).json()["sitters"][0]["tier"].clone();
        assert_eq!(tier, "unrated", "the tier is computed");

        // What a value must be is said in the words of JSON.
        for (path, body, field, problem) in [
            (format!("{thread}/read"), json!({"upTo": 1.5}), "upTo", "must be a whole number"),
            (format!("{thread}/opt-out"), json!({"accept": "yes"}), "accept", "must be true or false"),
            (format!("/api/bookings/{booking}/offers"), json!({"sitterIds": "sam"}), "sitterIds", "must be a list"),
        ] {
            let refused = nightshift.post(&path, body).await.expect(422).json();
            assert_eq!(refused["fields"][field], problem, "{refused}");
        }
    })
    .await;
}

async fn a_conversation_is_found_by_a_number_in_whatever_form_it_is_typed(engine: Engine) {
    on(engine, async |nightshift| {
        let (booking, thread) = confirmed(&nightshift).await;
        for typed in ["555-123-4567", "(555)%20123-4567", "%2B1%20555%20123", "5551234567", "test%20CL"] {
            let path = format!("/api/messages/threads?mailbox=all&q={typed}");
            let found = nightshift.get(&path).await.expect(200).json();
            assert_eq!(found["threads"][0]["id"], thread, "{typed}");
            let found = nightshift.get(&format!("/api/bookings?q={typed}")).await.expect(200).json();
            assert_eq!(found["bookings"][0]["id"], booking, "{typed}");
        }
        for typed in ["555-123-9999", "%25", "%F0%9F%90%95"] {
            let found =
                nightshift.get(&format!("/api/messages/threads?mailbox=all&q={typed}")).await.expect(200).json();
            assert_eq!(found["threads"], json!([]), "{typed}");
        }
    })
    .await;
}

async fn texts_before_a_text_of_another_conversation_are_refused(engine: Engine) {
    on(engine, async |nightshift| {
        let (_, thread) = confirmed(&nightshift).await;
        for sql in [
            "INSERT INTO message_threads (id, org_id, scope) VALUES ('other', 'org-paws', 'internal')",
            "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status)
             VALUES ('elsewhere', 'org-paws', 'other', 'inbound', 'client', 'Hi', 'received')",
        ] {
            nightshift.given(sql).await;
        }
        for before in ["elsewhere", "nothing", &"x".repeat(300)] {
            let path = format!("/api/messages/threads/{thread}/messages?before={before}");
            let refused = nightshift.get(&path).await.expect(422).json();
            assert_eq!(refused["fields"]["before"], "is not a text of this conversation");
        }
        let path = format!("/api/messages/threads/{thread}/messages");
        let texts = nightshift.get(&path).await.expect(200).json();
        let first = texts["messages"][0]["id"].as_str().unwrap();
        let earlier = nightshift.get(&format!("{path}?before={first}")).await.expect(200).json();
        assert_eq!(earlier["messages"], json!([]), "nothing came before the first text");
    })
    .await;
}
