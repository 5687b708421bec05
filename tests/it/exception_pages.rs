//! `/login` and `/exceptions` as the server renders them: who gets in, what they see, and the forms without scripts.

use std::time::Duration;

use nightshift::config::{Environment, Settings};
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::exceptions::ExceptionKind;
use reqwest::Method;
use serde_json::json;

use super::pricing::rule;
use crate::support::business::{self, booking};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    people_sign_in_and_are_led_where_they_wanted_to_go_and_nowhere_else,
    a_drift_is_explained_on_its_page_and_worked_on_without_scripts,
    the_type_filter_offers_every_kind_and_keeps_one_that_this_program_does_not_know,
    production_that_takes_webhooks_from_anybody_says_so_until_it_no_longer_does,
}

pub fn with_auth(settings: &mut Settings) {
    settings.auth.enabled = true;
}

/// Sends a form as a browser would, and does not follow where it leads.
pub async fn form(nightshift: &Nightshift, path: &str, caller: &Caller, fields: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut request = client
        .post(format!("{}{path}", nightshift.app.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    if let Caller::Cookie(cookie) = caller {
        request = request.header("cookie", cookie);
    }
    Answer::to(request).await
}

pub async fn look(nightshift: &Nightshift, path: &str, caller: &Caller) -> Answer {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut request = client.get(format!("{}{path}", nightshift.app.url()));
    if let Caller::Cookie(cookie) = caller {
        request = request.header("cookie", cookie);
    }
    Answer::to(request).await
}

pub fn token(page: &Answer) -> String {
    let at = page.text.find("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no token in\n{}", page.text));
    page.text[at..].split('"').nth(3).unwrap().to_owned()
}

/// A booking that is charged too much, found by a run.
pub async fn drifted(nightshift: &Nightshift, owner: &Caller) {
    nightshift.send(Method::POST, "/api/pricing-rules", owner, Some(rule())).await.expect(201);
    let made = nightshift.send(Method::POST, "/api/bookings", owner, Some(booking())).await.expect(201).json();
    let path = format!("/api/bookings/{}", made["booking"]["id"].as_str().unwrap());
    let longer = json!({"endAt": "2024-12-31T12:00:00Z"});
    nightshift.send(Method::PATCH, &path, owner, Some(longer)).await.expect(200);
    nightshift.quiet().await;
    nightshift.send(Method::POST, "/api/reconciliation/runs", owner, Some(json!({}))).await.expect(202);
    nightshift.exceptions("pricing_drift").until(1).await;
}

async fn people_sign_in_and_are_led_where_they_wanted_to_go_and_nowhere_else(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let away = look(&nightshift, "/exceptions?severity=high", &Caller::Nobody).await.expect(303);
        assert_eq!(away.header("location"), Some("/login?next=%2Fexceptions%3Fseverity%3Dhigh"));
        let wrong = [("email", business::OWNER), ("password", "guess"), ("next", "/exceptions")];
        let refused = form(&nightshift, "/login", &Caller::Nobody, &wrong).await.expect(401);
        assert!(refused.text.contains("Wrong email or password.") && refused.text.contains(business::OWNER));
        assert!(!refused.text.contains("guess"));
        for (next, leads) in [
            ("/exceptions?severity=high", "/exceptions?severity=high"),
            ("//evil.example/", "/exceptions"),
            ("https://evil.example/", "/exceptions"),
            ("/\t/evil.example/", "/exceptions"),
            ("/\u{1}x", "/exceptions"),
            ("/é", "/exceptions"),
        ] {
            let right = [("email", business::OWNER), ("password", business::PASSWORD), ("next", next)];
            let in_ = form(&nightshift, "/login", &Caller::Nobody, &right).await.expect(303);
            assert_eq!(in_.header("location"), Some(leads));
            let cookie = in_.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            let page = look(&nightshift, leads, &Caller::Cookie(cookie.clone())).await.expect(200);
            assert!(page.text.contains("Happy Paws") && page.text.contains("Olive"));
            // And out again.
            form(&nightshift, "/logout", &Caller::Cookie(cookie.clone()), &[("csrf", "x")]).await.expect(403);
            look(&nightshift, "/exceptions", &Caller::Cookie(cookie.clone())).await.expect(200);
            form(&nightshift, "/logout", &Caller::Cookie(cookie.clone()), &[("csrf", &token(&page))]).await.expect(303);
            look(&nightshift, "/exceptions", &Caller::Cookie(cookie)).await.expect(303);
        }
        for _ in 0..4 {
            form(&nightshift, "/login", &Caller::Nobody, &wrong).await.expect(401);
        }
        let slowed = form(&nightshift, "/login", &Caller::Nobody, &wrong).await.expect(429);
        assert!(slowed.text.contains("Too many attempts. Try again in 1 minute."), "{}", slowed.text);
    })
    .await;
}

