//! Who may do what: every route, asked by everybody.

use std::collections::BTreeMap;

use nightshift::web::table;
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::access::api_keys::Scope;
use reqwest::{Client, Method};
use serde_json::json;

use crate::support::business::{self, booking};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    every_route_lets_in_whom_it_should_and_nobody_else,
    what_belongs_to_another_organisation_is_not_found,
    a_sitter_sees_their_own_bookings_and_no_clients_number,
    a_key_works_until_it_is_revoked,
    another_site_cannot_use_a_visitors_session,
    more_requests_per_minute_than_allowed_are_told_to_wait,
}

/// Method and path, then who may: o(wner), s(itter), p(latform), or scopes; everybody; or whoever signs.
///
/// A page lets everybody in who may see something there, and sends those who must sign in to the sign-in.
const ALLOWED: &[(&str, &str)] = &[
    ("POST /api/auth/login", "everybody"),
    ("POST /api/auth/logout", "o s p any-key"),
    ("GET /api/auth/me", "o s p any-key"),
    ("POST /api/bookings", "o bookings:write"),
    ("GET /api/bookings", "o s bookings:read bookings:write"),
    ("GET /api/bookings/{id}", "o s bookings:read bookings:write"),
    ("PATCH /api/bookings/{id}", "o bookings:write"),
    ("POST /api/bookings/{id}/confirm", "o bookings:write"),
    ("POST /api/bookings/{id}/cancel", "o bookings:write"),
    ("GET /api/bookings/{id}/status-history", "o s p bookings:read bookings:write"),
    ("GET /api/bookings/{id}/pricing", "o bookings:read bookings:write"),
    ("POST /api/bookings/{id}/reprice", "o"),
    ("GET /api/pricing-rules", "o"),
    ("POST /api/pricing-rules", "o"),
    ("GET /api/reconciliation/runs", "o p"),
    ("POST /api/reconciliation/runs", "o p"),
    ("GET /api/reconciliation/runs/{id}/drifts", "o p"),
    ("GET /api/clients", "o bookings:read bookings:write"),
    ("GET /api/clients/{id}", "o bookings:read bookings:write"),
    ("GET /api/sitters", "o"),
    ("POST /api/sitters", "o"),
    ("PATCH /api/sitters/{id}", "o"),
    ("GET /api/sitters/{id}/metrics", "o s"),
    ("POST /api/v1/service-requests", "o requests:write"),
    ("GET /api/v1/service-requests", "o requests:write"),
    ("GET /api/v1/service-requests/{id}", "o requests:write"),
    ("POST /api/v1/service-requests/{id}/providers", "o requests:write"),
    ("POST /api/v1/service-requests/{id}/cancel", "o"),
    ("POST /api/v1/bookings/schedule-async", "o requests:write"),
    ("POST /api/v1/bookings/schedule", "o requests:write"),
    ("GET /api/v1/bookings/executions/{id}", "o requests:write"),
    ("POST /api/v1/bookings/executions/{id}/cancel", "o p"),
    ("GET /api/messages/threads", "o messages:read messages:write"),
    ("GET /api/messages/threads/{id}", "o s"),
    ("GET /api/messages/threads/{id}/messages", "o s"),
    ("POST /api/messages/threads/{id}/messages", "o s messages:write"),
    ("PATCH /api/messages/threads/{id}", "o"),
    ("POST /api/messages/threads/{id}/read", "o s"),
    ("GET /api/sitters/{id}/messages", "o s"),
    ("POST /api/messages/threads/{id}/opt-out", "o"),
    ("GET /api/sitter/threads", "s"),
    ("GET /api/messages/threads/{id}/routing-trace", "o p"),
    ("GET /api/messages/events/{eventId}/routing-trace", "o p"),
    ("GET /api/sitter/dashboard", "s"),
    ("GET /api/messages/numbers", "o p"),
    ("POST /api/messages/numbers", "o"),
    ("PATCH /api/messages/numbers/{id}", "o"),
    ("GET /api/assignments/windows", "o s"),
    ("POST /api/bookings/{id}/offers", "o"),
    ("GET /api/offers", "o s"),
    ("POST /api/sitter/{id}/bookings/{bookingId}/accept", "o s"),
    ("POST /api/sitter/{id}/bookings/{bookingId}/decline", "o s"),
    ("POST /api/offers/{id}/withdraw", "o"),
    ("GET /api/events/stream", "o s p"),
    ("GET /api/automations/ledger", "o p"),
    ("GET /api/automations/ledger/{id}", "o p"),
    ("GET /api/exceptions", "o p"),
    ("GET /api/exceptions/{id}", "o p"),
    ("POST /api/exceptions/{id}/resolve", "o p exceptions:write"),
    ("POST /api/exceptions/{id}/snooze", "o p exceptions:write"),
    ("POST /api/exceptions/{id}/assign", "o p exceptions:write"),
    ("GET /api/event-log", "o p"),
    ("GET /api/ops/schedules", "p jobs:admin"),
    ("POST /api/ops/schedules/{name}/run", "p jobs:admin"),
    ("GET /api/jobs/{id}", "o any-key"),
    ("POST /api/webhooks/stripe", "signed"),
    ("POST /api/webhooks/sms", "signed"),
    ("POST /api/twilio/inbound", "signed"),
    ("POST /api/twilio/status", "signed"),
    ("POST /api/webhooks/vapi", "signed"),
    ("GET /request/{id}", "everybody"),
    ("POST /request/{id}/book", "everybody"),
    ("GET /request/{id}/appointment.ics", "everybody"),
    ("GET /login", "everybody"),
    ("POST /login", "everybody"),
    ("POST /logout", "page o s p"),
    ("GET /", "page o s p"),
    ("GET /exceptions", "page o p"),
    ("GET /exceptions/{id}", "page o p"),
    ("POST /exceptions/{id}/assign", "page o p"),
    ("POST /exceptions/{id}/snooze", "page o p"),
    ("POST /exceptions/{id}/resolve", "page o p"),
    ("GET /assets/{name}", "everybody"),
    ("GET /healthz", "everybody"),
    ("GET /readyz", "everybody"),
    ("GET /metrics", "everybody"),
    ("GET /api/openapi.json", "everybody"),
];

