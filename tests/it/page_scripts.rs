//! The modules of the pages' script in a real browser: what a live update keeps, toasts, broken connections, times.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::{Network, Weather, each_engine};
use nightshift_domain::access::api_keys::Scope;
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift, business};

each_engine! {
    a_page_loads_each_module_once_and_logs_no_error,
    a_live_update_keeps_focus_and_typed_text_and_a_dialog_gives_the_focus_back_to_a_button_that_was_replaced,
    three_toasts_are_shown_at_most_and_one_replaces_the_one_with_its_id,
    a_broken_stream_is_told_and_the_part_is_fetched_when_it_is_back,
    a_part_that_is_refused_or_leads_elsewhere_loads_the_page_anew,
    the_dialog_closes_before_the_answer_to_its_form_comes,
    the_script_tells_ages_in_the_servers_words_and_goes_on_while_the_page_is_seen,
}

const FIRST_CARD: &str = ".cards li:first-child .btn";
const CONFIRM: &str = "#book button[type=submit]";
const ESCAPE: &str = "\u{E00C}";
const STREAM: &str = "document.documentElement.dataset.stream || ''";
const PAUSED: &str = "!document.getElementById('paused').hidden";

fn with_auth(settings: &mut nightshift::config::Settings) {
    settings.auth.enabled = true;
}

/// The link of a request with two recommendations.
async fn link(nightshift: &Nightshift) -> String {
    let key = nightshift.key(&[Scope::RequestsWrite]).await;
    let body = json!({
        "title": "Teeth cleaning", "userPhone": "+14155550199",
        "providers": [
            {"name": "Bright Dental", "phone": "+14155550177", "recommendation": "Close by"},
            {"name": "Mission Smiles", "phone": "+14155550178"},
        ],
    });
    let made = nightshift.send(reqwest::Method::POST, "/api/v1/service-requests", &key, Some(body)).await.expect(201);
    made.json()["data"]["requestUrl"].as_str().unwrap().to_owned()
}

/// Opens the page of a request and waits for its stream.
async fn open_request(browser: &Browser, url: &str) {
    browser.open(url).await;
    browser.becomes(STREAM, "open").await;
}

/// Runs a script with what a module of the page exports.
async fn with_module(browser: &Browser, module: &str, script: &str) -> serde_json::Value {
    let find = format!("document.querySelector('link[href*=\"/{module}-\"]').href");
    browser.eval(&format!("import({find}).then((module) => {{ {script} }})")).await
}

/// What a form that was sent leads to: all parts are fetched again.
async fn refetch(browser: &Browser) {
    browser.eval("document.dispatchEvent(new Event('sent'))").await;
}

async fn a_page_loads_each_module_once_and_logs_no_error(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        open_request(&browser, &link(&nightshift).await).await;
        let loaded = "performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname)
            .filter((path) => path.endsWith('.js')).sort()";
        let named = "[...document.querySelectorAll('link[rel=modulepreload], script[src]')]
            .map((element) => new URL(element.href ?? element.src).pathname).sort()";
        let (loaded, named) = (browser.eval(loaded).await, browser.eval(named).await);
        assert!(named.as_array().unwrap().len() > 5, "{named}");
        assert_eq!(loaded, named);
        assert_eq!(browser.errors().await, Vec::<String>::new());
    })
    .await;
}

async fn a_live_update_keeps_focus_and_typed_text_and_a_dialog_gives_the_focus_back_to_a_button_that_was_replaced(
    engine: Engine,
) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        open_request(&browser, &link(&nightshift).await).await;
        // An update from the server leaves a focused link where it is.
        browser.eval(&format!("document.querySelector('{FIRST_CARD}').focus()")).await;
        browser.eval("window.focused = document.activeElement").await;
        nightshift.given("UPDATE providers SET recommendation = 'Cheap' WHERE name = 'Mission Smiles'").await;
        refetch(&browser).await;
        browser.sees(&["Cheap"]).await;
        let kept = "window.focused.isConnected && document.activeElement === window.focused";
        assert_eq!(browser.eval(kept).await, true, "the focus is lost");

        // The dialog of the first card stands open while the cards change places.
        browser.click(FIRST_CARD).await;
        browser.becomes("document.querySelector('#book').matches(':modal')", true).await;
        browser.eval("window.opener = document.querySelector('.cards .btn')").await;
        let opener = browser.eval("window.opener.id").await;
        nightshift.given("UPDATE providers SET created_at = '2001-01-01T00:00:00.000Z' WHERE name = 'Mission Smiles'").await;
        refetch(&browser).await;
        browser.becomes("document.querySelector('.cards h3').textContent", "Mission Smiles").await;
        assert_eq!(browser.eval("window.opener.isConnected").await, true, "the card was not moved but made anew");
        // As when the provider had been gone for a while.
        browser.eval("window.opener.replaceWith(window.opener.cloneNode(true))").await;
        browser.press(ESCAPE).await;
        browser.becomes("document.activeElement.id", opener).await;

        // Fields within a live part keep what is typed into them.
        let swap = |list: &str, note: &str| {
            format!(
                "module.swap(document.querySelector('[data-live]'), `{list}<form><input id=\"typed\" value=\"{note}\">
                 <textarea id=\"long\">{note}</textarea><details><summary>More</summary>{note}</details></form>`)"
            )
        };
        with_module(&browser, "swap", &swap("<p>one</p>", "first")).await;
        for field in ["typed", "long"] {
            browser.eval(&format!("document.getElementById('{field}').focus()")).await;
            browser.eval("document.activeElement.select()").await;
            browser.press("words").await;
        }
        browser.eval("document.activeElement.setSelectionRange(1, 3)").await;
        browser.eval("document.querySelector('details').open = true").await;
        with_module(&browser, "swap", &swap("<h2>new</h2><p>two</p><p>three</p>", "second")).await;
        let state = "[typed.value, long.value, document.activeElement.id, long.selectionStart, long.selectionEnd,
            document.querySelector('details').open, document.querySelector('details').lastChild.data]";
        let script = format!("(() => {{ const typed = document.getElementById('typed'), long = document.getElementById('long'); return {state}; }})()");
        assert_eq!(browser.eval(&script).await, json!(["words", "words", "long", 1, 3, true, "second"]));
    })
    .await;
}

