//! Twilio's signature: every recorded vector, shared keys, and properties.

use std::collections::HashMap;

use nightshift_providers::SignatureError;
use nightshift_providers::twilio::signature::{Keys, SharedKey, Signed, sign_form, verify};
use proptest::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;

use crate::data;

const URL: &str = "https://hooks.sitters.example/api/twilio/status";

#[derive(Deserialize)]
struct Case {
    name: String,
    expect: String,
    url: String,
    auth_token: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Case {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(String::as_bytes)
    }

    /// The name of the shared key that signed, if one did.
    fn shared_key(&self) -> Option<&str> {
        let settings = self.headers.get("X-Twilio-Webhooks-Signature-Settings")?;
        settings.split(',').find_map(|item| item.strip_prefix("key="))
    }

    fn keys(&self) -> Keys {
        let secret = SecretString::from(self.auth_token.clone());
        match self.shared_key() {
            Some(name) => {
                Keys { auth_tokens: Vec::new(), shared_keys: vec![SharedKey { name: name.to_owned(), secret }] }
            }
            None => Keys::auth_tokens([secret]),
        }
    }

    fn verify(&self, keys: &Keys) -> Result<(), SignatureError> {
        let request = Signed {
            url: &self.url,
            body: self.body.as_bytes(),
            signature: self.header("X-Twilio-Signature"),
            settings: self.header("X-Twilio-Webhooks-Signature-Settings"),
        };
        verify(keys, &request)
    }
}

fn cases() -> Vec<Case> {
    data::vectors("twilio.json")
}

#[test]
fn every_vector_is_judged_as_twilio_does() {
    let cases = cases();
    assert_eq!(cases.len(), 36);
    for case in cases {
        let verdict = case.verify(&case.keys());
        assert_eq!(verdict.is_ok(), case.expect == "valid", "{}: {verdict:?}", case.name);
        let reason = match case.name.as_str() {
            "missing_header" | "empty_signature" | "json_missing_header" => "missing",
            "json_tampered_body" | "json_reserialised" | "json_uppercase_hash" => "body_mismatch",
            _ => "no_match",
        };
        if let Err(error) = verdict {
            assert_eq!(error.reason(), reason, "{}", case.name);
        }
    }
}

#[test]
fn a_header_alone_never_chooses_a_key() {
    let case = cases().into_iter().find(|case| case.shared_key().is_some()).unwrap();
    let secret = SecretString::from(case.auth_token.clone());
    // The auth token is not a shared key, and one shared key is not another.
    assert_eq!(case.verify(&Keys::auth_tokens([secret.clone()])), Err(SignatureError::UnknownKey));
    let other = SharedKey { name: "webhooks_sharedkey_other".into(), secret: secret.clone() };
    let keys = Keys { auth_tokens: vec![secret.clone()], shared_keys: vec![other] };
    assert_eq!(case.verify(&keys), Err(SignatureError::UnknownKey));
    // An unknown algorithm fails, as does a shared key without its header.
    let name = case.shared_key().unwrap().to_owned();
    let keys = Keys { auth_tokens: Vec::new(), shared_keys: vec![SharedKey { name: name.clone(), secret }] };
    for settings in [format!("key={name},algorithm=HMAC_MD5"), format!("key={name}"), "algorithm=HMAC_SHA1".into()] {
        let request = Signed {
            url: &case.url,
            body: case.body.as_bytes(),
            signature: case.header("X-Twilio-Signature"),
            settings: Some(settings.as_bytes()),
        };
        assert_eq!(verify(&keys, &request), Err(SignatureError::Malformed), "{settings}");
        assert_eq!(verify(&keys, &Signed { settings: None, ..request }), Err(SignatureError::NotConfigured));
    }
}

#[test]
fn nothing_configured_verifies_nothing() {
    let request = Signed { url: URL, body: b"", signature: Some(b"x"), settings: None };
    assert_eq!(verify(&Keys::default(), &request), Err(SignatureError::NotConfigured));
}

fn signed<'a>(url: &'a str, body: &'a [u8], signature: &'a str) -> Signed<'a> {
    Signed { url, body, signature: Some(signature.as_bytes()), settings: None }
}

#[test]
fn the_fragment_is_not_signed() {
    let token = SecretString::from("token");
    let signature = sign_form(&token, &format!("{URL}#rc=3&rp=ct,rt,5xx"), b"A=1");
    assert_eq!(verify(&Keys::auth_tokens([token]), &signed(URL, b"A=1", &signature)), Ok(()));
}

proptest! {
    #[test]
    fn anything_is_judged_without_panic(
        url in "[ -~é]{0,60}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        signature in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60)),
        settings in proptest::option::of("[ -~]{0,60}"),
    ) {
        let keys = Keys::auth_tokens([SecretString::from("token")]);
        let request = Signed {
            url: &url,
            body: &body,
            signature: signature.as_deref(),
            settings: settings.as_ref().map(String::as_bytes),
        };
        prop_assert!(verify(&keys, &request).is_err());
    }

    #[test]
    fn what_was_signed_verifies_and_one_changed_value_fails(
        mut form in proptest::collection::vec(("[A-Za-z_0-9]{1,12}", "[ -~é🐕]{0,20}"), 1..8),
        old_token in any::<bool>(),
        at in any::<prop::sample::Index>(),
    ) {
        let encode = |form: &[(String, String)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes()
        };
        let tokens = [SecretString::from("new"), SecretString::from("old")];
        let keys = Keys::auth_tokens(tokens.clone());
        let body = encode(&form);
        let signature = sign_form(&tokens[usize::from(old_token)], URL, &body);
        prop_assert_eq!(verify(&keys, &signed(URL, &body, &signature)), Ok(()));
        let at = at.index(form.len());
        form[at].1.push('x');
        let body = encode(&form);
        prop_assert_eq!(verify(&keys, &signed(URL, &body, &signature)), Err(SignatureError::NoMatch));
    }
}
