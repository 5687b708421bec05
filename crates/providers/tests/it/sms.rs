//! The choice between the mock and Twilio.

use chrono::Utc;
use nightshift_providers::sms::SmsSender;
use nightshift_providers::twilio::Lookup;

use crate::twilio_client::{client, simulator, text};

#[tokio::test]
async fn the_mock_gives_each_message_one_sid_without_network() {
    let sms = SmsSender::Mock;
    assert_eq!(sms.provider(), "mock");
    let message = text("hello");
    let sent = sms.send("event-1", &message).await.unwrap();
    assert_eq!(sent.sid, "SMmock-event-1");
    assert_eq!(sms.send("event-1", &message).await.unwrap(), sent);
    let lookup = Lookup { from: message.from, to: message.to, body: message.body, since: Utc::now() };
    let found = sms.candidates("event-1", &lookup).await.unwrap();
    assert!(found.len() == 1 && found[0].same_text && found[0].message == sent);
}

#[tokio::test]
async fn twilio_is_sent_to_and_asked() {
    let simulator = simulator().await;
    let sms = SmsSender::Twilio(client(&simulator));
    assert_eq!(sms.provider(), "twilio");
    let message = text("hello");
    let lookup =
        Lookup { from: message.from.clone(), to: message.to.clone(), body: message.body.clone(), since: Utc::now() };
    assert_eq!(sms.candidates("event-1", &lookup).await.unwrap(), []);
    let sent = sms.send("event-1", &message).await.unwrap();
    assert_eq!(sms.candidates("event-1", &lookup).await.unwrap()[0].message.sid, sent.sid);
}