async fn three_toasts_are_shown_at_most_and_one_replaces_the_one_with_its_id(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        open_request(&browser, &link(&nightshift).await).await;
        let script = "
            const template = document.querySelector('template[data-toast]');
            const shown = () => [...document.getElementById('toasts').children].map((toast) => toast.id + ' ' + toast.dataset.is);
            const told = (name, id, is) => {
                const made = template.cloneNode(true);
                made.dataset.toast = name;
                Object.assign(made.content.firstElementChild, { id });
                Object.assign(made.content.firstElementChild.dataset, { is, seconds: 0 });
                document.body.append(made);
                module.toast(name);
                return shown();
            };
            return [told('a', 'one', 'loading'), told('b', 'two', 'loading'), told('c', 'three', 'loading'),
                    told('d', 'four', 'loading'), told('e', 'three', 'success')];";
        let shown = with_module(&browser, "toasts", script).await;
        let expected = json!([
            ["one loading"],
            ["one loading", "two loading"],
            ["one loading", "two loading", "three loading"],
            ["two loading", "three loading", "four loading"],
            ["two loading", "three success", "four loading"],
        ]);
        assert_eq!(shown, expected);
    })
    .await;
}

async fn a_broken_stream_is_told_and_the_part_is_fetched_when_it_is_back(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        let here = nightshift.app.url();
        let network = Network::to(here.trim_start_matches("http://").parse().unwrap()).await;
        let link = link(&nightshift).await.replace(here.as_str(), &format!("http://{}", network.address()));
        open_request(&browser, &link).await;
        browser.eval("document.getElementById('paused').dataset.afterSeconds = '0.1'").await;
        browser.eval("window.sameDocument = true").await;
        network.set(Weather::Cut);
        browser.becomes(PAUSED, true).await;
        browser.becomes(STREAM, "").await;
        // No event tells of it, now or later.
        nightshift.recommend_all_providers_as("Changed meanwhile").await;
        network.set(Weather::Fair);
        browser.becomes(PAUSED, false).await;
        browser.becomes(STREAM, "open").await;
        browser.sees(&["Changed meanwhile"]).await;
        assert_eq!(browser.eval("window.sameDocument").await, true, "the page was loaded anew");
    })
    .await;
}

async fn a_part_that_is_refused_or_leads_elsewhere_loads_the_page_anew(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        // Without its cookie the request is not there any more.
        open_request(&browser, &link(&nightshift).await).await;
        browser.forget_cookies().await;
        refetch(&browser).await;
        browser.sees(&["Not found"]).await;
        assert_eq!(browser.eval("document.querySelectorAll('[data-live], main').length").await, 1);

        // Without a session the list leads to the sign-in.
        let Caller::Cookie(cookie) = nightshift.sign_in(business::OWNER).await else { panic!("no cookie") };
        let (name, value) = cookie.split_once('=').unwrap();
        browser.set_cookie(name, value).await;
        open_request(&browser, &format!("{}/exceptions", nightshift.app.url())).await;
        nightshift.given("DELETE FROM sessions").await;
        refetch(&browser).await;
        browser.becomes("location.pathname", "/login").await;
        browser.sees(&["Password"]).await;
    })
    .await;
}

