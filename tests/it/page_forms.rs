//! Forms of pages: whose token they take, where a refused one leads, and what they hold.

use nightshift::web::routes::Kind;
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;

use super::exception_pages::{drifted, form, look, token, with_auth};
use crate::support::nightshift::on_with;
use crate::support::{Nightshift, business};

each_engine! {
    a_form_is_believed_only_in_the_session_that_it_was_shown_in,
    the_page_of_a_refused_form_leads_back_to_the_page_that_it_is_on,
    a_note_may_hold_any_visible_characters_but_no_nul,
    a_refused_choice_does_not_become_another_one,
}

/// The page of an exception.
async fn exception(nightshift: &Nightshift) -> String {
    format!("/exceptions/{}", nightshift.all_exceptions().one().await.id)
}

async fn a_form_is_believed_only_in_the_session_that_it_was_shown_in(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        let again = nightshift.sign_in(business::OWNER).await;
        let ops = nightshift.sign_in(business::OPS).await;
        drifted(&nightshift, &owner).await;
        let path = exception(&nightshift).await;
        let csrf = token(&look(&nightshift, &path, &owner).await.expect(200));
        let note = [("csrf", csrf.as_str()), ("note", "done")];
        for other in [&again, &ops] {
            let refused = form(&nightshift, &format!("{path}/resolve"), other, &note).await.expect(403);
            assert!(refused.text.contains("This form has expired."), "{}", refused.text);
        }
        assert_eq!(nightshift.all_exceptions().resolved().count().await, 0);
        form(&nightshift, &format!("{path}/resolve"), &owner, &note).await.expect(303);
    })
    .await;
}

async fn the_page_of_a_refused_form_leads_back_to_the_page_that_it_is_on(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let path = exception(&nightshift).await;
        let expired = form(&nightshift, &format!("{path}/resolve"), &owner, &[("csrf", "x")]).await.expect(403);
        assert!(expired.text.contains(&format!("href=\"{path}\"")), "{}", expired.text);
        let csrf = token(&look(&nightshift, &path, &owner).await.expect(200));
        nightshift.make_exceptions_unreadable().await;
        let note = [("csrf", csrf.as_str()), ("note", "done")];
        let failed = form(&nightshift, &format!("{path}/resolve"), &owner, &note).await.expect(500);
        assert!(failed.text.contains(&format!("href=\"{path}\"")), "{}", failed.text);
        assert!(!failed.text.contains(">Try again"), "a form is not sent again by a link: {}", failed.text);
        let failed = look(&nightshift, &path, &owner).await.expect(500);
        assert!(failed.text.contains("href=\"\">Try again"), "{}", failed.text);
    })
    .await;
}

#[test]
fn the_page_of_every_form_is_one_step_up() {
    let pages: Vec<_> = nightshift::web::table().into_iter().filter(|route| route.area.kind == Kind::Page).collect();
    for form in pages.iter().filter(|route| route.method == Method::POST) {
        let (page, _) = form.path.rsplit_once('/').unwrap();
        let page = if page.is_empty() { "/" } else { page };
        let found = pages.iter().any(|route| route.method == Method::GET && route.path == page);
        assert!(found, "{} is the form of no page: there is no {page}", form.path);
    }
}

async fn a_note_may_hold_any_visible_characters_but_no_nul(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let path = exception(&nightshift).await;
        let csrf = token(&look(&nightshift, &path, &owner).await.expect(200));
        let resolve = format!("{path}/resolve");
        form(&nightshift, &resolve, &owner, &[("csrf", &csrf), ("note", "a\0b")]).await.expect(422);
        form(&nightshift, &resolve, &owner, &[("csrf", &csrf), ("note", "a\\u0000b")]).await.expect(303);
        assert!(look(&nightshift, &path, &owner).await.expect(200).text.contains("a\\u0000b"));
    })
    .await;
}

async fn a_refused_choice_does_not_become_another_one(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let owner = nightshift.sign_in(business::OWNER).await;
        drifted(&nightshift, &owner).await;
        let path = exception(&nightshift).await;
        let page = look(&nightshift, &path, &owner).await.expect(200);
        assert!(!page.text.contains("Choose a user"), "{}", page.text);
        let gone = [("csrf", token(&page)), ("userId", "user-gone".to_owned())];
        let gone: Vec<_> = gone.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = form(&nightshift, &format!("{path}/assign"), &owner, &gone).await.expect(422);
        let (_, select) = refused.text.split_once("name=\"userId\"").unwrap();
        let (select, _) = select.split_once("</select>").unwrap();
        assert!(select.contains("<option value=\"\" selected>Choose a user</option>"), "{select}");
        assert_eq!(select.matches(" selected").count(), 1, "{select}");
    })
    .await;
}
