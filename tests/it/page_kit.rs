//! What pages have from the kit: the bar by role, lists in their four states, paging with filters, live blocks, and forms
//! that come back with what was typed.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;

use super::exception_pages::{drifted, form, look, token, with_auth};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift, business};

each_engine! {
    filters_in_the_address_survive_paging_in_both_directions_and_each_can_be_taken_off,
    a_list_has_four_states_and_the_frame_stands_in_each,
    a_list_without_rows_still_tells_its_counts_and_the_way_back,
    an_address_that_cannot_be_read_leaves_the_frame_of_the_list,
    a_live_block_is_the_same_in_the_page_and_by_itself,
    the_bar_names_place_person_and_pages_by_role_and_the_start_is_the_roles_own,
    a_problem_page_has_the_bar_of_whoever_is_known_and_the_request,
    a_refused_form_comes_back_with_what_was_typed_and_the_mistake_by_its_field,
}

/// Exceptions of the owner's organisation, so many of a kind and a severity.
async fn raised(nightshift: &Nightshift, rows: usize) {
    for row in 0..rows {
        let (kind, severity) = if row % 2 == 0 { ("job_dead", "high") } else { ("sms_undelivered", "low") };
        let (id, title) = (format!("ex-{row:03}"), format!("Trouble {row:03}"));
        nightshift.raise_exception_at(nightshift.clock.now(), &id, kind, severity, &title).await;
    }
}

/// Where the link with this text leads.
fn link(page: &Answer, text: &str) -> Option<String> {
    let before = &page.text[..page.text.find(&format!(">{text}</a>"))?];
    let href = before[before.rfind("<a ")?..].split("href=\"").nth(1)?.split('"').next()?;
    Some(href.replace("&#38;", "&").replace("&amp;", "&"))
}

fn titles(page: &Answer) -> Vec<String> {
    page.text.split("\">Trouble ").skip(1).map(|rest| rest[..3].to_owned()).collect()
}

async fn filters_in_the_address_survive_paging_in_both_directions_and_each_can_be_taken_off(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        raised(&nightshift, 220).await;
        let first = look(&nightshift, "/exceptions?type=job_dead&severity=high&status=open", &owner).await.expect(200);
        assert!(first.text.contains("50 of 110") && link(&first, "Newer").is_none(), "{}", first.text);
        let older = link(&first, "Older").expect("an older page");
        for part in ["type=job_dead", "severity=high", "cursor="] {
            assert!(older.contains(part), "{part} is lost: {older}");
        }
        assert!(!older.contains("status="), "the default is no filter: {older}");
        let second = look(&nightshift, &older, &owner).await.expect(200);
        let third = look(&nightshift, &link(&second, "Older").unwrap(), &owner).await.expect(200);
        assert!(link(&third, "Older").is_none() && titles(&third).len() == 10);
        let back = look(&nightshift, &link(&third, "Newer").unwrap(), &owner).await.expect(200);
        assert_eq!(titles(&back), titles(&second));
        let start = look(&nightshift, &link(&back, "Newer").unwrap(), &owner).await.expect(200);
        assert_eq!((titles(&start), link(&start, "Newer")), (titles(&first), None));

        // A filter is taken off by its chip; a word that is none filters nothing.
        let wider = link(&second, "type: job dead").expect("a chip");
        assert_eq!(wider, "/exceptions?severity=high");
        assert_eq!(link(&second, "Clear all").as_deref(), Some("/exceptions"));
        let odd = look(&nightshift, "/exceptions?severity=odd", &owner).await.expect(200);
        assert!(odd.text.contains("50 of 220") && link(&odd, "Clear all").is_none());
    })
    .await;
}

