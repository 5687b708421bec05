//! Texts that must not be lost, or go to others, because of whose number is known: the number for new businesses, and
//! numbers that are added after their first text.

use std::process::Output;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{InboundSpec, OpenPhoneShape, OpenPhoneWebhook};
use nightshift_providers::twilio::signature::sign_form;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::process::{World, on as on_world};
use crate::support::{Answer, on};

each_engine! {
    no_organisation_can_add_the_number_for_new_businesses,
    the_number_for_new_businesses_is_the_platforms_before_the_program_first_runs(flavor = "multi_thread"),
    what_new_businesses_write_goes_to_no_organisation_that_has_their_number(flavor = "multi_thread"),
    a_text_to_a_number_that_is_added_later_is_routed_then(flavor = "multi_thread"),
    a_text_of_openphone_is_routed_once_its_number_is_added(flavor = "multi_thread"),
    a_text_that_came_is_routed_also_where_no_provider_is_set_up(flavor = "multi_thread"),
    neither_a_sender_nor_an_id_is_kept_at_any_length,
}

const ONBOARDING: &str = "+447476955179";

fn form(sid: &str, from: &str, to: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("MessageSid", sid).append_pair("From", from).append_pair("To", to).append_pair("Body", "Hi");
    form.finish()
}

async fn deliver(base: &str, form: String) -> Answer {
    let url = format!("{base}/api/twilio/inbound");
    let signature = sign_form(&"simulated-auth-token".into(), &url, form.as_bytes());
    let request = reqwest::Client::new().post(&url).header("content-type", "application/x-www-form-urlencoded");
    Answer::to(request.header("x-twilio-signature", signature).body(form)).await
}

