//! Twilio's forms: every recorded sample, what may be missing, and anything at all.

use nightshift_providers::inbound::CarrierKeyword;
use nightshift_providers::twilio::{MessageStatus, StatusCallback, WebhookError, explain, read_inbound};
use proptest::prelude::*;

use crate::data;

#[test]
fn every_status_sample_is_read() {
    let expected = [
        ("sent", MessageStatus::Sent, None),
        ("delivered", MessageStatus::Delivered, None),
        ("failed", MessageStatus::Failed, Some(30007)),
        ("undelivered", MessageStatus::Undelivered, Some(30003)),
    ];
    assert_eq!(data::sample_names("twilio-status-").len(), expected.len());
    for (name, status, error_code) in expected {
        let callback = StatusCallback::parse(&data::form(&format!("twilio-status-{name}.form"))).unwrap();
        assert_eq!(callback.status, status);
        assert_eq!(callback.error_code, error_code);
        assert_eq!(callback.to.as_deref(), Some("+14155550199"));
        assert_eq!(callback.from.as_deref(), Some("+14155550142"));
        assert_eq!(callback.key(), format!("{}:{name}", callback.message_sid));
        assert!(!format!("{callback:?}").contains("4155550199"));
    }
}

#[test]
fn every_inbound_sample_is_read() {
    let read = |name: &str| read_inbound(&data::form(&format!("twilio-inbound-{name}.form"))).unwrap();
    assert_eq!(data::sample_names("twilio-inbound-").len(), 5);

    let yes = read("sms");
    assert_eq!(yes.sid, "SM000000000000000000000000005a0001");
    assert_eq!((yes.from.as_str(), yes.to.as_str(), yes.body.as_str()), ("+14155550199", "+14155550142", "YES"));
    assert!(yes.media.is_empty() && yes.keyword.is_none());
    assert!(!format!("{yes:?}").contains("4155550199"));

    assert_eq!(read("sms-unicode").body, "Zoë is late, back at 10:30 🐕");
    assert_eq!(read("sms-uk").body, "Plumber from London");
    assert_eq!(read("sms-stop").keyword, Some(CarrierKeyword::Stop));

    let picture = read("mms");
    assert_eq!(picture.media.len(), 1);
    assert!(picture.media[0].ends_with("/Media/ME00000000000000000000000000000001"));
}

#[test]
fn what_every_webhook_carries_is_asked_for() {
    assert_eq!(StatusCallback::parse(b"MessageStatus=sent"), Err(WebhookError::Missing("MessageSid")));
    assert_eq!(StatusCallback::parse(b"MessageSid=SM1&MessageStatus="), Err(WebhookError::Missing("MessageStatus")));
    let older_names = StatusCallback::parse(b"SmsSid=SM1&SmsStatus=delivered").unwrap();
    assert_eq!(older_names.key(), "SM1:delivered");
    let bad_code = StatusCallback::parse(b"MessageSid=SM1&MessageStatus=failed&ErrorCode=x").unwrap();
    assert_eq!((bad_code.status, bad_code.error_code), (MessageStatus::Failed, None));
    assert_eq!(read_inbound(b"MessageSid=SM1&To=%2B1"), Err(WebhookError::Missing("From")));
    assert_eq!(read_inbound(b"MessageSid=SM1&From=%2B1").map_err(|e| e.parameter()), Err("To"));
    let empty = read_inbound(b"MessageSid=SM1&From=%2B1&To=%2B2").unwrap();
    assert_eq!(empty.body, "");
}

#[test]
fn a_status_that_nobody_documented_moves_nothing() {
    let callback = StatusCallback::parse(b"MessageSid=SM1&MessageStatus=teleported&ErrorCode=0").unwrap();
    assert_eq!(callback.status, MessageStatus::Unknown);
    assert_eq!(callback.error_code, None);
    assert!(!callback.status.moves_on_from(MessageStatus::Queued));
}

#[test]
fn states_only_move_forward() {
    use MessageStatus::{Delivered, Failed, Queued, Read, Sent, Undelivered};
    assert!(Sent.moves_on_from(Queued));
    assert!(Delivered.moves_on_from(Sent));
    assert!(Read.moves_on_from(Delivered));
    assert!(!Sent.moves_on_from(Delivered));
    assert!(!Sent.moves_on_from(Sent));
    assert!(!Undelivered.moves_on_from(Delivered));
    assert!(Failed.is_failure() && Undelivered.is_failure() && !Sent.is_failure());
}

#[test]
fn every_status_is_named_alike_everywhere() {
    for word in [
        "accepted",
        "scheduled",
        "queued",
        "sending",
        "sent",
        "partially_delivered",
        "delivered",
        "undelivered",
        "failed",
        "canceled",
        "read",
        "receiving",
        "received",
    ] {
        let status = MessageStatus::parse(word);
        assert_eq!(status.as_str(), word);
        assert_eq!(serde_json::to_value(status).unwrap(), word);
        assert_eq!(serde_json::from_value::<MessageStatus>(word.into()).unwrap(), status);
    }
    assert_eq!(serde_json::from_value::<MessageStatus>("new".into()).unwrap(), MessageStatus::Unknown);
}

#[test]
fn codes_are_explained() {
    assert_eq!(explain(21610), "the recipient has opted out");
    assert_eq!(explain(30003), "the handset is off or out of reach");
    assert_eq!(explain(1), "Twilio gave a code that is not documented here");
}

proptest! {
    #[test]
    fn any_form_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = StatusCallback::parse(&body);
        let _ = read_inbound(&body);
    }

    #[test]
    fn no_text_holds_a_nul(text in "[a\0]{0,10}") {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("MessageSid", "SM1"), ("From", "+1"), ("To", "+2"), ("Body", &text)])
            .finish();
        prop_assert!(!read_inbound(body.as_bytes()).unwrap().body.contains('\0'));
    }
}
