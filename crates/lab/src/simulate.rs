//! `nightshift simulate`: the simulated providers alone, for a server in another process.

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::console::Console;
use crate::simulator::{Accounts, OpenPhoneShape, OpenPhoneWebhook, Simulator};

/// Where a server on this machine receives OpenPhone's webhooks by default.
const OPENPHONE_WEBHOOK: &str = "http://127.0.0.1:3000/api/webhooks/sms";

/// Where it receives Twilio's webhooks about texts.
const TWILIO_WEBHOOK: &str = "http://127.0.0.1:3000/api/twilio/inbound#rc=3&rp=ct,rt,5xx";

/// Runs the simulated providers on a loopback port until `end` completes, and prints the settings with which a server
/// uses them. Port 0 chooses a free port.
///
/// # Errors
/// An error if it can't listen on the port.
pub async fn run(port: u16, console: &dyn Console, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let accounts = Accounts::default();
    let simulator = Simulator::start(("127.0.0.1", port), accounts.clone())
        .await
        .with_context(|| format!("can't listen on port {port}"))?;
    let webhook = OpenPhoneWebhook { url: OPENPHONE_WEBHOOK.to_owned(), shape: OpenPhoneShape::default() };
    simulator.openphone().deliver_to(webhook);
    simulator.twilio().set_inbound_url(TWILIO_WEBHOOK);
    let Accounts { twilio, openphone, vapi } = accounts;
    let (sid, token) = (twilio.account_sid, twilio.auth_token);
    let url = simulator.base_url();
    console.say(format_args!("the simulated providers answer on {url}; start the server with:"));
    console.say(format_args!("SMS_PROVIDER=twilio TWILIO_BASE_URL={url} TWILIO_ACCOUNT_SID={sid} \\"));
    // Not a secret: the token is a constant, and only this simulator accepts it.
    console.say(format_args!("TWILIO_AUTH_TOKEN={} \\", token.expose_secret()));
    let key = openphone.api_key.expose_secret();
    let secrets: Vec<_> = openphone.webhook_secrets.iter().map(|secret| secret.expose_secret()).collect();
    console.say(format_args!("OPENPHONE_BASE_URL={url} OPENPHONE_API_KEY={key} \\"));
    console.say(format_args!("OPENPHONE_WEBHOOK_SECRET={} \\", secrets.join(",")));
    let key = vapi.api_key.expose_secret();
    console.say(format_args!("LIVE_CALL_ENABLED=true VAPI_BASE_URL={url} VAPI_API_KEY={key} \\"));
    let (assistant, number) = (vapi.assistant_id, vapi.phone_number_id);
    console
        .say(format_args!("VAPI_ASSISTANT_ID={assistant} VAPI_PHONE_NUMBER_ID={number} VAPI_WEBHOOK_SECRET=simulated"));
    end.await;
    simulator.stop().await;
    Ok(())
}
