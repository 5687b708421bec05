//! The request's page in a real browser: the dialog, the toasts, and what changes without a reload.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{CallScript, StartScript};
use serde_json::json;

use crate::support::Nightshift;
use crate::support::browser::Browser;
use crate::support::nightshift::on_with;

each_engine! {
    a_booking_is_shown_in_toasts_and_confirmed_without_a_reload,
    a_call_that_cannot_start_or_ends_without_a_booking_is_shown_and_may_be_tried_again,
    a_preferred_date_in_the_past_is_asked_about_in_the_dialog,
    a_live_update_keeps_the_dialog_and_its_texts_and_the_focus_goes_back_to_what_opened_it,
    a_mistake_in_a_form_that_a_script_sent_is_told_by_its_field,
    a_live_update_keeps_the_focus_in_its_row_when_rows_come_go_and_move,
    a_live_part_that_is_refused_for_now_is_fetched_again,
    a_page_that_a_form_led_to_fetches_its_part_from_the_page_of_the_request,
}

fn live(settings: &mut nightshift::config::Settings) {
    settings.calls.live = true;
    settings.auth.enabled = true;
}

/// The link that somebody who asked for an appointment gets.
async fn link(nightshift: &Nightshift) -> String {
    let key = nightshift.key(&[nightshift_domain::access::api_keys::Scope::RequestsWrite]).await;
    let body = json!({
        "title": "Teeth cleaning", "userPhone": "+14155550199", "contactName": "Anna", "location": "San Francisco",
        "providers": [
            {"name": "Bright Dental", "phone": "+14155550177", "rating": 4.8, "recommendation": "Close by"},
            {"name": "Mission Smiles", "phone": "+14155550178"},
        ],
    });
    let made = nightshift.send(reqwest::Method::POST, "/api/v1/service-requests", &key, Some(body)).await.expect(201);
    made.json()["data"]["requestUrl"].as_str().unwrap().to_owned()
}

const CONFIRM: &str = "#book button[type=submit]";
const FIRST_CARD: &str = ".cards li:first-child .btn";

async fn a_booking_is_shown_in_toasts_and_confirmed_without_a_reload(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: Some(2), ..CallScript::default() });
        browser.open(&link(&nightshift).await).await;
        browser.sees(&["Teeth cleaning", "Recommendations ready", "Bright Dental", "Mission Smiles"]).await;
        browser.eval("window.sameDocument = true").await;
        browser.click(FIRST_CARD).await;
        browser.sees(&["Book Bright Dental", "Preferred date", "Confirm & Book"]).await;
        browser.becomes("document.activeElement.name", "preferredDate").await;
        browser.click(CONFIRM).await;
        browser
            .sees(&[
                "Booking call started!",
                "You'll receive a notification when your appointment is confirmed.",
                "Scheduling Your Appointment",
                "Our AI is calling the provider to book your appointment",
                "Connecting to provider...",
            ])
            .await;
        browser.becomes("document.querySelectorAll('.cards button[disabled]').length", 2).await;
        nightshift.simulator.vapi().wait_for_calls(1, Duration::from_secs(10)).await;
        nightshift.service_requests().completed().until(1).await;
        browser
            .sees(&[
                &format!("Bright Dental - {} at 10:00", nightshift.simulator.vapi().calls()[0].date),
                "Your appointment has been successfully scheduled",
                "Confirmation Number",
                "BD441",
            ])
            .await;
        assert_eq!(browser.eval("document.querySelector('.confirmed h2').textContent").await, "Appointment Confirmed!");
        assert_eq!(browser.eval("document.querySelector('.toast strong').textContent").await, "Appointment Confirmed!");
        assert_eq!(browser.eval("window.sameDocument").await, true, "the page was loaded anew");
        assert!(!browser.text().await.contains("4155550"));
        let address = browser.eval("location.href").await;
        assert!(!address.as_str().unwrap().contains("t="), "the token stays in the address: {address}");
        // Leaving and coming back shows what is stored.
        let address = address.as_str().unwrap().to_owned();
        browser.open("about:blank").await;
        browser.open(&address).await;
        browser.sees(&["Appointment Confirmed!", "BD441"]).await;
    })
    .await;
}

