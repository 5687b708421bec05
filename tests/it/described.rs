//! What the description promises about requests, held against what the program does with them.

use std::collections::BTreeSet;

use nightshift::web::routes::Kind;
use nightshift::web::{document, table};
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking};
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    what_a_body_must_have_by_the_description_it_must_have_and_nothing_else,
    a_parameter_that_a_route_does_not_have_is_refused_as_described,
    an_address_that_cannot_be_read_is_refused_in_the_form_of_its_kind,
    before_there_is_an_organization_every_answer_to_a_reader_is_described,
}

fn described() -> Value {
    serde_json::to_value(document()).unwrap()
}

fn defaults(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("default").map(|default| format!("{place} = {default}")));
            for (name, field) in fields {
                defaults(field, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| defaults(item, place, found)),
        _ => {}
    }
}

/// A client that fills in what is missing by the description would clear what nobody meant to clear.
#[test]
fn no_default_is_described_but_those_that_the_program_applies() {
    let mut found = BTreeSet::new();
    defaults(&described(), "", &mut found);
    let applied = [
        "BookingPatch/properties/reprice = false",
        "Limit = 50",
        "NewPriceRule/properties/addOns = {}",
        "NewPriceRule/properties/holidays = []",
        "NewServiceRequest/properties/providers = []",
        "NumberPatch/properties/force = false",
    ];
    assert_eq!(found, applied.map(|default| format!("/components/schemas/{default}")).into());
}

/// Routes with a body in which something is required, and the least that it may be. `{id}` is a request's.
fn least_bodies() -> Vec<(&'static str, Value)> {
    let call = json!({"serviceRequestId": "none", "providerId": "none"});
    let price = json!({
        "service": "cat_sitting", "effectiveFrom": "2024-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30,
    });
    vec![
        ("/api/auth/login", json!({"email": business::OWNER, "password": business::PASSWORD})),
        ("/api/bookings", booking()),
        ("/api/bookings/{id}/offers", json!({"sitterIds": ["sitter-sam"]})),
        ("/api/bookings/{id}/reprice", json!({"reason": "a mistake"})),
        ("/api/exceptions/{id}/assign", json!({"userId": "user-owner"})),
        ("/api/exceptions/{id}/resolve", json!({"note": "done"})),
        ("/api/exceptions/{id}/snooze", json!({"until": "2034-01-01T00:00:00Z"})),
        ("/api/messages/numbers", json!({"e164": "+15550199002", "numberClass": "pool", "provider": "twilio"})),
        ("/api/messages/threads/{id}/messages", json!({"body": "hello"})),
        ("/api/messages/threads/{id}/opt-out", json!({"accept": false})),
        ("/api/pricing-rules", price),
        ("/api/sitters", json!({"name": "Alex", "phone": "+15550100077"})),
        ("/api/v1/bookings/schedule", call.clone()),
        ("/api/v1/bookings/schedule-async", call),
        ("/api/v1/service-requests", json!({"title": "Vaccination", "userPhone": "+14155550199"})),
        ("/api/v1/service-requests/{id}/providers", json!({"name": "Vet", "phone": "+14155550177"})),
    ]
}

