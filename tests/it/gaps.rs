//! Texts whose webhook never came: found in the carrier's list and taken in, once.

use std::process::Output;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use nightshift_db::testing::each_engine;
use nightshift_db::{Clock, Engine, Timestamp};
use nightshift_lab::simulator::{InboundSpec, OpenPhoneShape, OpenPhoneWebhook};
use nightshift_providers::twilio::read_inbound;
use nightshift_providers::twilio::signature::sign_form;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::process::{World, on};

each_engine! {
    missing_texts_are_listed_and_taken_in_once(flavor = "multi_thread"),
    after_an_outage_every_text_comes_in_with_the_carriers_time(flavor = "multi_thread"),
    a_text_that_cannot_be_taken_in_keeps_no_other_back(flavor = "multi_thread"),
    without_a_provider_nobody_is_asked,
}

const OURS: &str = "+15550199001";
const ACCOUNT: &str = "AC5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Twilio's list, in two pages, and the media of its texts.
struct List {
    messages: Vec<Value>,
}

async fn messages(State(list): State<Arc<List>>, RawQuery(query): RawQuery) -> Json<Value> {
    let query = query.unwrap_or_default();
    let find = |name: &str| {
        let given = form_urlencoded::parse(query.as_bytes()).filter(|(given, _)| given == name);
        given.last().map(|(_, value)| value.into_owned())
    };
    let (to, page) = (find("To").unwrap(), find("Page").map_or(0, |page| page.parse().unwrap()));
    assert!(find("DateSent>").is_some(), "{query}");
    let found: Vec<_> = list.messages.iter().filter(|message| message["to"] == to.as_str()).collect();
    let next = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}&Page={}", page + 1);
    Json(json!({
        "messages": found.iter().skip(page * 3).take(3).collect::<Vec<_>>(),
        "next_page_uri": (found.len() > (page + 1) * 3).then_some(next),
    }))
}

async fn media(Path((account, sid)): Path<(String, String)>) -> Result<Json<Value>, StatusCode> {
    match sid.as_str() {
        "MM-gone" => return Err(StatusCode::NOT_FOUND),
        "MM-broken" => return Err(StatusCode::INTERNAL_SERVER_ERROR),
        _ => {}
    }
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Media/ME1.json");
    Ok(Json(json!({"media_list": [{"sid": "ME1", "content_type": "image/jpeg", "uri": uri}]})))
}

/// A text in the list, `minutes` old.
fn listed(sid: &str, minutes: i64, body: &str) -> Value {
    let at = Clock::system().now().to_datetime() - chrono::TimeDelta::minutes(minutes);
    json!({"sid": sid, "direction": "inbound", "from": "+12125550123", "to": OURS, "body": body, "num_media": "0",
           "status": "received", "date_sent": at.to_rfc2822(), "date_created": at.to_rfc2822()})
}

