//! Nobody is texted who said stop: by a keyword, by the carrier, by the owner's decision about a text in free words.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nightshift_db::testing::each_engine;
use nightshift_db::{Db, Engine};
use nightshift_lab::simulator::{Fault, FaultRule};
use nightshift_providers::http_client;
use nightshift_providers::mac::hmac_sha1;
use serde_json::{Value, json};

use crate::support::business::{booking, load};
use crate::support::process::{self, World};
use crate::support::{Nightshift, on};

each_engine! {
    a_stop_blocks_every_text_to_a_client_until_a_start,
    a_stop_of_a_sitter_holds_for_the_owners_texts,
    what_the_carrier_has_blocked_is_lifted_by_a_yes,
    a_yes_that_twilio_reports_as_a_start_lifts_no_stop,
    a_yes_that_twilio_reports_as_a_start_answers_an_offer_in_its_turn,
    what_twilio_does_not_act_on_is_answered_by_us_or_is_an_ordinary_text,
    a_wish_in_free_words_is_put_before_the_owner_and_opts_nobody_out,
    no_text_is_asked_for_after_a_stop(flavor = "multi_thread"),
}

const CLIENT: &str = "+15551234567";
const SAM: &str = "+15550100001";
const OURS: &str = "+15550199001";

/// Delivers a text as Twilio does. Returns the status of the answer.
async fn deliver(url: &str, public_url: &str, sid: &str, from: &str, to: &str, body: &str) -> u16 {
    deliver_as(url, public_url, sid, from, to, body, None).await
}

/// As [`deliver`], with the keyword that Twilio reports.
async fn deliver_as(
    url: &str,
    public_url: &str,
    sid: &str,
    from: &str,
    to: &str,
    body: &str,
    keyword: Option<&str>,
) -> u16 {
    let mut form = vec![("AccountSid", "AC1"), ("Body", body), ("From", from), ("MessageSid", sid)];
    form.extend(keyword.map(|keyword| ("OptOutType", keyword)));
    form.push(("To", to));
    // The address and the parameters, sorted by name.
    let signed =
        form.iter().fold(format!("{public_url}/api/twilio/inbound"), |text, (name, value)| text + name + value);
    let signature = STANDARD.encode(hmac_sha1(&"simulated-auth-token".into(), &[signed.as_bytes()]));
    let request = http_client().unwrap().post(format!("{url}/api/twilio/inbound"));
    request.header("x-twilio-signature", signature).form(&form).send().await.unwrap().status().as_u16()
}

/// Delivers a text to the pool's number, and waits until it is routed.
async fn text(nightshift: &Nightshift, from: &str, body: &str) {
    text_as(nightshift, from, body, None).await;
}

/// As [`text`], with the keyword that Twilio reports.
async fn text_as(nightshift: &Nightshift, from: &str, body: &str, keyword: Option<&str>) {
    let before = nightshift.webhooks("twilio").handled().count().await;
    let sid = format!("SM{:032}", before + 1);
    let url = nightshift.app.url();
    assert_eq!(deliver_as(&url, &url, &sid, from, OURS, body, keyword).await, 200);
    nightshift.webhooks("twilio").handled().until(before + 1).await;
}

/// A conversation with the client, in which the confirmation has been delivered; the path of its thread.
async fn conversation(nightshift: &Nightshift) -> String {
    let id = nightshift.book().await;
    nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
    nightshift.texts().delivered().until(1).await;
    format!("/api/messages/threads/{}", nightshift.threads().one().await.id)
}

/// Posts a text of the owner. Returns the status of the answer and its code.
async fn post(nightshift: &Nightshift, thread: &str, body: &str) -> (u16, Option<String>) {
    let answer = nightshift.post(&format!("{thread}/messages"), json!({"body": body, "forceSend": true})).await;
    (answer.status, answer.json()["code"].as_str().map(str::to_owned))
}

fn refused() -> (u16, Option<String>) {
    (409, Some("opted_out".to_owned()))
}

fn received(nightshift: &Nightshift, by: &str) -> usize {
    nightshift.simulator.twilio().read(|ledger| ledger.to(by).count())
}

