//! What a browser gets when a page fails: a page that says what is wrong, and a line in the log when the fault is ours.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;

use super::exception_pages::{drifted, form, look, token, with_auth};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift, business, logs};

each_engine! {
    a_page_that_fails_logs_why_and_shows_the_request_by_which_the_log_tells_it,
    a_form_that_lacks_something_is_answered_with_a_page_that_names_it,
    a_form_that_is_too_large_is_refused_with_a_page,
    a_form_whose_transaction_met_another_is_run_again,
    an_address_that_leads_nowhere_is_a_page_for_browsers_and_json_for_programs,
    an_address_that_leads_nowhere_is_within_the_limits_of_all_others,
    a_problem_page_prolongs_the_session_as_any_other_page,
    only_operators_are_shown_ids_of_organisations_whatever_the_zone,
    assets_are_kept_for_ever_under_the_names_of_their_contents_and_no_other,
}

/// Fails the test unless this is a page: HTML with the style sheet, and the headers of every page.
#[track_caller]
fn assert_is_page(answer: &Answer) {
    let media_type = answer.header("content-type").unwrap_or_default();
    assert!(media_type.starts_with("text/html"), "{media_type}: {}", answer.text);
    assert!(answer.text.contains("<link rel=\"stylesheet\""), "{}", answer.text);
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn ask(nightshift: &Nightshift, path: &str, caller: &Caller, accept: &str, id: &str) -> Answer {
    let headers = [("accept", accept), ("x-request-id", id)];
    nightshift.send_with(Method::GET, path, caller, None, &headers).await
}

async fn a_page_that_fails_logs_why_and_shows_the_request_by_which_the_log_tells_it(engine: Engine) {
    logs::keep();
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        nightshift.make_exceptions_unreadable().await;
        let engine = nightshift.db.engine();
        for (path, route) in [("/exceptions", "/exceptions"), ("/exceptions/none", "/exceptions/{id}")] {
            let id = format!("page-{engine:?}-{}", path.len());
            let page = ask(&nightshift, path, &owner, "text/html", &id).await.expect(500);
            assert_is_page(&page);
            assert!(page.text.contains("Could not load this. Try again.") && page.text.contains(&id), "{}", page.text);
            assert!(!page.text.contains("title of") && !page.text.contains("column"), "{}", page.text);
            let logged = logs::of_request(&id);
            assert_eq!(logged.len(), 1, "{logged:?}");
            assert!(
                logged[0].contains("title") && logged[0].contains(route) && logged[0].contains("ERROR"),
                "{logged:?}"
            );
        }
        let id = format!("api-{engine:?}");
        let answer = ask(&nightshift, "/api/exceptions", &owner, "*/*", &id).await.expect(500);
        assert_eq!(answer.json()["requestId"], id.as_str());
        assert_eq!(logs::of_request(&id).len(), 1);
    })
    .await;
}

/// A form's address, who sends it, its fields, and the field that is missing.
type Lacking<'a> = (&'a str, &'a Caller, &'a [(&'a str, &'a str)], &'a str);

async fn a_form_that_lacks_something_is_answered_with_a_page_that_names_it(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let csrf = token(&look(&nightshift, "/exceptions", &owner).await);
        let cases: [Lacking; 4] = [
            ("/exceptions/none/assign", &owner, &[("csrf", &csrf)], "userId"),
            ("/exceptions/none/snooze", &owner, &[("csrf", &csrf)], "until"),
            ("/request/none/book", &owner, &[("csrf", &csrf)], "providerId"),
            ("/login", &Caller::Nobody, &[("email", "a@b.example")], "password"),
        ];
        for (path, caller, fields, missing) in cases {
            let page = form(&nightshift, path, caller, fields).await.expect(422);
            assert_is_page(&page);
            assert!(page.text.contains(&format!("<b>{missing}</b> is required")), "{path}: {}", page.text);
        }
        for (path, fields) in [("/exceptions/none/resolve", &[("note", "done")][..]), ("/logout", &[])] {
            let page = form(&nightshift, path, &owner, fields).await.expect(403);
            assert_is_page(&page);
            assert!(
                page.text.contains("This form has expired. Reload the page and try again."),
                "{path}: {}",
                page.text
            );
        }
        let json = nightshift.send_with(Method::POST, "/logout", &owner, Some(serde_json::json!({})), &[]).await;
        assert_is_page(&json.expect(415));
        for (path, status) in [("/exceptions?type=a&type=b", 400), ("/exceptions/%FF", 400), ("/exceptions/%00", 400)] {
            assert_is_page(&look(&nightshift, path, &owner).await.expect(status));
        }
    })
    .await;
}