async fn a_call_that_cannot_start_or_ends_without_a_booking_is_shown_and_may_be_tried_again(engine: Engine) {
    let Some(browser) = Browser::start(360, 740).await else { return };
    on_with(engine, live, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript {
            start: StartScript::Refused,
            times: 1,
            ..CallScript::default()
        });
        browser.open(&link(&nightshift).await).await;
        browser.sees(&["Recommendations ready"]).await;
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(browser.eval(fits).await, true, "the page is wider than the window");
        // By keyboard alone: open the card, close it, open it again, send.
        browser.eval(&format!("document.querySelector('{FIRST_CARD}').focus()")).await;
        browser.press("\u{E007}").await;
        browser.sees(&["Confirm & Book"]).await;
        assert_eq!(browser.eval(fits).await, true, "the dialog is wider than the window");
        browser.press("\u{E00C}").await;
        browser.becomes("document.querySelectorAll('dialog[open]').length", 0).await;
        browser.eval(&format!("document.querySelector('{FIRST_CARD}').focus()")).await;
        browser.press("\u{E007}").await;
        browser.sees(&["Confirm & Book"]).await;
        browser.eval(&format!("document.querySelector('{CONFIRM}').focus()")).await;
        browser.press("\u{E007}").await;
        browser
            .sees(&["The call ended without a booking. Try again or choose another provider.", "Recommendations ready"])
            .await;

        // Somebody cancels the request while the dialog is open: the server's reason is told. Opened anew, so that no
        // live update of what went before is still under way.
        let here = browser.eval("location.href").await;
        browser.open(here.as_str().unwrap()).await;
        browser.sees(&["Recommendations ready"]).await;
        browser.click(FIRST_CARD).await;
        browser.sees(&["Confirm & Book"]).await;
        nightshift.put_all_requests_into("CANCELLED").await;
        browser.click(CONFIRM).await;
        browser.sees(&["Failed to start booking call", "the request is CANCELLED"]).await;
        nightshift.put_all_requests_into("FAILED").await;
    })
    .await;
}

async fn a_preferred_date_in_the_past_is_asked_about_in_the_dialog(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.sees(&["Recommendations ready"]).await;
        browser.click(FIRST_CARD).await;
        let shown = "!document.querySelector('#book [data-past]').hidden";
        browser.becomes(shown, false).await;
        let fill = |date: &str| {
            format!(
                "(() => {{ const field = document.querySelector('#book [name=preferredDate]');
                    field.value = '{date}'; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
            )
        };
        browser.eval(&fill("2001-12-31")).await;
        browser.click(CONFIRM).await;
        browser.becomes(shown, true).await;
        browser.eval(&fill("2001-12-30")).await;
        browser.becomes(shown, false).await;
        browser.click(CONFIRM).await;
        browser.becomes(shown, true).await;
        assert_eq!(nightshift.calls().count().await, 0);
        browser.click(CONFIRM).await;
        browser.sees(&["Booking call started!"]).await;
    })
    .await;
}

async fn a_live_update_keeps_the_dialog_and_its_texts_and_the_focus_goes_back_to_what_opened_it(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.becomes("document.documentElement.dataset.stream", "open").await;
        // The dialog stays as it is over an update, and gives the focus back to what opened it.
        browser.click(FIRST_CARD).await;
        browser.becomes("document.querySelector('#book').matches(':modal')", true).await;
        browser.eval("document.querySelector('#book [name=customerName]').value = 'Bea'").await;
        nightshift.recommend_all_providers_as("Close by").await;
        browser.eval("document.dispatchEvent(new Event('sent'))").await;
        browser.becomes("document.querySelectorAll('.cards li .section > p:last-child:not(.meta)').length", 2).await;
        assert_eq!(browser.eval("document.querySelector('#book [name=customerName]').value").await, "Bea");
        browser.press("\u{E00C}").await;
        browser.becomes("document.activeElement === document.querySelector('.cards li:first-child .btn')", true).await;
    })
    .await;
}

/// Has the page fetch its live part.
const REFETCH: &str = "document.dispatchEvent(new Event('sent'))";