async fn a_stop_blocks_every_text_to_a_client_until_a_start(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = conversation(&nightshift).await;
        for word in ["Stop", "OPTOUT", " cancel "] {
            let sent = received(&nightshift, CLIENT);
            text(&nightshift, CLIENT, word).await;
            assert_eq!(post(&nightshift, &thread, "hello").await, refused(), "{word}");
            // An automatic text is skipped, though it would leave from another number.
            load(
                &nightshift.db,
                json!({"numbers": [{"id": format!("more-{}", word.trim()), "orgId": "org-paws",
                 "e164": format!("+155501990{:02}", 10 + word.len()), "numberClass": "pool", "provider": "twilio"}]}),
            )
            .await;
            let another = nightshift.book_as(booking()).await;
            nightshift.post(&format!("/api/bookings/{another}/confirm"), json!({})).await.expect(200);
            let skipped = "SELECT COUNT(*) FROM automation_runs WHERE status = 'skipped' AND error = 'opted_out'
                           AND type = 'bookingConfirmation'";
            nightshift.until(skipped, nightshift.count("SELECT COUNT(*) FROM bookings").await - 1).await;
            assert_eq!(received(&nightshift, CLIENT), sent, "{word}: not even a confirmation, which Twilio sends");
            text(&nightshift, CLIENT, "start").await;
            assert_eq!(post(&nightshift, &thread, "hello again").await.0, 200, "{word}");
            nightshift.texts().queued().until(0).await;
            nightshift.post(&format!("/api/bookings/{another}/cancel"), json!({})).await.expect(200);
            nightshift.quiet().await;
        }
        assert_eq!(nightshift.events("recipient.opted_out").count().await, 3);
        assert_eq!(nightshift.events("recipient.opted_in").count().await, 3);
    })
    .await;
}

async fn a_stop_of_a_sitter_holds_for_the_owners_texts(engine: Engine) {
    on(engine, async |nightshift| {
        text(&nightshift, SAM, "I am ill today").await;
        let thread = format!("/api/messages/threads/{}", nightshift.threads().one().await.id);
        assert_eq!(post(&nightshift, &thread, "get well").await.0, 200);
        nightshift.texts().queued().until(0).await;
        text(&nightshift, SAM, "STOP").await;
        assert_eq!(post(&nightshift, &thread, "who covers for you?").await, refused());
        // The same person's number at another business is another matter.
        let theirs = nightshift.count("SELECT COUNT(*) FROM opt_outs WHERE org_id = 'org-other'").await;
        assert_eq!(theirs, 0);
        text(&nightshift, SAM, "unstop").await;
        assert_eq!(post(&nightshift, &thread, "who covers for you?").await.0, 200);
    })
    .await;
}

/// Posts a text which Twilio refuses because its recipient has opted out there.
async fn the_carrier_blocks(nightshift: &Nightshift, thread: &str) {
    nightshift.simulator.twilio().inject(FaultRule::new(Fault::RefuseOptedOut));
    assert_eq!(post(nightshift, thread, "hello").await.0, 200);
    nightshift.texts().failed().until(1).await;
    assert_eq!(post(nightshift, thread, "hello").await, refused());
}

async fn what_the_carrier_has_blocked_is_lifted_by_a_yes(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = conversation(&nightshift).await;
        the_carrier_blocks(&nightshift, &thread).await;
        text(&nightshift, CLIENT, "YES").await;
        assert_eq!(post(&nightshift, &thread, "hello").await.0, 200);
        text(&nightshift, CLIENT, "STOP").await;
        text(&nightshift, CLIENT, "YES").await;
        assert_eq!(post(&nightshift, &thread, "hello").await, refused(), "a YES does not lift a STOP");
    })
    .await;
}

async fn a_yes_that_twilio_reports_as_a_start_lifts_no_stop(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = conversation(&nightshift).await;
        the_carrier_blocks(&nightshift, &thread).await;
        text_as(&nightshift, CLIENT, "Yes", Some("START")).await;
        assert_eq!(post(&nightshift, &thread, "hello").await.0, 200, "Twilio has lifted its own block");
        text_as(&nightshift, CLIENT, "STOP", Some("STOP")).await;
        text_as(&nightshift, CLIENT, "YES", Some("START")).await;
        assert_eq!(post(&nightshift, &thread, "hello").await, refused());
        text_as(&nightshift, CLIENT, "START", Some("START")).await;
        assert_eq!(post(&nightshift, &thread, "hello").await.0, 200);
        // The answer to it is waited for as to any other text.
        let awaited = "SELECT COUNT(*) FROM message_response_links l
                       JOIN message_events m ON m.id = l.requires_response_event_id WHERE m.body = 'Yes'";
        assert_eq!(nightshift.count(awaited).await, 1);
    })
    .await;
}

