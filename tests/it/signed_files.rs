//! Files that `nightshift webhooks sign` has signed, delivered with the headers that it printed.

use std::process::Output;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;

use crate::support::business::paid;
use crate::support::process::{World, on};

each_engine! {
    a_signed_file_is_taken_from_every_provider(flavor = "multi_thread"),
}

const CURRENT: &str = "whsec_GQrmq+cIqMD3yn/VSA/vPMH8pViKf/2ScWm317oTQT8=";
const LEGACY: &str = "KE4XHEUuuKLu/OyJ0EwnWyL8yzgRLs43FY3eG/DYADE=";
const EVENT: &str = r#"{"id": "EV1", "type": "call.ringing", "data": {"object": {"note": "caf\u00e9 é"}}}"#;
const FORM: &str = "MessageSid=SM1&From=%2B15551234567&To=%2B15550199001&Body=caf%C3%A9+%26+more&FromCity=";
const JSON: &str = "application/json";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// Returns the headers that the command prints.
fn sign(world: &World, arguments: &[&str], body: &str) -> Vec<(String, String)> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let (provider, more) = arguments.split_first().unwrap();
    let mut command = world.command(&["webhooks", "sign", provider, file.path().to_str().unwrap()]);
    let Output { status, stdout, .. } = command.args(more).output().unwrap();
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stdout));
    let printed = String::from_utf8(stdout).unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    printed.lines().map(|line| header(line).unwrap_or_else(|| panic!("{printed}"))).collect()
}

async fn a_signed_file_is_taken_from_every_provider(engine: Engine) {
    on(engine, async |mut world| {
        world.set("OPENPHONE_WEBHOOK_SECRET", format!("{LEGACY},{CURRENT}"));
        world.set("PUBLIC_URL", world.url());
        let _server = world.serve();
        let http = reqwest::Client::new();
        let post = async |path: &str, media: &str, body: &str, headers: &[(String, String)]| {
            let mut request = http.post(format!("{}{path}", world.url())).header("content-type", media);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(body.to_owned()).send().await.unwrap().status().as_u16()
        };
        let (event, report) = (paid("evt_1", "b").to_string(), r#"{"message": {"type": "hang"}}"#);
        let status = "MessageSid=SM1&MessageStatus=sent";
        for (arguments, path, media, body, headers) in [
            (vec!["stripe"], "/api/webhooks/stripe", JSON, event.as_str(), "stripe-signature"),
            (vec!["vapi"], "/api/webhooks/vapi", JSON, report, "x-signature x-timestamp"),
            (vec!["openphone"], "/api/webhooks/sms", JSON, EVENT, "webhook-id webhook-timestamp webhook-signature"),
            (vec!["twilio"], "/api/twilio/inbound", FORM_TYPE, FORM, "x-twilio-signature"),
            (
                vec!["twilio", "--path", "/api/twilio/status"],
                "/api/twilio/status",
                FORM_TYPE,
                status,
                "x-twilio-signature",
            ),
        ] {
            let signed = sign(&world, &arguments, body);
            let names: Vec<_> = signed.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names.join(" "), headers, "{arguments:?}");
            assert_eq!(post(path, media, body, &signed).await, 200, "{arguments:?}");
            assert_eq!(post(path, media, &format!("{body} "), &signed).await, 401, "{arguments:?}");
        }
        assert_eq!(world.all_webhooks().verified().count().await, 5);

        // Without the key of a current webhook, a legacy one is signed.
        world.set("OPENPHONE_WEBHOOK_SECRET", LEGACY);
        let signed = sign(&world, &["openphone"], EVENT);
        assert_eq!(signed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["openphone-signature"]);
        world.set("OPENPHONE_WEBHOOK_SECRET", "not base64!");
        let refused = world.command(&["jobs", "stats"]).stderr(std::process::Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("OPENPHONE_WEBHOOK_SECRET"), "{said}");
        assert!(said.contains("base64") && !said.contains("not base64!"), "{said}");
        for (arguments, named) in [
            (["sign", "openphone", "-"].as_slice(), "OPENPHONE_WEBHOOK_SECRET"),
            (&["sign", "stripe", "-", "--path", "/x"], "--path is for twilio"),
            (&["sign", "twilio", "-", "--path", "x"], "begins with /"),
        ] {
            world.set("OPENPHONE_WEBHOOK_SECRET", "");
            let mut command = world.command(&[]);
            let refused =
                command.arg("webhooks").args(arguments).stderr(std::process::Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && said.contains(named), "{arguments:?}: {said}");
        }
    })
    .await;
}
