//! What a browser gets when a page fails: a page that says what is wrong, and a line in the log when the fault is ours.

use nightshift_db::Engine;
use reqwest::Method;

use super::exception_pages::{drifted, form, look, token, with_auth};
use crate::support::nightshift::on_both_with;
use crate::support::{Answer, Caller, Nightshift, business, logs};

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

#[tokio::test]
async fn a_page_that_fails_logs_why_and_shows_the_request_by_which_the_log_tells_it() {
    logs::keep();
    on_both_with(with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        nightshift.db.write("ALTER TABLE exceptions RENAME COLUMN title TO headline").execute().await.unwrap();
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

#[tokio::test]
async fn a_form_that_lacks_something_is_answered_with_a_page_that_names_it() {
    on_both_with(with_auth, async |nightshift| {
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

#[tokio::test]
async fn a_form_that_is_too_large_is_refused_with_a_page() {
    let small = |settings: &mut nightshift::config::Settings| {
        with_auth(settings);
        settings.http.body_bytes_max = 2_000;
    };
    on_both_with(small, async |nightshift| {
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
#[tokio::test]
async fn a_form_whose_transaction_met_another_is_run_again() {
    on_both_with(with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let id: Vec<(String,)> = nightshift.rows("SELECT id FROM exceptions").await;
        let path = format!("/exceptions/{}", id[0].0);
        let csrf = token(&look(&nightshift, &path, &owner).await.expect(200));
        if nightshift.db.engine() == Engine::Postgres {
            for sql in [
                "CREATE SEQUENCE refused",
                "CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   IF nextval('refused') <= 2 THEN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END IF;
                   RETURN NEW; END $$",
                "CREATE TRIGGER refuse_twice BEFORE UPDATE ON exceptions FOR EACH ROW EXECUTE FUNCTION refuse_twice()",
            ] {
                nightshift.db.write(sql).execute().await.unwrap();
            }
        }
        let fields = [("csrf", csrf.as_str()), ("note", "done")];
        form(&nightshift, &format!("{path}/resolve"), &owner, &fields).await.expect(303);
        assert_eq!(nightshift.count("SELECT count(*) FROM exceptions WHERE status = 'resolved'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_a_page_for_browsers_and_json_for_programs() {
    const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
    on_both_with(with_auth, async |nightshift| {
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

#[tokio::test]
async fn only_operators_are_shown_ids_of_organisations_whatever_the_zone() {
    on_both_with(with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        assert!(!look(&nightshift, "/exceptions", &owner).await.expect(200).text.contains("org-paws"));
        let ops = nightshift.sign_in(business::OPS).await;
        assert!(look(&nightshift, "/exceptions", &ops).await.expect(200).text.contains("org-paws"));
    })
    .await;
}

#[tokio::test]
async fn an_asset_is_kept_for_ever_under_the_name_of_its_content_and_for_a_minute_under_its_former_name() {
    on_both_with(with_auth, async |nightshift| {
        let page = look(&nightshift, "/login", &Caller::Nobody).await.expect(200);
        for (before, extension, media_type) in [
            ("href=\"/assets/", "css", "text/css; charset=utf-8"),
            ("src=\"/assets/", "js", "text/javascript; charset=utf-8"),
        ] {
            let at = page.text.find(before).unwrap_or_else(|| panic!("no {extension} in\n{}", page.text));
            let path = page.text[at..].split('"').nth(1).unwrap();
            let asset = nightshift.get(path).await.expect(200);
            assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
            assert_eq!(asset.header("content-type"), Some(media_type));
            // A page of the release before this one, still open or still served by another process.
            let former = nightshift.get(&format!("/assets/app.{extension}")).await.expect(200);
            assert_eq!(former.header("cache-control"), Some("public, max-age=60"));
            assert_eq!((former.header("content-type"), &former.text), (Some(media_type), &asset.text));
            let gone = nightshift.get(&format!("/assets/app-0000000000000000.{extension}")).await.expect(404);
            assert_eq!(gone.header("cache-control"), Some("no-store"));
        }
    })
    .await;
}