const EXPIRED: &str = "This form has expired. Reload the page and try again.";

/// Whether a route takes a form of a page. The sign-in's is sent by whoever has no page yet.
fn is_page_form(route: &str) -> bool {
    route.starts_with("POST ") && !path_is_of_the_api(route) && route != "POST /login"
}

fn path_is_of_the_api(route: &str) -> bool {
    route.contains(" /api/")
}

fn may(rights: &str, word: &str) -> bool {
    rights == "everybody" || rights.split(' ').any(|right| right == word)
}

async fn status(http: &Client, nightshift: &Nightshift, route: &str, id: &str, caller: &Caller) -> (u16, String) {
    let (method, path) = route.split_once(' ').unwrap();
    let path = path.replace("{id}", id);
    let mut request = http.request(method.parse().unwrap(), format!("{}{path}", nightshift.app.url()));
    request = match caller {
        Caller::Nobody => request,
        Caller::Cookie(cookie) => request.header("cookie", cookie),
        Caller::Key(key) => request.header("authorization", format!("Bearer {key}")),
    };
    let is_form = path.starts_with("/api/twilio/") || !path.starts_with("/api/");
    let request = match (method, is_form) {
        ("GET", _) => request,
        (_, true) => request.form(&[("csrf", "none"), ("providerId", "none"), ("userId", "none"), ("until", "never")]),
        (_, false) => request.json(&json!({})),
    };
    let answer = Answer::to(request).await;
    (answer.status, answer.text)
}

/// Whether a refusal is for the caller's role or scope, and not for something that the request lacks.
fn is_about_rights(text: &str) -> bool {
    const SENTENCES: [&str; 5] = [
        "Your role may not do this.",
        "This page is for owners and operators.",
        "This page is for owners, sitters and operators.",
        "The API key needs the scope",
        // Pages escape the apostrophe.
        "API keys can",
    ];
    SENTENCES.iter().any(|sentence| text.contains(sentence))
}

/// The answer to nobody.
fn turned_away(rights: &str) -> Option<u16> {
    match rights.split(' ').next() {
        Some("everybody") => None,
        Some("page") => Some(303),
        _ => Some(401),
    }
}