async fn a_yes_that_twilio_reports_as_a_start_answers_an_offer_in_its_turn(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        let offered = json!({"sitterIds": ["sitter-sam"]});
        nightshift.post(&format!("/api/bookings/{booking}/offers"), offered).await.expect(201);
        text(&nightshift, SAM, "I am thinking about it").await;
        text_as(&nightshift, SAM, "YES", Some("START")).await;
        let shown = nightshift.get(&format!("/api/bookings/{booking}")).await.expect(200).json();
        assert_eq!(shown["booking"]["sitterId"], "sitter-sam");
        let grouped = "SELECT COUNT(*) FROM jobs WHERE kind = 'webhook.twilio.inbound' AND group_key IS NOT NULL";
        assert_eq!(nightshift.count(grouped).await, 2, "they are taken in one after the other");
        text_as(&nightshift, SAM, "START", Some("START")).await;
        assert_eq!(nightshift.count(grouped).await, 2, "nothing holds back a START");
    })
    .await;
}

async fn what_twilio_does_not_act_on_is_answered_by_us_or_is_an_ordinary_text(engine: Engine) {
    const CONFIRMED: &str = "You are unsubscribed. Reply START to get messages again.";
    on(engine, async |nightshift| {
        let thread = conversation(&nightshift).await;
        text(&nightshift, CLIENT, "STOP.").await;
        nightshift.texts().delivered().until(2).await;
        let confirmed = nightshift
            .simulator
            .twilio()
            .read(|ledger| ledger.to(CLIENT).filter(|text| text.body == CONFIRMED).count());
        assert_eq!(confirmed, 1);
        assert_eq!(post(&nightshift, &thread, "hello").await, refused());
        let sent = received(&nightshift, CLIENT);
        // Twilio's own block would stay.
        text(&nightshift, CLIENT, "Start!").await;
        assert_eq!(post(&nightshift, &thread, "hello").await, refused());
        text(&nightshift, CLIENT, "start").await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, CLIENT), sent, "Twilio answers");
        assert_eq!(post(&nightshift, &thread, "hello").await.0, 200);
    })
    .await;
}

