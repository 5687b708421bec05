//! A simulator whose Twilio account sends callbacks quickly, and a client for it.

use std::time::Duration;

use nightshift_lab::simulator::{Accounts, Simulator, TwilioAccount};
use nightshift_providers::http_client;
use nightshift_providers::sms::{Intent, SendMessage};
use nightshift_providers::twilio::TwilioClient;
use secrecy::SecretString;

pub const SID: &str = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

pub fn account() -> TwilioAccount {
    TwilioAccount {
        account_sid: SID.into(),
        auth_token: SecretString::from("token"),
        callback_delay: Duration::from_millis(1),
        ..TwilioAccount::default()
    }
}

pub async fn simulator() -> Simulator {
    Simulator::start("127.0.0.1:0", Accounts { twilio: account(), ..Accounts::default() }).await.unwrap()
}

pub fn client(simulator: &Simulator) -> TwilioClient {
    TwilioClient::new(&simulator.base_url(), SID, SecretString::from("token"), http_client().unwrap()).unwrap()
}

pub fn text(body: &str) -> SendMessage {
    SendMessage {
        from: "+14155550142".into(),
        to: "+14155550199".into(),
        body: body.into(),
        status_callback: None,
        intent: Intent::Notification,
    }
}
