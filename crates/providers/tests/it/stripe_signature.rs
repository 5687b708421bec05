//! Stripe's signature: every recorded vector, and properties.

use std::collections::HashMap;

use chrono::DateTime;
use nightshift_providers::SignatureError;
use nightshift_providers::stripe::signature::{TOLERANCE_S, sign, verify};
use proptest::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;

use crate::data;

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

fn check(header: Option<&str>, body: &[u8], secrets: &[SecretString], now: i64) -> Result<i64, SignatureError> {
    verify(header.map(str::as_bytes), body, secrets, DateTime::from_timestamp(now, 0).unwrap())
}

#[test]
fn every_vector_is_judged_as_stripe_does() {
    let cases: Vec<Case> = data::vectors("stripe.json");
    assert_eq!(cases.len(), 22);
    for case in cases {
        assert_eq!(case.tolerance_seconds, TOLERANCE_S, "{}", case.name);
        let secrets: Vec<_> = case.secrets.into_iter().map(SecretString::from).collect();
        let header = case.headers.get("Stripe-Signature").map(String::as_str);
        let verdict = check(header, case.body.as_bytes(), &secrets, case.now);
        assert_eq!(verdict.is_ok(), case.expect == "valid", "{}: {verdict:?}", case.name);
        let reason = match case.name.as_str() {
            "missing_header" | "empty_header" => "missing",
            "garbage_header" | "no_timestamp" | "only_v0" => "malformed",
            "old_timestamp" => "too_old",
            _ => "no_match",
        };
        if let Err(error) = verdict {
            assert_eq!(error.reason(), reason, "{}", case.name);
        }
    }
}

#[test]
fn the_reason_names_what_was_wrong() {
    let secrets = [SecretString::from("whsec_a")];
    let body = b"{}";
    assert_eq!(check(Some("t=1,v1=ab"), body, &[], 1), Err(SignatureError::NotConfigured));
    assert_eq!(check(Some("t=x,v1=ab"), body, &secrets, 1), Err(SignatureError::Malformed));
    assert_eq!(check(Some("t=99999999999999999999,v1=ab"), body, &secrets, 1), Err(SignatureError::Malformed));
    // Age is looked at only when a signature fits.
    assert_eq!(check(Some("t=1,v1=ab"), body, &secrets, 5000), Err(SignatureError::NoMatch));
    let old = sign(&secrets[0], 1, body);
    assert_eq!(check(Some(&old), body, &secrets, 302), Err(SignatureError::TooOld { age_s: 301 }));
    assert_eq!(check(Some(&old), body, &secrets, 301), Ok(1));
    assert_eq!(check(Some(&old.to_uppercase()), body, &secrets, 1), Err(SignatureError::Malformed));
    assert_eq!(verify(Some(b"t=1,v1=\xff"), body, &secrets, DateTime::UNIX_EPOCH), Err(SignatureError::Malformed));
}

proptest! {
    #[test]
    fn any_header_and_body_are_judged_without_panic(
        header in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..120)),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        now in -1_000_000_000_000_i64..1_000_000_000_000,
    ) {
        let secrets = [SecretString::from("whsec_a")];
        let now = DateTime::from_timestamp(now, 0).unwrap();
        prop_assert!(verify(header.as_deref(), &body, &secrets, now).is_err());
    }

    #[test]
    fn headers_like_stripes_are_judged_without_panic(
        header in "(t=-?[0-9]{0,22},?|v[01]=[0-9a-f]{0,66},?|[ -~]{0,5}){0,5}",
    ) {
        let secrets = [SecretString::from("whsec_a")];
        prop_assert!(check(Some(&header), b"[]", &secrets, 0).is_err());
    }

    #[test]
    fn what_was_signed_verifies_until_it_is_too_old(
        secret in "[ -~]{1,40}",
        body in proptest::collection::vec(any::<u8>(), 0..300),
        signed_at in 0_i64..4_000_000_000,
        age in -100_000_i64..1_000,
    ) {
        let secrets = [SecretString::from("another"), SecretString::from(secret)];
        let header = sign(&secrets[1], signed_at, &body);
        let verdict = check(Some(&header), &body, &secrets, signed_at + age);
        if age > TOLERANCE_S {
            prop_assert_eq!(verdict, Err(SignatureError::TooOld { age_s: age }));
        } else {
            prop_assert_eq!(verdict, Ok(signed_at));
        }
    }

    #[test]
    fn one_flipped_bit_of_the_body_fails(
        mut body in proptest::collection::vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let secrets = [SecretString::from("whsec_a")];
        let header = sign(&secrets[0], 1_000, &body);
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        prop_assert_eq!(check(Some(&header), &body, &secrets, 1_000), Err(SignatureError::NoMatch));
    }

    #[test]
    fn one_changed_character_of_the_header_fails(at in any::<prop::sample::Index>(), with in "[ -~]") {
        let secrets = [SecretString::from("whsec_a")];
        let header = sign(&secrets[0], 1_234_567_890, b"[]");
        let at = at.index(header.len());
        let mut changed = header.clone();
        changed.replace_range(at..=at, &with);
        prop_assume!(changed != header);
        prop_assert!(check(Some(&changed), b"[]", &secrets, 1_234_567_890).is_err());
    }
}