async fn every_route_lets_in_whom_it_should_and_nobody_else(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let routes: Vec<String> = table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
            let listed: Vec<String> = ALLOWED.iter().map(|(route, _)| (*route).to_owned()).collect();
            assert_eq!(routes, listed, "a route is missing here, or is gone");

            // Redirects are not followed: the way to the sign-in is what a page answers to nobody.
            let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
            let mut callers: BTreeMap<&str, Caller> = BTreeMap::new();
            callers.insert("o", nightshift.sign_in(business::OWNER).await);
            callers.insert("s", nightshift.sign_in(business::SITTER).await);
            callers.insert("p", nightshift.sign_in(business::OPS).await);
            for scope in Scope::ALL {
                callers.insert(scope.as_str(), nightshift.key(&[*scope]).await);
            }
            for (route, rights) in ALLOWED {
                let (nobody, text) = status(&http, &nightshift, route, "none", &Caller::Nobody).await;
                match turned_away(rights) {
                    Some(status) => assert_eq!(nobody, status, "{route} by nobody: {text}"),
                    // A page of one request is not there without its link, and nobody has the token of its form.
                    None => assert!(
                        !matches!(nobody, 401 | 403 | 405 | 500..)
                            || route.ends_with("/login")
                            || (nobody == 403 && text.contains(EXPIRED)),
                        "{route} by nobody is {nobody}: {text}"
                    ),
                }
                if *rights == "signed" {
                    // Whoever is signed in has not signed a delivery.
                    let (owner, text) = status(&http, &nightshift, route, "none", callers.get("p").unwrap()).await;
                    assert_eq!(owner, 401, "{route} by somebody signed in: {text}");
                    continue;
                }
                for (word, caller) in callers.iter().map(|(word, caller)| (*word, caller)) {
                    // Signing out would end the caller's session.
                    if *route == "POST /api/auth/logout" {
                        continue;
                    }
                    // A form without the token of its page is refused, whoever sends it.
                    let is_form = is_page_form(route);
                    let (answer, text) = status(&http, &nightshift, route, "none", caller).await;
                    let allowed = may(rights, word) || (word.contains(':') && may(rights, "any-key"));
                    if allowed && is_form {
                        assert_eq!(answer, 403, "{route} by {word}: {text}");
                        assert!(text.contains(EXPIRED), "{route} by {word}: {text}");
                    } else if allowed {
                        assert!(!matches!(answer, 403 | 405 | 500..), "{route} by {word} is {answer}: {text}");
                        assert!(answer != 401 || route.ends_with("login"), "{route} by {word} is {answer}: {text}");
                    } else {
                        assert_eq!(answer, 403, "{route} by {word}: {text}");
                        assert!(is_about_rights(&text), "{route} by {word}: {text}");
                    }
                }
            }
        },
    )
    .await;
}

async fn what_belongs_to_another_organisation_is_not_found(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(booking())).await.expect(201).json();
            let booking_id = made["booking"]["id"].as_str().unwrap().to_owned();
            let confirm = format!("/api/bookings/{booking_id}/confirm");
            let confirmed = nightshift.send(Method::POST, &confirm, &owner, Some(json!({}))).await.expect(200).json();
            nightshift.texts().delivered().until(1).await;
            nightshift.quiet().await;
            let thread = nightshift.threads().one().await.id;
            let text: String = nightshift.db.read("SELECT id FROM message_events").scalar().await.unwrap();
            let run = nightshift.automation_runs("bookingConfirmation").one().await.id;
            let job = confirmed["jobId"].as_str().unwrap().to_owned();
            let client: String = nightshift.db.read("SELECT client_id FROM bookings").scalar().await.unwrap();

            let stranger = nightshift.sign_in(business::STRANGER).await;
            for (route, rights) in ALLOWED {
                let id = match route.split('/').nth(2) {
                    Some("bookings") => &booking_id,
                    Some("automations") => &run,
                    Some("jobs") => &job,
                    Some("clients") => &client,
                    Some("sitters") => "sitter-sam",
                    // These have tests of their own.
                    Some("v1" | "events" | "reconciliation" | "exceptions" | "ops") => continue,
                    _ if route.contains("numbers") => "number-pool",
                    _ if route.contains("{eventId}") => &text,
                    _ => &thread,
                };
                if !may(rights, "o") || !path_is_of_the_api(route) || *rights == "everybody" || route.contains("/auth/")
                {
                    continue;
                }
                let (method, path) = route.split_once(' ').unwrap();
                let body = match path {
                    "/api/messages/threads/{id}/messages" => json!({"body": "hello"}),
                    "/api/messages/threads/{id}/opt-out" => json!({"accept": false}),
                    "/api/bookings/{id}/reprice" => json!({"reason": "mine"}),
                    "/api/bookings/{id}/offers" => json!({"sitterIds": ["sitter-kim"]}),
                    "/api/exceptions/{id}/resolve" => json!({"note": "mine"}),
                    "/api/exceptions/{id}/snooze" => json!({"until": "2034-01-01T00:00:00Z"}),
                    "/api/exceptions/{id}/assign" => json!({"userId": "user-stranger"}),
                    _ => json!({}),
                };
                let body = (method != "GET").then_some(body);
                let answer = nightshift
                    .send(method.parse().unwrap(), &path.replace("{id}", id).replace("{eventId}", id), &stranger, body)
                    .await;
                if path.contains('{') {
                    assert_eq!(answer.status, 404, "{route}: {}", answer.text);
                } else if method == "GET" {
                    assert_eq!(answer.status, 200, "{route}: {}", answer.text);
                    for theirs in [&booking_id, &thread, &run, "+15551234567", "number-pool"] {
                        assert!(!answer.text.contains(theirs), "{route} shows {theirs}: {}", answer.text);
                    }
                }
            }
            assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1, "a stranger has sent a text");
            // And to its owner it is all there.
            for path in [
                format!("/api/bookings/{booking_id}"),
                format!("/api/messages/threads/{thread}"),
                format!("/api/automations/ledger/{run}"),
                format!("/api/jobs/{job}"),
            ] {
                nightshift.send(Method::GET, &path, &owner, None).await.expect(200);
            }
        },
    )
    .await;
}

