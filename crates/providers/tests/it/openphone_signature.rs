//! OpenPhone's signatures: every recorded vector of both generations, the choice of keys, and properties.

use std::collections::HashMap;

use chrono::DateTime;
use nightshift_providers::SignatureError;
use nightshift_providers::openphone::signature::{
    ID_HEADER, Key, LEGACY_HEADER, Proof, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE_S, sign, verify,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::data;

const CURRENT: &str = "whsec_GQrmq+cIqMD3yn/VSA/vPMH8pViKf/2ScWm317oTQT8=";
const LEGACY: &str = "KE4XHEUuuKLu/OyJ0EwnWyL8yzgRLs43FY3eG/DYADE=";

#[derive(Deserialize)]
struct Case {
    name: String,
    expect: String,
    now: i64,
    tolerance_seconds: i64,
    secrets: Vec<String>,
    headers: HashMap<String, String>,
    body: String,
}

fn key(text: &str) -> Key {
    Key::read(text).unwrap()
}

fn proof(headers: &HashMap<String, String>) -> Proof<'_> {
    let header = |name: &str| headers.get(name).map(String::as_bytes);
    Proof {
        id: header(ID_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
        legacy: header(LEGACY_HEADER),
    }
}

fn check(headers: &[(&str, String)], body: &[u8], keys: &[Key], now: i64) -> Result<(), SignatureError> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    verify(proof(&headers), body, keys, DateTime::from_timestamp(now, 0).unwrap())
}

#[test]
fn every_vector_is_judged_as_the_reference_does() {
    for (file, count) in [("openphone.json", 35), ("standard-webhooks.json", 19)] {
        let cases: Vec<Case> = data::vectors(file);
        assert_eq!(cases.len(), count, "{file}");
        for case in cases {
            assert_eq!(case.tolerance_seconds, TOLERANCE_S, "{}", case.name);
            let keys: Vec<_> = case.secrets.iter().map(|secret| key(secret)).collect();
            let now = DateTime::from_timestamp(case.now, 0).unwrap();
            let verdict = verify(proof(&case.headers), case.body.as_bytes(), &keys, now);
            assert_eq!(verdict.is_ok(), case.expect == "valid", "{file} {}: {verdict:?}", case.name);
            let reason = match case.name.as_str() {
                "missing_signature" | "legacy_missing_header" => "missing",
                "missing_id" | "missing_timestamp" | "timestamp_not_a_number" | "only_v2" => "malformed",
                "legacy_unknown_version" | "legacy_unknown_scheme" | "legacy_three_fields" => "malformed",
                "old_timestamp" | "future_timestamp" | "legacy_old" => "too_old",
                _ => "no_match",
            };
            if let Err(error) = verdict {
                assert_eq!(error.reason(), reason, "{file} {}", case.name);
            }
        }
    }
}

#[test]
fn a_key_is_base64_and_is_never_shown() {
    for text in ["", "whsec_", "whsec_not base64", "plain-text-secret!", "KE4XHEUuuKLu"] {
        assert_eq!(Key::read(text).is_ok(), text == "KE4XHEUuuKLu", "{text}");
    }
    assert!(key(CURRENT).is_current() && !key(LEGACY).is_current());
    assert_eq!(format!("{:?}", key(LEGACY)), "Key { is_current: false, .. }");
}

#[test]
fn the_headers_choose_the_generation_and_its_keys() {
    let (now, both) = (1_790_252_766, [key(CURRENT), key(LEGACY)]);
    let current = sign(&both[0], "msg_1", now, b"{}");
    let legacy = sign(&both[1], "msg_1", now, b"{}");
    assert_eq!(check(&current, b"{}", &both, now), Ok(()));
    assert_eq!(check(&legacy, b"{}", &both, now), Ok(()));
    assert_eq!(check(&legacy, b"{}", &both[..1], now), Err(SignatureError::UnknownKey));
    assert_eq!(check(&current, b"{}", &both[1..], now), Err(SignatureError::NoMatch));
    assert_eq!(check(&current, b"{}", &[], now), Err(SignatureError::NotConfigured));
    // A current signature that is there decides, even beside a valid legacy one.
    let mut mixed = legacy.clone();
    mixed.extend(sign(&key("whsec_AAAA"), "msg_1", now, b"{}"));
    assert_eq!(check(&mixed, b"{}", &both, now), Err(SignatureError::NoMatch));
    // The id of a delivery proves nothing.
    assert_eq!(check(&current[..2], b"{}", &both, now), Err(SignatureError::Missing));
}

#[test]
fn a_legacy_time_may_be_in_seconds() {
    let at = 1_790_252_766_i64;
    let key = key(LEGACY);
    let signed =
        nightshift_providers::mac::hmac_sha256_of_bytes(&decoded(LEGACY), &[at.to_string().as_bytes(), b".{}"]);
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signed);
    let header = [(LEGACY_HEADER, format!("hmac;1;{at};{signature}"))];
    for (now, fresh) in [(at, true), (at + 300, true), (at - 300, true), (at + 301, false), (at - 301, false)] {
        assert_eq!(check(&header, b"{}", std::slice::from_ref(&key), now).is_ok(), fresh, "{now}");
    }
}

fn decoded(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}

proptest! {
    #[test]
    fn any_headers_and_body_are_judged_without_panic(
        headers in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)), 4),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let keys = [key(CURRENT), key(LEGACY)];
        let proof = Proof {
            id: headers[0].as_deref(),
            timestamp: headers[1].as_deref(),
            signature: headers[2].as_deref(),
            legacy: headers[3].as_deref(),
        };
        prop_assert!(verify(proof, &body, &keys, DateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn headers_like_openphones_are_judged_without_panic(
        timestamp in "-?[0-9]{0,20}",
        signature in "(v1a?,[A-Za-z0-9+/=]{0,44} ?|[ -~]{0,4}){0,4}",
        legacy in "(hmac;[12];-?[0-9]{0,20};[A-Za-z0-9+/=]{0,44},?|[ -~]{0,4}){0,4}",
    ) {
        let keys = [key(CURRENT), key(LEGACY)];
        let proof = Proof { id: Some(b"msg_1"), timestamp: Some(timestamp.as_bytes()), signature: Some(signature.as_bytes()), legacy: None };
        prop_assert!(verify(proof, b"[]", &keys, DateTime::UNIX_EPOCH).is_err());
        let proof = Proof { legacy: Some(legacy.as_bytes()), ..Proof::default() };
        prop_assert!(verify(proof, b"[]", &keys, DateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn what_was_signed_verifies_within_five_minutes(
        secret in proptest::collection::vec(any::<u8>(), 1..40),
        is_current in any::<bool>(),
        id in "[!-~]{1,30}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        at in 1_000_000_000_i64..4_000_000_000,
        age in -400_i64..400,
    ) {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
        let keys = [key(CURRENT), key(&if is_current { format!("whsec_{encoded}") } else { encoded })];
        let headers = sign(&keys[1], &id, at, &body);
        prop_assert_eq!(check(&headers, &body, &keys, at + age).is_ok(), age.abs() <= TOLERANCE_S);
        let other = [body.as_slice(), b"x"].concat();
        prop_assert_eq!(check(&headers, &other, &keys, at), Err(SignatureError::NoMatch));
    }
}
