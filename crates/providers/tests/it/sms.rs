//! What every carrier does the same, and the mock.

use chrono::Utc;
use nightshift_providers::sms::{Carrier, Lookup, MockCarrier, SendMessage};

use crate::{openphone_client, twilio_client};

fn lookup(message: &SendMessage) -> Lookup {
    let SendMessage { from, to, body, .. } = message.clone();
    Lookup { from, to, body, since: Utc::now() }
}

#[tokio::test]
async fn the_mock_gives_each_message_one_sid_without_network() {
    let sms: &dyn Carrier = &MockCarrier;
    assert_eq!((sms.name(), sms.is_live()), ("mock", false));
    let message = twilio_client::text("hello");
    let sent = sms.send("event-1", &message).await.unwrap();
    assert_eq!(sent.sid, "SMmock-event-1");
    assert_eq!(sms.send("event-1", &message).await.unwrap(), sent);
    let found = sms.candidates("event-1", &lookup(&message)).await.unwrap();
    assert!(found.len() == 1 && found[0].same_text && found[0].message.sid == sent.sid);
}

#[tokio::test]
async fn every_carrier_sends_and_is_asked() {
    let simulator = twilio_client::simulator().await;
    let (twilio, openphone) = (twilio_client::client(&simulator), openphone_client::client(&simulator));
    let carriers: [(&str, &dyn Carrier); 2] = [("twilio", &twilio), ("openphone", &openphone)];
    for (name, sms) in carriers {
        assert_eq!((sms.name(), sms.is_live()), (name, true));
        sms.check().await.unwrap();
        let message = twilio_client::text("hello");
        let lookup = lookup(&message);
        assert_eq!(sms.candidates("event-1", &lookup).await.unwrap(), []);
        let sent = sms.send("event-1", &message).await.unwrap();
        let found = sms.candidates("event-1", &lookup).await.unwrap();
        assert!(found.len() == 1 && found[0].same_text && found[0].message.sid == sent.sid, "{name}");
    }
    assert_eq!(simulator.twilio().ledger().messages().len(), 1);
    assert_eq!(simulator.openphone().ledger().messages().len(), 1);
}