async fn a_list_has_four_states_and_the_frame_stands_in_each(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let empty = look(&nightshift, "/exceptions", &owner).await.expect(200);
        assert!(empty.text.contains("No open exceptions. All clear."));
        let filtered = look(&nightshift, "/exceptions?severity=low", &owner).await.expect(200);
        assert!(filtered.text.contains("Nothing matches these filters."));
        assert_eq!(link(&filtered, "Clear filters").as_deref(), Some("/exceptions"));
        raised(&nightshift, 3).await;
        let rows = look(&nightshift, "/exceptions", &owner).await.expect(200);
        assert_eq!(titles(&rows), ["000", "002", "001"]);
        nightshift.make_exceptions_unreadable().await;
        let failed = look(&nightshift, "/exceptions?severity=low", &owner).await.expect(500);
        assert!(failed.text.contains("Could not load this. Try again."), "{}", failed.text);
        let id = failed.header("x-request-id").unwrap();
        assert!(failed.text.contains(&format!("Request <span class=\"mono\">{id}</span>")), "{}", failed.text);
        assert_eq!(link(&failed, "Try again").as_deref(), Some("/exceptions?severity=low"));
        for page in [&empty, &filtered, &rows, &failed] {
            for part in ["Happy Paws", "<h1>Exceptions</h1>", "<form method=\"get\"", "Sign out"] {
                assert!(page.text.contains(part), "{part} is missing in\n{}", page.text);
            }
        }
    })
    .await;
}

async fn a_list_without_rows_still_tells_its_counts_and_the_way_back(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        raised(&nightshift, 51).await;
        let medium = look(&nightshift, "/exceptions?severity=medium&fragment=list", &owner).await.expect(200);
        assert!(medium.text.contains("Nothing matches these filters.") && medium.text.contains("26 high"));
        let first = look(&nightshift, "/exceptions?type=job_dead", &owner).await.expect(200);
        assert!(link(&first, "Older").is_none());
        let older = link(&look(&nightshift, "/exceptions", &owner).await.expect(200), "Older").unwrap();
        nightshift.given("UPDATE exceptions SET severity = 'high'").await;
        let later = look(&nightshift, &format!("{older}&severity=low"), &owner).await.expect(200);
        assert!(
            later.text.contains("There are no more rows.") && !later.text.contains("Nothing matches"),
            "{}",
            later.text
        );
        assert_eq!(link(&later, "Newer").as_deref(), Some("/exceptions?severity=low"));
    })
    .await;
}

async fn an_address_that_cannot_be_read_leaves_the_frame_of_the_list(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        for (query, sentence, first) in [
            ("cursor=x&severity=low", "This page of the list no longer exists.", "/exceptions?severity=low"),
            ("severity=low&severity=high", "The URL of this list sets a filter twice.", "/exceptions?severity=high"),
        ] {
            let page = look(&nightshift, &format!("/exceptions?{query}"), &owner).await.expect(400);
            for part in ["<h1>Exceptions</h1>", "<form method=\"get\"", "Sign out", sentence] {
                assert!(page.text.contains(part), "{part} is missing in\n{}", page.text);
            }
            assert_eq!(link(&page, "Show the first page").as_deref(), Some(first));
        }
        let odd = look(&nightshift, "/request/none?book=a&book=b", &owner).await.expect(400);
        assert!(odd.text.contains("The URL of this page is not valid. Check the link."), "{}", odd.text);
    })
    .await;
}

async fn a_live_block_is_the_same_in_the_page_and_by_itself(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        raised(&nightshift, 3).await;
        let page = look(&nightshift, "/exceptions?severity=high", &owner).await.expect(200);
        let block = look(&nightshift, "/exceptions?severity=high&fragment=list", &owner).await.expect(200);
        assert!(block.text.contains("Trouble 000") && !block.text.contains("<h1>"), "{}", block.text);
        assert!(page.text.contains(block.text.trim()), "{}\nis not in\n{}", block.text, page.text);
        look(&nightshift, "/exceptions?fragment=other", &owner).await.expect(404);
    })
    .await;
}