async fn output(world: &World, arguments: &[&str]) -> Output {
    let mut command = world.command(arguments);
    command.stderr(std::process::Stdio::piped());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn run(world: &World, arguments: &[&str]) -> String {
    let output = output(world, arguments).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn gaps(world: &World, arguments: &[&str]) -> Value {
    let arguments = [&["webhooks", "gaps", "--json"], arguments].concat();
    serde_json::from_str(&run(world, &arguments).await).unwrap()
}

async fn add(world: &World, number: &str) {
    run(world, &["numbers", "add", number, "--org", "org-paws"]).await;
}

async fn organizations(world: &World) -> Vec<String> {
    let rows: Vec<(String,)> =
        world.db().read("SELECT org_id FROM message_events WHERE direction = 'inbound'").all().await.unwrap();
    rows.into_iter().map(|(org,)| org).collect()
}

async fn no_organisation_can_add_the_number_for_new_businesses(engine: Engine) {
    on(engine, async |nightshift| {
        let number = json!({"e164": ONBOARDING, "numberClass": "pool", "provider": "twilio"});
        let refused = nightshift.post("/api/messages/numbers", number).await.expect(409);
        assert_eq!(refused.json()["code"], "duplicate", "{}", refused.text);
        assert_eq!(nightshift.open_exceptions("sms_unroutable").count().await, 0);
    })
    .await;
}

async fn what_new_businesses_write_goes_to_no_organisation_that_has_their_number(engine: Engine) {
    on_world(engine, async |mut world| {
        let number = json!({"id": "number-taken", "orgId": "org-paws", "e164": ONBOARDING, "numberClass": "pool",
                            "provider": "twilio"});
        business::load(world.db(), json!({"numbers": [number]})).await;
        world.set("PUBLIC_URL", world.url());
        let server = world.serve();
        world.open_exceptions("sms_unroutable").until(1).await;
        deliver(&server.url, form("SM1", "+447700900001", ONBOARDING)).await.expect(200);
        world.all_webhooks().processed().until(1).await;
        assert_eq!(organizations(&world).await, ["platform"]);
    })
    .await;
}

async fn the_number_for_new_businesses_is_the_platforms_before_the_program_first_runs(engine: Engine) {
    on_world(engine, async |world| {
        let text =
            InboundSpec::new("+447700900001", ONBOARDING, "Hi").at(chrono::Utc::now() - chrono::TimeDelta::minutes(5));
        let sid = world.simulator.twilio().receive_unreported(text);
        let found = gaps(&world, &[]).await;
        assert_eq!((found["missing"].as_array().unwrap().len(), &found["missing"][0]["id"]), (1, &json!(sid)));
        let added = output(&world, &["numbers", "add", ONBOARDING, "--org", "org-paws"]).await;
        assert!(!added.status.success() && String::from_utf8_lossy(&added.stderr).contains("in service already"));
    })
    .await;
}

async fn a_text_to_a_number_that_is_added_later_is_routed_then(engine: Engine) {
    on_world(engine, async |mut world| {
        // They look the same when they are masked.
        const LATER: &str = "+15550199077";
        const OTHER: &str = "+15550188077";
        const SENDER: &str = "+15551234567";
        world.set("PUBLIC_URL", world.url());
        let server = world.serve();
        for (sid, to) in [("SM1", OTHER), ("SM2", LATER), ("SM3", LATER), ("SM4", LATER)] {
            deliver(&server.url, form(sid, SENDER, to)).await.expect(200);
            world.all_webhooks().with_key(sid).processed().until(1).await;
        }
        assert_eq!(world.open_exceptions("sms_unroutable").count().await, 1, "one problem, however many numbers");
        assert_eq!(gaps(&world, &[]).await, json!({"missing": [], "taken": 0}));

        add(&world, LATER).await;
        assert_eq!(world.open_exceptions("sms_unroutable").count().await, 1, "nobody has the other number");
        deliver(&server.url, form("SM5", SENDER, LATER)).await.expect(200);
        world.all_webhooks().with_key("SM5").processed().until(1).await;
        let looked = gaps(&world, &[]).await;
        let missing = looked["missing"].as_array().unwrap();
        assert_eq!((missing.len(), &missing[0]["id"], &missing[0]["unrouted"]), (3, &json!("SM2"), &json!(true)));
        let (one, another) = tokio::join!(gaps(&world, &["--take"]), gaps(&world, &["--take"]));
        assert_eq!(one["taken"].as_i64().unwrap() + another["taken"].as_i64().unwrap(), 3, "{one} {another}");
        world.all_webhooks().processed().until(5).await;
        assert_eq!(organizations(&world).await, ["org-paws"; 4]);
        assert_eq!(gaps(&world, &["--take"]).await, json!({"missing": [], "taken": 0}));
        let routed =
            "SELECT provider_message_sid, thread_id FROM message_events WHERE direction = 'inbound' ORDER BY id";
        let routed: Vec<(String, String)> = world.db().read(routed).all().await.unwrap();
        let (sids, mut threads): (Vec<_>, Vec<_>) = routed.into_iter().unzip();
        threads.dedup();
        assert_eq!((sids, threads.len()), (["SM2", "SM3", "SM4", "SM5"].map(str::to_owned).to_vec(), 1));
        let groups = "SELECT DISTINCT group_key FROM jobs WHERE kind = 'webhook.twilio.inbound'";
        let groups: Vec<(String,)> = world.db().read(groups).all().await.unwrap();
        assert_eq!(groups, [("from:15551234567".to_owned(),)], "a text that is routed again keeps its place");

        add(&world, OTHER).await;
        assert_eq!(world.open_exceptions("sms_unroutable").count().await, 0);
        let tomorrow = (chrono::Utc::now() + chrono::TimeDelta::days(1)).date_naive().to_string();
        assert_eq!(gaps(&world, &["--since", "1d", "--until", "5m"]).await["missing"], json!([]), "it came later");
        assert_eq!(gaps(&world, &["--until", &tomorrow, "--take"]).await["taken"], 1);
    })
    .await;
}

async fn a_text_of_openphone_is_routed_once_its_number_is_added(engine: Engine) {
    on_world(engine, async |mut world| {
        const LATER: &str = "+15550199078";
        world.set("PUBLIC_URL", world.url());
        let server = world.serve();
        let openphone = world.simulator.openphone();
        let url = format!("{}/api/webhooks/sms", server.url);
        openphone.deliver_to(OpenPhoneWebhook { url, shape: OpenPhoneShape::default() });
        openphone.receive("+12125550100", LATER, "Hello", &[]).await.unwrap();
        world.all_webhooks().processed().until(1).await;
        run(&world, &["numbers", "add", LATER, "--org", "org-paws", "--provider", "openphone"]).await;
        let taken = gaps(&world, &["--take"]).await;
        assert_eq!((taken["missing"].as_array().unwrap().len(), &taken["taken"]), (1, &json!(1)));
        world.all_webhooks().processed().until(1).await;
        assert_eq!(organizations(&world).await, ["org-paws"]);
    })
    .await;
}

async fn a_text_that_came_is_routed_also_where_no_provider_is_set_up(engine: Engine) {
    on_world(engine, async |mut world| {
        const LATER: &str = "+15550199079";
        world.set("PUBLIC_URL", world.url());
        world.set("SMS_PROVIDER", "mock");
        let server = world.serve();
        deliver(&server.url, form("SM1", "+12125550100", LATER)).await.expect(200);
        world.all_webhooks().processed().until(1).await;
        let listed = "SELECT count(*) FROM exceptions WHERE CAST(detail AS TEXT) LIKE $1";
        let webhook: String = world.db().read("SELECT id FROM webhook_inbox").scalar().await.unwrap();
        let listed = world.db().read(listed).bind(format!("%\"numbers\"%inboxId%{webhook}%")).scalar::<i64>();
        assert_eq!(listed.await.unwrap(), 1, "each number with its webhook");
        add(&world, LATER).await;
        assert_eq!(gaps(&world, &["--take"]).await["taken"], 1);
        world.all_webhooks().processed().until(1).await;
        assert_eq!(organizations(&world).await, ["org-paws"]);
    })
    .await;
}

async fn neither_a_sender_nor_an_id_is_kept_at_any_length(engine: Engine) {
    on(engine, async |nightshift| {
        let base = nightshift.app.url();
        let refused = deliver(&base, form(&"S".repeat(65), "+15551234567", "+15550199001")).await.expect(422);
        assert!(refused.text.contains("MessageSid"), "{}", refused.text);
        // Twilio would send a report again that is refused, so it is stored, and its job is about no text.
        let report = format!("MessageSid={}&MessageStatus=delivered", "S".repeat(65));
        let url = format!("{base}/api/twilio/status");
        let signature = sign_form(&"simulated-auth-token".into(), &url, report.as_bytes());
        let request = nightshift.http.post(&url).header("content-type", "application/x-www-form-urlencoded");
        Answer::to(request.header("x-twilio-signature", signature).body(report)).await.expect(200);
        let groups: Vec<(String,)> =
            nightshift.rows("SELECT group_key FROM jobs WHERE kind = 'webhook.twilio.status'").await;
        assert_eq!(groups, [("sid:".to_owned(),)]);
        let long = "x".repeat(9_000);
        deliver(&base, form(&"S".repeat(64), &long, "+15550199001")).await.expect(200);
        nightshift.webhooks("twilio").processed().until(1).await;
        let keys: Vec<(String,)> =
            nightshift.rows("SELECT group_key FROM jobs WHERE kind = 'webhook.twilio.inbound'").await;
        assert_eq!((keys.len(), keys[0].0.len()), (1, "from:".len() + 16), "{keys:?}");
    })
    .await;
}