async fn a_mistake_in_a_form_that_a_script_sent_is_told_by_its_field(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.sees(&["Recommendations ready"]).await;
        browser.click(FIRST_CARD).await;
        browser.eval("document.querySelector('#book [name=customerName]').value = 'Bea'").await;
        browser.eval("document.querySelector('#book [name=customerPhone]').value = '12'").await;
        browser.click(CONFIRM).await;
        browser.becomes("document.activeElement.getAttribute('aria-invalid')", "true").await;
        browser.sees(&["Failed to start booking call"]).await;
        let state = "(() => { const field = document.activeElement, told = field.labels[0].querySelector('.wrong');
            return [field.name, field.value, field.form.elements.customerName.value, field.closest('dialog').matches(':modal'),
                told.role, told.textContent !== '', field.getAttribute('aria-describedby') === told.id]; })()";
        assert_eq!(browser.eval(state).await, json!(["customerPhone", "12", "Bea", true, "alert", true, true]));

        // What was right is sent without what was said of the mistake.
        browser.eval("document.querySelector('#book [name=customerPhone]').value = ''").await;
        browser.click(CONFIRM).await;
        browser.sees(&["Booking call started!"]).await;
        assert_eq!(browser.eval("document.querySelectorAll('#book .wrong, #book [aria-invalid]').length").await, 0);
    })
    .await;
}

async fn a_live_update_keeps_the_focus_in_its_row_when_rows_come_go_and_move(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.becomes("document.documentElement.dataset.stream", "open").await;
        let names = "[...document.querySelectorAll('.cards h3')].map((name) => name.textContent).join()";
        browser.becomes(names, "Bright Dental,Mission Smiles").await;
        browser.eval("(window.row = document.querySelector('.cards li:last-child')).querySelector('a').focus()").await;
        let stays = "window.row.isConnected && window.row.contains(document.activeElement)";
        for (statement, rows) in [
            (
                "UPDATE providers SET created_at = '2000-01-01T00:00:00.000Z' WHERE name = 'Mission Smiles'",
                "Mission Smiles,Bright Dental",
            ),
            (
                "UPDATE providers SET created_at = '1999-01-01T00:00:00.000Z' WHERE name = 'Bright Dental'",
                "Bright Dental,Mission Smiles",
            ),
            ("DELETE FROM providers WHERE name = 'Bright Dental'", "Mission Smiles"),
        ] {
            nightshift.given(statement).await;
            browser.eval(REFETCH).await;
            browser.becomes(names, rows).await;
            assert_eq!(browser.eval(stays).await, true, "after {statement}");
        }
    })
    .await;
}

async fn a_live_part_that_is_refused_for_now_is_fetched_again(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.becomes("document.documentElement.dataset.stream", "open").await;
        browser
            .eval(
                "(() => { const real = window.fetch; window.refusals = [429, 408];
                    window.fetch = async (...asked) => window.refusals.length
                        ? new Response('', { status: window.refusals.shift() }) : real(...asked); })()",
            )
            .await;
        nightshift.recommend_all_providers_as("Changed meanwhile").await;
        browser.eval(REFETCH).await;
        browser.sees(&["Changed meanwhile"]).await;
        browser.becomes("window.refusals.length", 0).await;
    })
    .await;
}

async fn a_page_that_a_form_led_to_fetches_its_part_from_the_page_of_the_request(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, live, async |nightshift| {
        browser.open(&link(&nightshift).await).await;
        browser.becomes("document.documentElement.dataset.stream", "open").await;
        browser.click(FIRST_CARD).await;
        // Sent as without scripts.
        let send = "(() => { const form = document.querySelector('#book form'); form.elements.customerPhone.value = '12'; form.submit(); })()";
        browser.eval(send).await;
        browser.becomes("location.pathname.endsWith('/book')", true).await;
        browser.becomes("document.documentElement.dataset.stream", "open").await;
        nightshift.recommend_all_providers_as("Changed meanwhile").await;
        browser.eval(REFETCH).await;
        browser.becomes("document.querySelectorAll('.cards li .section > p:last-child:not(.meta)').length", 2).await;
        assert_eq!(browser.eval("document.querySelector('#book [name=customerPhone]').value").await, "12");
    })
    .await;
}