/// The fields that a JSON body must have by the description.
fn required(document: &Value, path: &str) -> BTreeSet<String> {
    let schema = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let of = |schema: &Value| {
        let named = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
        named.unwrap_or(schema).clone()
    };
    let mut schema = of(schema);
    if let Some(forms) = schema["anyOf"].as_array() {
        // One provider by itself.
        schema = of(forms.last().unwrap());
    }
    schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn names(answer: &Answer, field: &str) -> bool {
    let fields = answer.json()["fields"].clone();
    fields
        .as_object()
        .is_some_and(|fields| fields.keys().any(|name| name == field || name.ends_with(&format!("].{field}"))))
}

async fn what_a_body_must_have_by_the_description_it_must_have_and_nothing_else(engine: Engine) {
    let document = described();
    let demanding: BTreeSet<&str> = table()
        .iter()
        .filter(|route| route.area.kind == Kind::Api && !required(&document, route.path).is_empty())
        .map(|route| route.path)
        .collect();
    assert_eq!(demanding, least_bodies().iter().map(|(path, _)| *path).collect());
    on(engine, async |nightshift| {
        let asked = json!({"title": "Vaccination", "userPhone": "+14155550199"});
        let made = nightshift.post("/api/v1/service-requests", asked).await.expect(201).json();
        for (route, least) in least_bodies() {
            let path = route.replace("{id}", made["data"]["id"].as_str().unwrap());
            let given: BTreeSet<String> = least.as_object().unwrap().keys().cloned().collect();
            assert_eq!(given, required(&document, route), "{route}");
            for field in &given {
                let mut lacking = least.clone();
                lacking.as_object_mut().unwrap().remove(field);
                let mut with_null = least.clone();
                with_null[field] = Value::Null;
                for body in [lacking, with_null] {
                    let answer = nightshift.post(&path, body.clone()).await.expect(422);
                    assert!(names(&answer, field), "{route} with {body}: {}", answer.text);
                }
            }
            let answer = nightshift.post(&path, least).await;
            assert!(!matches!(answer.status, 400 | 415 | 422 | 500..), "{route}: {} {}", answer.status, answer.text);
        }
        let several = json!({"title": "Vaccination", "userPhone": "+14155550199", "providers": [{}]});
        let answer = nightshift.post("/api/v1/service-requests", several).await.expect(422);
        assert!(names(&answer, "name") && names(&answer, "phone"), "{}", answer.text);
    })
    .await;
}

async fn a_parameter_that_a_route_does_not_have_is_refused_as_described(engine: Engine) {
    on(engine, async |nightshift| {
        let answer = nightshift.get("/api/ops/schedules?x=1").await.expect(422);
        assert!(names(&answer, "x"), "{}", answer.text);
    })
    .await;
}

/// Every route with a parameter in its path, asked for by an address that is no UTF-8.
async fn an_address_that_cannot_be_read_is_refused_in_the_form_of_its_kind(engine: Engine) {
    on(engine, async |nightshift| {
        let mut asked = 0;
        for route in table().iter().filter(|route| route.path.contains('{')) {
            let path: Vec<_> =
                route.path.split('/').map(|part| if part.starts_with('{') { "%FF" } else { part }).collect();
            let body = (route.method != Method::GET).then(|| json!({}));
            let answer =
                nightshift.send(route.method.clone(), &path.join("/"), &Caller::Nobody, body).await.expect(400);
            if route.area.kind == Kind::Page {
                assert!(answer.text.contains("The URL is not valid"), "{}: {}", route.path, answer.text);
            } else {
                assert_eq!(answer.code(), "bad_path", "{}: {}", route.path, answer.text);
            }
            asked += 1;
        }
        assert!(asked > 20, "{asked}");
    })
    .await;
}

/// Each answer is held against the description by the client.
async fn before_there_is_an_organization_every_answer_to_a_reader_is_described(engine: Engine) {
    on(engine, async |nightshift: Nightshift| {
        for sql in [
            "DELETE FROM users",
            "DELETE FROM automations",
            "DELETE FROM message_numbers",
            "DELETE FROM sitters",
            "DELETE FROM organizations WHERE id <> 'platform'",
        ] {
            nightshift.given(sql).await;
        }
        let mut conflicts = Vec::new();
        for route in table().iter().filter(|route| route.method == Method::GET) {
            let answer = nightshift.get(&route.path.replace("{id}", "none").replace("{name}", "none")).await;
            if answer.status == 409 {
                conflicts.push(route.path);
            }
        }
        for path in ["/api/bookings", "/request/{id}"] {
            assert!(conflicts.contains(&path), "{path} is not among {conflicts:?}");
        }
    })
    .await;
}

#[test]
fn a_key_may_be_sent_with_every_post_of_the_api_that_keeps_its_answer_and_with_nothing_else() {
    let of_sessions = ["/api/auth/login", "/api/auth/logout"];
    let document = described();
    for route in table() {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let keyed = parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").count();
        let conflict = &operation["responses"]["409"]["headers"]["Retry-After"];
        let may = route.area.kind == Kind::Api && route.method == Method::POST && !of_sessions.contains(&route.path);
        assert_eq!((keyed, conflict.is_object()), (usize::from(may), may), "{} {}", route.method, route.path);
    }
}