async fn a_sitter_sees_their_own_bookings_and_no_clients_number(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sitter = nightshift.sign_in(business::SITTER).await;
            let mut theirs = booking();
            theirs["sitterId"] = json!("sitter-sam");
            let ids = [theirs, business::booking_of(1)].map(async |body| {
                let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(body)).await.expect(201).json();
                made["booking"]["id"].as_str().unwrap().to_owned()
            });
            let [own, foreign] = ids;
            let (own, foreign) = (own.await, foreign.await);
            let list = nightshift.send(Method::GET, "/api/bookings", &sitter, None).await.expect(200);
            assert_eq!(list.json()["bookings"].as_array().unwrap().len(), 1, "{}", list.text);
            let shown = nightshift.send(Method::GET, &format!("/api/bookings/{own}"), &sitter, None).await.expect(200);
            for answer in [&list, &shown] {
                assert!(!answer.text.contains("5551234567"), "{}", answer.text);
            }
            for path in [format!("/api/bookings/{foreign}"), format!("/api/bookings/{foreign}/status-history")] {
                nightshift.send(Method::GET, &path, &sitter, None).await.expect(404);
            }
        },
    )
    .await;
}

async fn a_key_works_until_it_is_revoked(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let key = nightshift.key(&[Scope::BookingsRead]).await;
            nightshift.send(Method::GET, "/api/bookings", &key, None).await.expect(200);
            let Caller::Key(text) = &key else { unreachable!("it is a key") };
            let stored = nightshift.api_keys().one().await.secret_sha256;
            assert!(!text.contains(&stored), "the secret itself is stored");
            let mut tx = nightshift.db.begin().await.unwrap();
            let id = text.split('_').nth(1).unwrap();
            nightshift_domain::access::api_keys::revoke(&mut tx, id, nightshift.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
            nightshift.send(Method::GET, "/api/bookings", &key, None).await.expect(401);
            for wrong in ["jk_00000000_nothing", "jk_", "Bearer", &format!("{text}x")] {
                nightshift.send(Method::GET, "/api/bookings", &Caller::Key(wrong.to_owned()), None).await.expect(401);
            }
        },
    )
    .await;
}

async fn another_site_cannot_use_a_visitors_session(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            for headers in [[("origin", "https://evil.example")], [("sec-fetch-site", "cross-site")]] {
                let answer = nightshift
                    .send_with(Method::POST, "/api/bookings", &owner, Some(booking()), &headers)
                    .await
                    .expect(403);
                assert_eq!(answer.code(), "csrf");
            }
            let own = nightshift.app.url();
            nightshift
                .send_with(Method::POST, "/api/bookings", &owner, Some(booking()), &[("origin", own.as_str())])
                .await
                .expect(201);
        },
    )
    .await;
}

async fn more_requests_per_minute_than_allowed_are_told_to_wait(engine: Engine) {
    on_with(
        engine,
        |settings| {
            settings.auth.enabled = true;
            settings.http.rate_limit_per_minute = 5;
        },
        async |nightshift| {
            let key = nightshift.key(&[Scope::BookingsRead]).await;
            let other = nightshift.key(&[Scope::BookingsRead]).await;
            for _ in 0..5 {
                nightshift.send(Method::GET, "/api/bookings", &key, None).await.expect(200);
            }
            let answer = nightshift.send(Method::GET, "/api/bookings", &key, None).await.expect(429);
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            nightshift.send(Method::GET, "/api/bookings", &other, None).await.expect(200);
            nightshift.clock.advance(std::time::Duration::from_secs(60));
            nightshift.send(Method::GET, "/api/bookings", &key, None).await.expect(200);
        },
    )
    .await;
}