async fn a_drift_is_explained_on_its_page_and_worked_on_without_scripts(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let empty = look(&nightshift, "/exceptions", &owner).await.expect(200);
        assert!(empty.text.contains("No open exceptions. All clear."));
        drifted(&nightshift, &owner).await;

        let list = look(&nightshift, "/exceptions", &owner).await.expect(200);
        assert!(list.text.contains("A client is charged too little"), "{}", list.text);
        let filtered = look(&nightshift, "/exceptions?type=job_dead&severity=&status=open", &owner).await.expect(200);
        assert!(filtered.text.contains("Nothing matches these filters."));
        let fragment = look(&nightshift, "/exceptions?fragment=list", &owner).await.expect(200);
        assert!(!fragment.text.contains("<html") && fragment.text.contains("charged too little"));

        let id = nightshift.all_exceptions().one().await.id;
        let path = format!("/exceptions/{id}");
        let page = look(&nightshift, &path, &owner).await.expect(200);
        for text in [
            "40.00 USD",
            "80.00 USD",
            "-40.00 USD",
            "-100.00",
            "inputs changed",
            "Reconciliation never changes bookings.",
        ] {
            assert!(page.text.contains(text), "{text} is missing in\n{}", page.text);
        }
        assert!(!page.text.contains("5551234567"), "a client's number is shown");

        let csrf = token(&page);
        form(&nightshift, &format!("{path}/resolve"), &owner, &[("csrf", "x"), ("note", "done")]).await.expect(403);
        let refused = form(&nightshift, &format!("{path}/resolve"), &owner, &[("csrf", &csrf), ("note", " ")]).await;
        assert!(refused.expect(422).text.contains("is required, at most 4000 characters"));
        let past = [("csrf", csrf.as_str()), ("until", "2024-12-29T10:00")];
        let refused = form(&nightshift, &format!("{path}/snooze"), &owner, &past).await.expect(422);
        assert!(refused.text.contains("must be in the future") && refused.text.contains("2024-12-29T10:00"));
        let assign = [("csrf", csrf.as_str()), ("userId", "user-owner")];
        form(&nightshift, &format!("{path}/assign"), &owner, &assign).await.expect(303);
        assert!(look(&nightshift, &path, &owner).await.text.contains("Assigned to Olive"));
        let later = [("csrf", csrf.as_str()), ("until", "2024-12-30T10:00")];
        form(&nightshift, &format!("{path}/snooze"), &owner, &later).await.expect(303);
        assert!(look(&nightshift, &path, &owner).await.text.contains(">Mon 30 Dec 2024, 10:00 UTC</time>"));
        let note = [("csrf", csrf.as_str()), ("note", "Agreed by phone <b>")];
        form(&nightshift, &format!("{path}/resolve"), &owner, &note).await.expect(303);
        let done = look(&nightshift, &path, &owner).await.expect(200);
        assert!(done.text.contains("Agreed by phone &#60;b&#62;") && !done.text.contains("<textarea"), "{}", done.text);

        // Others: not theirs, not for them, or all of it.
        let stranger = nightshift.sign_in(business::STRANGER).await;
        look(&nightshift, &path, &stranger).await.expect(404);
        let sitter = nightshift.sign_in(business::SITTER).await;
        assert!(look(&nightshift, "/exceptions", &sitter).await.expect(403).text.contains("owners and operators"));
        let ops = nightshift.sign_in(business::OPS).await;
        assert!(look(&nightshift, "/exceptions?status=resolved", &ops).await.expect(200).text.contains("org-paws"));
    })
    .await;
}

