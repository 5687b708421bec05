//! Texts that must not be lost, or go to others, because of whose number is known: the number for new businesses, and
//! numbers that are added after their first text.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_providers::twilio::signature::sign_form;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::process::{World, on as on_world};
use crate::support::{Answer, on};

each_engine! {
    no_organisation_can_add_the_number_for_new_businesses,
    what_new_businesses_write_goes_to_no_organisation_that_has_their_number(flavor = "multi_thread"),
    a_text_to_a_number_that_is_added_later_is_routed_then(flavor = "multi_thread"),
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

async fn run(world: &World, arguments: &[&str]) -> String {
    let mut command = world.command(arguments);
    command.stderr(std::process::Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
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

async fn a_text_to_a_number_that_is_added_later_is_routed_then(engine: Engine) {
    on_world(engine, async |mut world| {
        const LATER: &str = "+15550199077";
        world.set("PUBLIC_URL", world.url());
        let server = world.serve();
        for (sid, to) in [("SM1", "+15550199066"), ("SM2", LATER)] {
            deliver(&server.url, form(sid, "+15551234567", to)).await.expect(200);
            world.all_webhooks().with_key(sid).processed().until(1).await;
        }
        assert_eq!(world.open_exceptions("sms_unroutable").count().await, 1, "one problem, however many numbers");
        let looked = run(&world, &["webhooks", "gaps", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&looked).unwrap(), json!({"missing": [], "taken": 0}));

        run(&world, &["numbers", "add", LATER, "--org", "org-paws"]).await;
        assert_eq!(world.open_exceptions("sms_unroutable").count().await, 0);
        let looked: Value = serde_json::from_str(&run(&world, &["webhooks", "gaps", "--json"]).await).unwrap();
        let missing = looked["missing"].as_array().unwrap();
        assert_eq!((missing.len(), &missing[0]["id"], &missing[0]["unrouted"]), (1, &json!("SM2"), &json!(true)));
        let taken: Value = serde_json::from_str(&run(&world, &["webhooks", "gaps", "--take", "--json"]).await).unwrap();
        assert_eq!(taken["taken"], 1);
        world.all_webhooks().processed().until(2).await;
        assert_eq!(organizations(&world).await, ["org-paws"]);
        let again = run(&world, &["webhooks", "gaps", "--take", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), json!({"missing": [], "taken": 0}));
    })
    .await;
}

async fn neither_a_sender_nor_an_id_is_kept_at_any_length(engine: Engine) {
    on(engine, async |nightshift| {
        let base = nightshift.app.url();
        let refused = deliver(&base, form(&"S".repeat(65), "+15551234567", "+15550199001")).await.expect(422);
        assert!(refused.text.contains("MessageSid"), "{}", refused.text);
        let long = "x".repeat(9_000);
        deliver(&base, form(&"S".repeat(64), &long, "+15550199001")).await.expect(200);
        nightshift.all_webhooks().processed().until(1).await;
        let keys: Vec<(String,)> =
            nightshift.rows("SELECT group_key FROM jobs WHERE kind = 'webhook.twilio.inbound'").await;
        assert_eq!((keys.len(), keys[0].0.len()), (1, "from:".len() + 16), "{keys:?}");
    })
    .await;
}
