//! The human work queue: taken, put off, closed, and back again.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::access::api_keys::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking};
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift};

each_engine! {
    an_exception_is_assigned_snoozed_woken_and_resolved_and_all_of_it_is_on_record,
    exceptions_are_seen_by_their_organisation_and_by_ops,
}

/// A confirmed booking whose conversation has no number.
async fn missing_number(nightshift: &Nightshift, owner: &Caller) -> Value {
    nightshift.take_all_numbers_out_of_service().await;
    let made = nightshift.send(Method::POST, "/api/bookings", owner, Some(booking())).await.expect(201).json();
    let confirm = format!("/api/bookings/{}/confirm", made["booking"]["id"].as_str().unwrap());
    nightshift.send(Method::POST, &confirm, owner, Some(json!({}))).await.expect(200);
    nightshift.all_exceptions().until(1).await;
    let list = nightshift.send(Method::GET, "/api/exceptions", owner, None).await.expect(200).json();
    assert_eq!(list["counts"], json!({"high": 1, "medium": 0, "low": 0}));
    list["exceptions"][0].clone()
}

async fn an_exception_is_assigned_snoozed_woken_and_resolved_and_all_of_it_is_on_record(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let item = missing_number(&nightshift, &owner).await;
            assert_eq!(item["type"], "no_number_available");
            let path = format!("/api/exceptions/{}", item["id"].as_str().unwrap());
            let post = async |what: &str, body: Value, expected: u16| {
                let path = format!("{path}/{what}");
                nightshift.send(Method::POST, &path, &owner, Some(body)).await.expect(expected).json()
            };
            let listed = async |status: &str| {
                let path = format!("/api/exceptions?status={status}");
                let list = nightshift.send(Method::GET, &path, &owner, None).await.expect(200).json();
                list["exceptions"].as_array().unwrap().len()
            };

            // Assigned: to people who can work on it.
            let assigned = post("assign", json!({"userId": "user-owner"}), 200).await;
            assert_eq!(
                (&assigned["exception"]["status"], &assigned["exception"]["assignedTo"]),
                (&json!("in_progress"), &json!("user-owner"))
            );
            for stranger in ["user-stranger", "user-sam", "nobody"] {
                let refused = post("assign", json!({"userId": stranger}), 422).await;
                assert!(refused["fields"]["userId"].is_string(), "{refused}");
            }
            post("assign", json!({"userId": "user-ops"}), 200).await;
            post("assign", json!({}), 422).await;

            // Snoozed: gone from the list until its time, then back with whoever has it.
            post("snooze", json!({"until": "2024-12-29T21:00:00Z"}), 422).await;
            post("snooze", json!({"until": "tomorrow"}), 422).await;
            let until = nightshift.clock.now() + Duration::from_secs(3600);
            assert_eq!(post("snooze", json!({"until": until}), 200).await["exception"]["status"], "snoozed");
            assert_eq!((listed("open").await, listed("in_progress").await, listed("snoozed").await), (0, 0, 1));
            nightshift.clock.set(until + Duration::from_secs(300));
            nightshift.all_exceptions().in_progress().until(1).await;

            // Resolved, with a note; again is no mistake.
            post("resolve", json!({"note": "  "}), 422).await;
            let resolved = post("resolve", json!({"note": "Bought a number."}), 200).await;
            assert_eq!(resolved["exception"]["resolutionNote"], "Bought a number.");
            assert_eq!(resolved["exception"]["resolvedBy"], "user-owner");
            let again = post("resolve", json!({"note": "Me too."}), 200).await;
            assert_eq!(again["exception"]["resolutionNote"], "Bought a number.");
            assert_eq!(
                post("snooze", json!({"until": "2034-01-01T00:00:00Z"}), 409).await["code"],
                "exception_resolved"
            );
            assert_eq!(post("assign", json!({"userId": "user-owner"}), 409).await["code"], "exception_resolved");
            assert_eq!(listed("resolved").await, 1);

            let log = nightshift.send(Method::GET, "/api/event-log", &owner, None).await.expect(200).json();
            let events: Vec<_> =
                log["events"].as_array().unwrap().iter().filter_map(|event| event["eventType"].as_str()).collect();
            for (event, times) in [("exception.assigned", 2), ("exception.snoozed", 1), ("exception.resolved", 1)] {
                assert_eq!(events.iter().filter(|seen| **seen == event).count(), times, "{event} in {events:?}");
            }
        },
    )
    .await;
}

async fn exceptions_are_seen_by_their_organisation_and_by_ops(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let item = missing_number(&nightshift, &owner).await;
            let path = format!("/api/exceptions/{}", item["id"].as_str().unwrap());
            let stranger = nightshift.sign_in(business::STRANGER).await;
            nightshift.send(Method::GET, &path, &stranger, None).await.expect(404);
            for (what, body) in [
                ("resolve", json!({"note": "mine"})),
                ("snooze", json!({"until": "2034-01-01T00:00:00Z"})),
                ("assign", json!({"userId": "user-stranger"})),
            ] {
                nightshift.send(Method::POST, &format!("{path}/{what}"), &stranger, Some(body)).await.expect(404);
            }
            let ops = nightshift.sign_in(business::OPS).await;
            let shown = nightshift.send(Method::GET, &path, &ops, None).await.expect(200).json();
            assert_eq!((&shown["exception"]["status"], &shown["drift"]), (&json!("open"), &Value::Null));
            // A program may work on them too, with the scope for it.
            let key = nightshift.key(&[Scope::ExceptionsWrite]).await;
            let note = json!({"note": "mended by a script"});
            nightshift.send(Method::POST, &format!("{path}/resolve"), &key, Some(note)).await.expect(200);
            for bad in ["status=done", "severity=urgent", "colour=red"] {
                nightshift.send(Method::GET, &format!("/api/exceptions?{bad}"), &owner, None).await.expect(422);
            }
        },
    )
    .await;
}