async fn the_type_filter_offers_every_kind_and_keeps_one_that_this_program_does_not_know(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let page = look(&nightshift, "/exceptions?type=sms_unconfirmed", &owner).await.expect(200);
        let types = select(&page, "type");
        for kind in ExceptionKind::ALL {
            let selected = if *kind == ExceptionKind::SmsUnconfirmed { " selected" } else { "" };
            let option = format!("<option value=\"{kind}\"{selected}>{}</option>", kind.label());
            assert!(types.contains(&option), "{option} is missing in\n{types}");
        }

        // Another version of the program raised it.
        let (now, kind) = (nightshift.clock.now(), "of_another_version");
        nightshift.raise_exception_at(now, "ex-other", kind, "low", "Of another version").await;
        let page = look(&nightshift, "/exceptions?type=of_another_version", &owner).await.expect(200);
        assert!(page.text.contains("Of another version</a>"), "{}", page.text);
        let types = select(&page, "type");
        assert!(types.contains("<option value=\"of_another_version\" selected>of_another_version</option>"), "{types}");
        let shown = look(&nightshift, "/exceptions/ex-other", &owner).await.expect(200);
        assert!(shown.text.contains("/ of_another_version</nav>"), "{}", shown.text);
        let list = nightshift.send(Method::GET, "/api/exceptions", &owner, None).await.expect(200).json();
        assert_eq!(list["exceptions"][0]["type"], "of_another_version");
    })
    .await;
}

/// The select of that name, with its options.
fn select<'a>(page: &'a Answer, name: &str) -> &'a str {
    let start = page.text.find(&format!("<select name=\"{name}\">")).expect("no such select");
    &page.text[start..start + page.text[start..].find("</select>").expect("an open select")]
}

async fn production_that_takes_webhooks_from_anybody_says_so_until_it_no_longer_does(engine: Engine) {
    let careless = |settings: &mut Settings| {
        settings.environment = Environment::Production;
        settings.auth.enabled = true;
        settings.webhooks.validation = false;
        settings.webhooks.allow_unverified = true;
    };
    let mut refused = Settings::built_in().unwrap();
    careless(&mut refused);
    refused.webhooks.allow_unverified = false;
    assert!(
        refused.refusals().iter().any(|line| line.contains("ENABLE_WEBHOOK_VALIDATION")),
        "{:?}",
        refused.refusals()
    );
    on_with(engine, careless, async |nightshift| {
        let ops = nightshift.sign_in(business::OPS).await;
        let page = look(&nightshift, "/exceptions", &ops).await.expect(200);
        assert!(page.text.contains("Webhook signatures are not enforced."));
        assert!(page.text.contains("Webhooks are taken without a valid signature"));
        let sitter = nightshift.sign_in(business::SITTER).await;
        let page = look(&nightshift, "/exceptions", &sitter).await.expect(403);
        assert!(!page.text.contains("Webhook signatures"), "a sitter can't mend it: {}", page.text);
        // Started again with validation, it is over.
        let mut careful = crate::support::nightshift::settings_for(&nightshift.url, &nightshift.simulator);
        careful.environment = Environment::Production;
        careful.auth.enabled = true;
        let again = nightshift::app::start(careful, nightshift.clock.clone(), &[nightshift::app::Role::Scheduler])
            .await
            .unwrap();
        nightshift.exceptions("webhook_validation_disabled").resolved().until(1).await;
        again.stop(Duration::from_secs(1)).await;
    })
    .await;
}