async fn a_form_that_is_too_large_is_refused_with_a_page(engine: Engine) {
    let small = |settings: &mut nightshift::config::Settings| {
        with_auth(settings);
        settings.http.body_bytes_max = 2_000;
    };
    on_with(engine, small, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let note = "n".repeat(3_000);
        let (resolve, login) = ("/exceptions/none/resolve", "/login");
        for (path, caller) in [(resolve, &owner), (login, &Caller::Nobody), ("/request/none/book", &Caller::Nobody)] {
            let page = form(&nightshift, path, caller, &[("csrf", "x"), ("note", &note)]).await.expect(413);
            assert_is_page(&page);
            assert!(page.text.contains("larger than 2000 bytes"), "{}", page.text);
        }
    })
    .await;
}

/// PostgreSQL is made to refuse the first two runs as it refuses a transaction that met another. SQLite has no such
/// refusal on demand; there the form only has to do what it does.
async fn a_form_whose_transaction_met_another_is_run_again(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let id = nightshift.all_exceptions().one().await.id;
        let path = format!("/exceptions/{id}");
        let csrf = token(&look(&nightshift, &path, &owner).await.expect(200));
        if nightshift.db.engine() == Engine::Postgres {
            for sql in [
                "CREATE SEQUENCE refused",
                "CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   IF nextval('refused') <= 2 THEN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END IF;
                   RETURN NEW; END $$",
                "CREATE TRIGGER refuse_twice BEFORE UPDATE ON exceptions FOR EACH ROW EXECUTE FUNCTION refuse_twice()",
            ] {
                nightshift.given(sql).await;
            }
        }
        let fields = [("csrf", csrf.as_str()), ("note", "done")];
        form(&nightshift, &format!("{path}/resolve"), &owner, &fields).await.expect(303);
        assert_eq!(nightshift.all_exceptions().resolved().count().await, 1);
    })
    .await;
}

async fn an_address_that_leads_nowhere_is_a_page_for_browsers_and_json_for_programs(engine: Engine) {
    const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
    on_with(engine, with_auth, async |nightshift| {
        let nobody = Caller::Nobody;
        let page = ask(&nightshift, "/nowhere", &nobody, BROWSER, "browser").await.expect(404);
        assert_is_page(&page);
        assert!(page.text.contains("<h1>Not found</h1>"), "{}", page.text);
        let page = ask(&nightshift, "/logout", &nobody, BROWSER, "browser").await.expect(405);
        assert_is_page(&page);
        assert_eq!(page.header("allow"), Some("POST"));
        for (path, accept) in [("/nowhere", "*/*"), ("/api/nowhere", BROWSER), ("/api", BROWSER)] {
            let answer = ask(&nightshift, path, &nobody, accept, "a-program").await.expect(404);
            assert_eq!((answer.code().as_str(), &answer.json()["requestId"]), ("not_found", &"a-program".into()));
        }
        let answer = nightshift.send(Method::DELETE, "/api/bookings", &nobody, None).await.expect(405);
        assert_eq!(answer.code(), "method_not_allowed");
        assert!(answer.header("allow").is_some_and(|methods| methods.contains("POST")));
    })
    .await;
}