/// The texts of the client that the page would mark.
async fn suggested(nightshift: &Nightshift, thread: &str) -> Vec<String> {
    let answer = nightshift.get(&format!("{thread}/messages")).await.expect(200).json();
    let messages = answer["messages"].as_array().unwrap();
    let marked = messages.iter().filter(|message| message["optOutSuggested"] == json!(true));
    marked.map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

async fn a_wish_in_free_words_is_put_before_the_owner_and_opts_nobody_out(engine: Engine) {
    on(engine, async |nightshift| {
        let thread = conversation(&nightshift).await;
        let path = format!("{thread}/opt-out");
        for ordinary in ["stop by at 5", "can you end earlier?", "cancel Tuesday’s walk please"] {
            text(&nightshift, CLIENT, ordinary).await;
        }
        assert!(suggested(&nightshift, &thread).await.is_empty());
        let nothing = nightshift.post(&path, json!({"accept": false})).await.expect(200).json();
        assert_eq!(nothing, json!({"optedOut": false, "messageIds": []}));

        text(&nightshift, CLIENT, "Please stop texting me").await;
        assert_eq!(suggested(&nightshift, &thread).await, ["Please stop texting me"]);
        assert_eq!(post(&nightshift, &thread, "Do you mean it?").await.0, 200);
        let dismissed = nightshift.post(&path, json!({"accept": false})).await.expect(200).json();
        assert_eq!((&dismissed["optedOut"], dismissed["messageIds"].as_array().unwrap().len()), (&json!(false), 1));
        assert!(suggested(&nightshift, &thread).await.is_empty());

        text(&nightshift, CLIENT, "take me off your list").await;
        for _ in 0..2 {
            let accepted = nightshift.post(&path, json!({"accept": true})).await.expect(200).json();
            assert_eq!(accepted["optedOut"], json!(true));
        }
        assert!(suggested(&nightshift, &thread).await.is_empty());
        assert_eq!(post(&nightshift, &thread, "sorry").await, refused());
        assert_eq!(nightshift.post(&path, json!({"accept": false})).await.expect(409).json()["code"], "opted_out");
        assert_eq!(nightshift.events("opt_out_wish.decided").count().await, 2);
        text(&nightshift, CLIENT, "START").await;
        assert_eq!(post(&nightshift, &thread, "welcome back").await.0, 200);
    })
    .await;
}

/// How often a STOP comes while texts are sent.
fn rounds() -> usize {
    std::env::var("NIGHTSHIFT_TEST_STOP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10)
}

/// Has the database note each text to a person who wants none at the moment at which the intent to send it is committed.
/// The server lets some time pass before each commit, in which a STOP may come.
async fn watch(db: &Db) {
    let noted = "INSERT INTO late_texts
                 SELECT m.id FROM message_events m JOIN message_threads t ON t.id = m.thread_id
                 JOIN clients c ON c.id = t.client_id
                 JOIN opt_outs o ON o.org_id = m.org_id AND o.phone_digits = replace(c.phone_number, '+', '')
                 WHERE m.id = substr(NEW.business_key, 1, 36);";
    let statements = match db.engine() {
        Engine::Postgres => vec![
            "CREATE TABLE late_texts (id TEXT)".to_owned(),
            format!(
                "CREATE FUNCTION note_late_text() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep(0.02); {noted} RETURN NULL; END $$"
            ),
            "CREATE CONSTRAINT TRIGGER late_text AFTER INSERT OR UPDATE ON effects DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (NEW.state = 'asked') EXECUTE FUNCTION note_late_text()"
                .to_owned(),
        ],
        Engine::Sqlite => std::iter::once("CREATE TABLE late_texts (id TEXT)".to_owned())
            .chain(["INSERT", "UPDATE"].map(|change| {
                format!(
                    "CREATE TRIGGER late_text_{change} AFTER {change} ON effects WHEN NEW.state = 'asked' BEGIN {noted} END"
                )
            }))
            .collect(),
    };
    for statement in statements {
        db.write(Box::leak(statement.into_boxed_str())).execute().await.unwrap();
    }
}

/// A client with conversations from several numbers. Returns the threads.
async fn client_with_threads(db: &Db, round: usize) -> Vec<String> {
    let client = format!("client-{round}");
    let phone = format!("+1555{:07}", 3_000_000 + round);
    load(db, json!({"clients": [{"id": client, "orgId": "org-paws", "firstName": "Test", "lastName": "Client", "phone": phone}]}))
        .await;
    let mut threads = Vec::new();
    for offset in 0..TEXTS {
        let number = (round * TEXTS + offset) % NUMBERS;
        let thread = format!("thread-{round}-{offset}");
        db.write(
            "INSERT INTO message_threads (id, org_id, scope, client_id, message_number_id, masked_number_e164, number_class)
             SELECT $1, 'org-paws', 'client_general', $2, id, e164, number_class FROM message_numbers WHERE id = $3",
        )
        .bind(&thread)
        .bind(&client)
        .bind(format!("number-{number}"))
        .execute()
        .await
        .unwrap();
        threads.push(thread);
    }
    threads
}

/// The texts of one round, each from a number of its own: a number sends one text a second.
const TEXTS: usize = 4;
const NUMBERS: usize = 40;

/// Two processes send a person's texts when the person's STOP arrives: no request for a text begins after the STOP is
/// committed.
async fn no_text_is_asked_for_after_a_stop(engine: Engine) {
    process::on(engine, async |mut world: World| {
        watch(world.db()).await;
        let numbers: Vec<Value> = (0..NUMBERS)
            .map(|n| {
                json!({"id": format!("number-{n}"), "orgId": "org-paws", "e164": format!("+1555018{n:04}"),
                       "numberClass": "pool", "provider": "twilio"})
            })
            .collect();
        load(world.db(), json!({"numbers": numbers})).await;
        let public_url = world.url();
        world.set("PUBLIC_URL", public_url.clone());
        let processes = [world.serve(), world.serve_with(&["--role", "all"], &[("PORT", "0")])];
        let http = http_client().unwrap();
        for round in 0..rounds() {
            let threads = client_with_threads(world.db(), round).await;
            let texts = threads.iter().enumerate().map(|(n, thread)| {
                let url = format!("{}/api/messages/threads/{thread}/messages", processes[n % 2].url);
                let request = http.post(url).json(&json!({"body": "hello", "forceSend": true}));
                async move { request.send().await.unwrap().status().as_u16() }
            });
            let stop = async {
                // Before the texts, while they are queued, while they are sent, after them.
                tokio::time::sleep(Duration::from_millis((round as u64 * 7) % 60)).await;
                let from = format!("+1555{:07}", 3_000_000 + round);
                let to = format!("+1555018{:04}", (round * TEXTS) % NUMBERS);
                let sid = format!("SM{round:032}");
                deliver(&processes[round % 2].url, &public_url, &sid, &from, &to, "STOP").await
            };
            let (posted, stopped) = tokio::join!(futures_util::future::join_all(texts), stop);
            assert_eq!(stopped, 200);
            assert!(posted.iter().all(|status| matches!(status, 200 | 409)), "{posted:?}");
        }
        world.webhooks("twilio").handled().until(i64::try_from(rounds()).unwrap()).await;
        world.until_quiet().await;
        assert_eq!(world.count("SELECT COUNT(*) FROM opt_outs").await, i64::try_from(rounds()).unwrap());
        assert_eq!(world.count("SELECT COUNT(*) FROM late_texts").await, 0);
        assert_eq!(world.texts().unsettled().count().await, 0);
    })
    .await;
}