async fn the_dialog_closes_before_the_answer_to_its_form_comes(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        // The toast of an appointment would take the place of the one that is waited for.
        nightshift.pause("calls").await;
        open_request(&browser, &link(&nightshift).await).await;
        browser.click(FIRST_CARD).await;
        browser.becomes("document.querySelector('#book').matches(':modal')", true).await;
        // The request is locked: its booking cannot be stored, and is not answered, before this ends.
        let mut tx = nightshift.db.begin().await.unwrap();
        tx.query("UPDATE service_requests SET location = 'Elsewhere'").execute().await.unwrap();
        browser.click(CONFIRM).await;
        browser.becomes("document.querySelectorAll('dialog[open]').length", 0).await;
        browser.sees(&["Booking in progress...", "Scheduling your appointment... Calling Bright Dental"]).await;
        assert_eq!(nightshift.calls().count().await, 0);
        tx.commit().await.unwrap();
        browser.sees(&["Booking call started!"]).await;
    })
    .await;
}

/// Ages around every change of words, in seconds.
const AGES: [u64; 12] = [0, 1, 59, 60, 119, 3599, 3600, 7199, 86_399, 86_400, 172_799, 31_536_000];

async fn the_script_tells_ages_in_the_servers_words_and_goes_on_while_the_page_is_seen(engine: Engine) {
    let Some(browser) = Browser::start(1000, 900).await else { return };
    on_with(engine, with_auth, async |nightshift| {
        let now = nightshift.clock.now();
        for age in AGES {
            let name = format!("age-{age}");
            nightshift.raise_exception_at(now - Duration::from_secs(age), &name, "job_dead", "high", &name).await;
        }
        browser.open(&format!("{}/login", nightshift.app.url())).await;
        let Caller::Cookie(cookie) = nightshift.sign_in(business::OWNER).await else { panic!("no cookie") };
        let (name, value) = cookie.split_once('=').unwrap();
        browser.set_cookie(name, value).await;
        open_request(&browser, &format!("{}/exceptions", nightshift.app.url())).await;

        // As the server wrote them, before any tick: each page says its age in words, and so does the script.
        let script = "
            const pages = [location.href, ...[...document.querySelectorAll('a.name')].map((link) => link.href)];
            const read = async (page) => new DOMParser().parseFromString(await (await fetch(page)).text(), 'text/html');
            return Promise.all(pages.map(read)).then((read) => read
                .flatMap((page) => [...page.querySelectorAll('time[data-age]')])
                .map((time) => [time.textContent, module.words(time.dataset.words, Number(time.dataset.age))]));";
        let told = with_module(&browser, "times", script).await;
        let told: Vec<(String, String)> = serde_json::from_value(told).unwrap();
        assert_eq!(told.len(), 2 * AGES.len(), "{told:?}");
        assert!(told.iter().all(|(server, script)| server == script), "{told:?}");
        for words in ["just now", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "0 min", "59 min", "1 h", "365 d"] {
            assert!(told.iter().any(|(_, script)| script == words), "{words} is missing in {told:?}");
        }

        // Time passes: by the timer while the page is seen, at once when it is seen again.
        let pass = |seconds: u64| format!("(window.passed = (window.passed ?? 0) + {} * 1000)", seconds);
        browser.eval("(() => { const real = performance.now.bind(performance); performance.now = () => real() + (window.passed ?? 0); })()").await;
        let seen = |hidden: bool| {
            format!(
                "(() => {{ Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
                    document.dispatchEvent(new Event('visibilitychange')); }})()"
            )
        };
        browser.eval("(() => { window.timers = new Map();
            window.setInterval = (act, wait, ...rest) => { const id = 1e6 + window.timers.size; window.timers.set(id, [() => act(...rest), wait]); return id; };
            window.clearInterval = (id) => window.timers.delete(id); })()").await;
        let youngest = "document.querySelector('time[datetime=\"YOUNGEST\"]').textContent".replace("YOUNGEST", &now.to_string());
        browser.eval(&seen(true)).await;
        browser.eval(&pass(60)).await;
        assert_eq!(browser.eval(&youngest).await, "0 min");
        assert_eq!(browser.eval("window.timers.size").await, 0);
        browser.eval(&seen(false)).await;
        assert_eq!(browser.eval(&youngest).await, "1 min");
        assert_eq!(browser.eval("[...window.timers.values()].map(([, wait]) => wait)").await, json!([60_000]));
        browser.eval(&pass(3600)).await;
        browser.eval("window.timers.values().next().value[0]()").await;
        assert_eq!(browser.eval(&youngest).await, "1 h");
        browser.eval(&seen(true)).await;
        assert_eq!(browser.eval("window.timers.size").await, 0, "a hidden page goes on ticking");

        // What a live update brings has the age that it came with, and goes on from there.
        browser.eval(&seen(false)).await;
        nightshift.clock.advance(Duration::from_secs(120));
        refetch(&browser).await;
        browser.becomes(&youngest, "2 min").await;
        browser.eval(&pass(60)).await;
        browser.eval("window.timers.values().next().value[0]()").await;
        assert_eq!(browser.eval(&youngest).await, "3 min");
    })
    .await;
}