async fn an_address_that_leads_nowhere_is_within_the_limits_of_all_others(engine: Engine) {
    let few = |settings: &mut nightshift::config::Settings| {
        with_auth(settings);
        settings.http.rate_limit_per_minute = 3;
    };
    on_with(engine, few, async |nightshift| {
        for _ in 0..3 {
            ask(&nightshift, "/nowhere", &Caller::Nobody, "text/html", "few").await.expect(404);
        }
        let waits = ask(&nightshift, "/nowhere", &Caller::Nobody, "text/html", "few").await.expect(429);
        assert_is_page(&waits);
        assert!(waits.header("retry-after").is_some());
        let waits = ask(&nightshift, "/logout", &Caller::Nobody, "text/html", "few").await.expect(429);
        assert_is_page(&waits);
    })
    .await;
    let full = |settings: &mut nightshift::config::Settings| settings.http.requests_in_flight_max = 0;
    on_with(engine, full, async |nightshift| {
        let page = ask(&nightshift, "/nowhere", &Caller::Nobody, "text/html", "full").await.expect(503);
        assert_is_page(&page);
        let answer = ask(&nightshift, "/api/nowhere", &Caller::Nobody, "*/*", "full").await.expect(503);
        assert_eq!(answer.code(), "overloaded");
    })
    .await;
}

async fn a_problem_page_prolongs_the_session_as_any_other_page(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for (who, path, status) in [
            (business::OWNER, "/nowhere", 404),
            (business::SITTER, "/exceptions", 403),
            (business::OWNER, "/logout", 405),
        ] {
            let caller = nightshift.sign_in(who).await;
            nightshift.clock.advance(std::time::Duration::from_secs(3600));
            let page = ask(&nightshift, path, &caller, "text/html", "prolonged").await.expect(status);
            assert!(page.header("set-cookie").is_some_and(|cookie| cookie.starts_with("session=")), "{path}");
        }
    })
    .await;
}

async fn only_operators_are_shown_ids_of_organisations_whatever_the_zone(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        assert!(!look(&nightshift, "/exceptions", &owner).await.expect(200).text.contains("org-paws"));
        let ops = nightshift.sign_in(business::OPS).await;
        assert!(look(&nightshift, "/exceptions", &ops).await.expect(200).text.contains("org-paws"));
    })
    .await;
}

async fn assets_are_kept_for_ever_under_the_names_of_their_contents_and_no_other(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let page = look(&nightshift, "/login", &Caller::Nobody).await.expect(200);
        let named = |before: &str| -> Vec<String> {
            page.text.split(before).skip(1).map(|rest| format!("/assets/{}", rest.split('"').next().unwrap())).collect()
        };
        let css = named("<link rel=\"stylesheet\" href=\"/assets/");
        let preloaded = named("<link rel=\"modulepreload\" href=\"/assets/");
        let main = named("<script type=\"module\" src=\"/assets/");
        assert_eq!((css.len(), main.len()), (1, 1), "{}", page.text);
        let mut imported = std::collections::BTreeSet::new();
        for path in css.iter().chain(&main).chain(&preloaded) {
            let asset = nightshift.get(path).await.expect(200);
            assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
            let media_type = if path.ends_with("css") { "text/css" } else { "text/javascript" };
            assert_eq!(asset.header("content-type"), Some(format!("{media_type}; charset=utf-8").as_str()));
            let imports = asset.text.split("from \"./").skip(1).map(|rest| rest.split('"').next().unwrap());
            imported.extend(imports.map(|name| format!("/assets/{name}")));
        }
        // What is imported is loaded with the page, not one round trip later.
        assert_eq!(imported, preloaded.into_iter().collect());
        // Of another release, or by a name without a hash.
        for name in ["app-0000000000000000.css", "main-0000000000000000.js", "app.css", "app.js", "main.js"] {
            let gone = nightshift.get(&format!("/assets/{name}")).await.expect(404);
            assert_eq!(gone.header("cache-control"), Some("no-store"));
        }
    })
    .await;
}