async fn the_bar_names_place_person_and_pages_by_role_and_the_start_is_the_roles_own(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for (who, place, start) in
            [(business::OWNER, "Happy Paws", "/exceptions"), (business::OPS, "All organisations", "/exceptions")]
        {
            let caller = nightshift.sign_in(who).await;
            assert_eq!(look(&nightshift, "/", &caller).await.expect(303).header("location"), Some(start));
            let page = look(&nightshift, start, &caller).await.expect(200);
            assert!(page.text.contains(place), "{}", page.text);
            assert!(
                page.text.contains("<a href=\"/exceptions\" aria-current=\"page\">Exceptions</a>"),
                "{}",
                page.text
            );
        }
        let sitter = nightshift.sign_in(business::SITTER).await;
        assert_eq!(look(&nightshift, "/", &sitter).await.expect(303).header("location"), Some("/login"));
        let away = look(&nightshift, "/", &Caller::Nobody).await.expect(303);
        assert_eq!(away.header("location"), Some("/login?next=%2F"));
    })
    .await;
}

async fn a_problem_page_has_the_bar_of_whoever_is_known_and_the_request(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let sitter = nightshift.sign_in(business::SITTER).await;
        let browser = [("accept", "text/html")];
        let nowhere = nightshift.send_with(Method::GET, "/nowhere", &owner, None, &browser).await.expect(404);
        let gone = look(&nightshift, "/exceptions/none", &owner).await.expect(404);
        let expired = form(&nightshift, "/exceptions/none/resolve", &owner, &[("csrf", "x")]).await.expect(403);
        let elsewhere = [("origin", "https://evil.example")];
        let foreign = nightshift.send_with(Method::POST, "/exceptions/none/resolve", &owner, None, &elsewhere).await;
        let denied = look(&nightshift, "/exceptions", &sitter).await.expect(403);
        assert!(denied.text.contains("<h1>Access denied</h1>"), "{}", denied.text);
        assert!(denied.text.contains("This page is for owners and operators.") && !denied.text.contains("<nav"));
        for page in [nowhere, gone, expired, foreign.expect(403), denied] {
            assert!(page.text.contains("Happy Paws") && page.text.contains("Sign out"), "{}", page.text);
            assert!(page.text.contains(page.header("x-request-id").unwrap()), "{}", page.text);
        }
        let stranger = nightshift.send_with(Method::GET, "/nowhere", &Caller::Nobody, None, &browser).await.expect(404);
        assert!(stranger.text.contains("Nightshift") && !stranger.text.contains("Sign out"), "{}", stranger.text);
    })
    .await;
}

async fn a_refused_form_comes_back_with_what_was_typed_and_the_mistake_by_its_field(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let id = nightshift.all_exceptions().one().await.id;
        let path = format!("/exceptions/{id}");
        let csrf = token(&look(&nightshift, &path, &owner).await);
        let typed = [("csrf", csrf.as_str()), ("until", "<b>\"soon")];
        let page = form(&nightshift, &format!("{path}/snooze"), &owner, &typed).await.expect(422);
        for part in [
            "value=\"&#60;b&#62;&#34;soon\" aria-invalid=\"true\" aria-describedby=\"wrong-snooze-until\"",
            "id=\"wrong-snooze-until\" role=\"alert\">must be a date and time",
        ] {
            assert!(page.text.contains(part), "{part} is missing in\n{}", page.text);
        }
        assert_eq!(page.text.matches("aria-invalid").count(), 1, "{}", page.text);

        // Resolved meanwhile: it can't be put off, and the page says so.
        let note = [("csrf", csrf.as_str()), ("note", "done")];
        form(&nightshift, &format!("{path}/resolve"), &owner, &note).await.expect(303);
        let later = [("csrf", csrf.as_str()), ("until", "2034-01-01T10:00")];
        let page = form(&nightshift, &format!("{path}/snooze"), &owner, &later).await.expect(409);
        assert!(page.text.contains("the exception is resolved"), "{}", page.text);
    })
    .await;
}