async fn start(list: List) -> String {
    let router = Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", get(messages))
        .route("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json", get(media))
        .with_state(Arc::new(list));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

async fn run(world: &World, arguments: &[&str]) -> Output {
    let mut command = world.command(arguments);
    command.stderr(std::process::Stdio::piped());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn json_of(world: &World, arguments: &[&str]) -> Value {
    let output = run(world, arguments).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ids(found: &Value) -> Vec<&str> {
    found["missing"].as_array().unwrap().iter().map(|text| text["id"].as_str().unwrap()).collect()
}

async fn missing_texts_are_listed_and_taken_in_once(engine: Engine) {
    on(engine, async |mut world| {
        let mut picture = listed("MM4", 20, "Look &+ é 🐕");
        picture["num_media"] = json!("1");
        let mut sent = listed("SM5", 25, "from one of our numbers to another");
        sent["direction"] = json!("outbound-api");
        let mut nameless = listed("SM6", 26, "odd");
        nameless["sid"] = json!({});
        let (newest, known) = (listed("SM1", 5, "third"), listed("SM2", 10, "known"));
        let (first, old) = (listed("SM3", 90, "first"), listed("SM7", 180, "old"));
        let list = List { messages: vec![newest, known, picture.clone(), sent, nameless, first, old] };
        world.set("TWILIO_BASE_URL", start(list).await);
        world.set("PUBLIC_URL", world.url());
        let _server = world.serve();
        let world_url = world.url();
        let http = reqwest::Client::new();
        let deliver = async |form: &str| {
            let url = format!("{}/api/twilio/inbound", world_url);
            let signature = sign_form(&"simulated-auth-token".into(), &url, form.as_bytes());
            let request = http.post(url).header("content-type", "application/x-www-form-urlencoded");
            request.header("x-twilio-signature", signature).body(form.to_owned()).send().await.unwrap().status()
        };
        assert_eq!(deliver(&format!("MessageSid=SM2&From=%2B12125550123&To=%2B{}&Body=known", &OURS[1..])).await, 200);

        let found = json_of(&world, &["webhooks", "gaps", "--since", "2h", "--json"]).await;
        assert_eq!((ids(&found), &found["taken"]), (vec!["SM3", "MM4", "SM1"], &json!(0)));
        let at = chrono::DateTime::parse_from_rfc2822(picture["date_sent"].as_str().unwrap()).unwrap().to_utc();
        let shown = json!({"provider": "twilio", "id": "MM4", "from": "+1••••••••23", "to": OURS,
                           "providerAt": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)});
        assert_eq!(found["missing"][1], shown);
        assert_eq!(world.all_webhooks().count().await, 1, "looking takes nothing in");
        let table = run(&world, &["recover-inbound"]).await;
        let (out, err) = (String::from_utf8_lossy(&table.stdout), String::from_utf8_lossy(&table.stderr));
        assert!(table.status.success() && out.contains("4 missing; --take takes them in"), "{out}");
        assert!(!out.contains("2125550123") && out.contains("+1••••••••23") && out.contains(OURS), "{out}");
        assert!(err.contains("1 listed texts can't be read"), "{err}");

        let take = ["webhooks", "gaps", "--since", "2h", "--take", "--json"];
        let (one, other) = tokio::join!(json_of(&world, &take), json_of(&world, &take));
        let taken = one["taken"].as_i64().unwrap() + other["taken"].as_i64().unwrap();
        assert_eq!(taken, 3, "{one} {other}");
        assert_eq!(world.webhooks("twilio").count().await, 4);
        assert_eq!(world.webhooks("twilio").verified().count().await, 4);
        let jobs = "SELECT count(*) FROM jobs WHERE kind = 'webhook.twilio.inbound'";
        assert_eq!(world.db().read(jobs).scalar::<i64>().await.unwrap(), 4);
        let sql = "SELECT payload FROM webhook_inbox WHERE event_key = 'MM4'";
        let text = read_inbound(world.db().read(sql).scalar::<String>().await.unwrap().as_bytes()).unwrap();
        assert_eq!((text.body.as_str(), text.from.as_str(), text.to.as_str()), ("Look &+ é 🐕", "+12125550123", OURS));
        assert_eq!(text.sent_at, Some(at));
        assert!(text.media[0].ends_with(&format!("/Accounts/{ACCOUNT}/Messages/MM4/Media/ME1")), "{:?}", text.media);

        // The webhook comes after all.
        assert_eq!(deliver(&format!("MessageSid=SM1&From=%2B12125550123&To=%2B{}&Body=third", &OURS[1..])).await, 200);
        assert_eq!(world.webhooks("twilio").count().await, 4);
        assert_eq!(world.db().read(jobs).scalar::<i64>().await.unwrap(), 4);
        world.webhooks("twilio").handled().until(4).await;
        let again = json_of(&world, &take).await;
        assert_eq!(again, json!({"missing": [], "taken": 0}));
        let nothing = run(&world, &["webhooks", "gaps", "--since", "2h"]).await;
        assert_eq!(String::from_utf8_lossy(&nothing.stdout), "no text is missing\n");
    })
    .await;
}

/// The number of texts during the outage, on each carrier.
fn texts() -> usize {
    std::env::var("NIGHTSHIFT_TEST_GAPS").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

async fn after_an_outage_every_text_comes_in_with_the_carriers_time(engine: Engine) {
    on(engine, async |mut world| {
        const BY_OPENPHONE: &str = "+15550199002";
        let number = json!({"id": "number-openphone", "orgId": "org-paws", "e164": BY_OPENPHONE,
                            "numberClass": "pool", "provider": "openphone"});
        business::load(world.db(), json!({"numbers": [number]})).await;
        world.set("PUBLIC_URL", world.url());
        let _server = world.serve();
        let openphone = world.simulator.openphone();
        let url = format!("{}/api/webhooks/sms", world.url());
        openphone.deliver_to(OpenPhoneWebhook { url, shape: OpenPhoneShape::default() });
        let (known, _) = openphone.receive("+12125550100", BY_OPENPHONE, "known", &[]).await.unwrap();

        let outage = Clock::system().now().to_datetime() - chrono::TimeDelta::minutes(30);
        let mut expected = Vec::new();
        for n in 0..texts() {
            let at = outage + chrono::TimeDelta::seconds(i64::try_from(n).unwrap());
            let text = InboundSpec::new(format!("+1212555{:04}", 200 + n % 50), OURS, format!("text {n}")).at(at);
            let text = if n % 4 == 0 { text.picture("image/jpeg", b"picture".to_vec()) } else { text };
            let at = chrono::SubsecRound::trunc_subsecs(at, 0);
            expected.push((world.simulator.twilio().receive_unreported(text), at, usize::from(n % 4 == 0)));
        }
        let mut events = Vec::new();
        for n in 0..texts() {
            let from = format!("+1212555{:04}", 300 + n % 50);
            events.push(openphone.receive_unreported(&from, BY_OPENPHONE, "hello", &["https://media.example/1.jpg"]));
        }

        let found = json_of(&world, &["webhooks", "gaps", "--json"]).await;
        let mut found = ids(&found).into_iter().map(str::to_owned).collect::<Vec<_>>();
        found.sort();
        let sids = expected.iter().map(|(sid, ..)| sid).chain(events.iter().map(|event| &event.message_id));
        let mut missing: Vec<_> = sids.cloned().collect();
        missing.sort();
        assert_eq!(found, missing);
        assert!(!missing.contains(&known.message_id));
        let taken = json_of(&world, &["recover-inbound", "--take", "--json"]).await;
        assert_eq!(taken["taken"], 2 * texts());
        assert_eq!(json_of(&world, &["webhooks", "gaps", "--json"]).await, json!({"missing": [], "taken": 0}));

        let count = 2 * texts() + 1;
        world.all_webhooks().processed().until(i64::try_from(count).unwrap()).await;
        let inbound = "SELECT count(*) FROM message_events WHERE direction = 'inbound'";
        assert_eq!(world.db().read(inbound).scalar::<i64>().await.unwrap(), i64::try_from(count).unwrap());
        for (sid, at, media) in &expected {
            let sql = "SELECT provider_at, CAST(media AS TEXT) FROM message_events WHERE provider_message_sid = $1";
            let (stored_at, stored): (Timestamp, String) = world.db().read(sql).bind(sid).one().await.unwrap();
            assert_eq!(stored_at.to_datetime(), *at, "{sid}");
            let stored: Vec<String> = serde_json::from_str(&stored).unwrap();
            assert_eq!(stored.len(), *media, "{stored:?}");
        }
        // The webhooks come after all: under ids of their own, about texts that are stored.
        for event in &events {
            openphone.deliver(event).await.unwrap();
        }
        world.all_webhooks().processed().until(i64::try_from(count + events.len()).unwrap()).await;
        assert_eq!(world.db().read(inbound).scalar::<i64>().await.unwrap(), i64::try_from(count).unwrap());
    })
    .await;
}

async fn a_text_that_cannot_be_taken_in_keeps_no_other_back(engine: Engine) {
    on(engine, async |mut world| {
        let (mut gone, mut broken) = (listed("MM-gone", 40, "gone"), listed("MM-broken", 50, "broken"));
        (gone["num_media"], broken["num_media"]) = (json!("1"), json!("1"));
        let (old, new) = (listed("SM1", 60, "old"), listed("SM2", 5, "new"));
        world.set("TWILIO_BASE_URL", start(List { messages: vec![new, gone, broken, old] }).await);
        business::load(
            world.db(),
            json!({"numbers": [{"id": "number-openphone", "orgId": "org-paws", "e164": "+15550199002",
                                "numberClass": "pool", "provider": "openphone"}]}),
        )
        .await;
        // Nobody listens there.
        world.set("OPENPHONE_BASE_URL", "http://127.0.0.1:9");
        let until = Clock::system().now().to_datetime() - chrono::TimeDelta::minutes(20);
        let until = until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let taken = run(&world, &["webhooks", "gaps", "--take", "--json", "--until", &until]).await;
        let (out, err) = (String::from_utf8_lossy(&taken.stdout), String::from_utf8_lossy(&taken.stderr));
        assert_eq!(taken.status.code(), Some(1), "{out} {err}");
        let found: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((ids(&found), &found["taken"]), (vec!["SM1", "MM-broken", "MM-gone"], &json!(2)), "{err}");
        for said in ["OpenPhone could not be asked", "MM-broken was not taken in", "MM-gone is taken in without"] {
            assert!(err.contains(said), "{said}: {err}");
        }
        assert_eq!(world.webhooks("twilio").count().await, 2);
        let _server = world.serve();
        world.webhooks("twilio").processed().until(2).await;
        let sql = "SELECT truncated FROM message_events WHERE provider_message_sid = 'MM-gone'";
        assert!(world.db().read(sql).scalar::<bool>().await.unwrap(), "it says that something is missing");
        let none = run(&world, &["webhooks", "gaps", "--until", "3d"]).await;
        assert!(
            !none.status.success() && String::from_utf8_lossy(&none.stderr).contains("--until is not after --since")
        );
    })
    .await;
}

async fn without_a_provider_nobody_is_asked(engine: Engine) {
    on(engine, async |mut world| {
        world.set("SMS_PROVIDER", "mock");
        // Nobody listens there, and nobody complains.
        world.set("TWILIO_BASE_URL", "http://127.0.0.1:9");
        let looked = run(&world, &["webhooks", "gaps", "--json"]).await;
        let said = String::from_utf8_lossy(&looked.stderr);
        assert!(looked.status.success() && said.contains("no provider of texts is set up"), "{said}");
        let found: Value = serde_json::from_slice(&looked.stdout).unwrap();
        assert_eq!(found, json!({"missing": [], "taken": 0}));
    })
    .await;
}
