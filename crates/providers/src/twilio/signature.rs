//! The `X-Twilio-Signature` header: a base64 HMAC of the address that Twilio calls.
//!
//! For a form, the signed text is the address and all parameters sorted by name; for JSON it is the address alone,
//! which contains the body's hash as `bodySHA256`. The address is the public one, built from the configured base URL,
//! and is accepted with and without its port, as in Twilio's own libraries. It contains no time: replays pass, and are
//! detected by the message's SID. An account may sign with a shared key instead of the auth token, and names it in a
//! second header; that key must be configured here.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::SignatureError;
use crate::mac::{hmac_sha1, hmac_sha256, same};

/// Name of the signature header in lower case.
pub const HEADER: &str = "x-twilio-signature";

/// Name of the header that announces a shared key, in lower case.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The keys with which a webhook may be signed.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The account's auth tokens. Two while the token is being rotated.
    pub auth_tokens: Vec<SecretString>,
    /// The shared keys. Empty unless the account uses them.
    pub shared_keys: Vec<SharedKey>,
}

/// A named key that signs webhooks instead of the auth token.
#[derive(Debug, Clone)]
pub struct SharedKey {
    /// `webhooks_sharedkey_...`
    pub name: String,
    pub secret: SecretString,
}

/// The signed parts of a received webhook.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The public address, with path and query as configured at Twilio.
    pub url: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// Value of [`HEADER`].
    pub signature: Option<&'a [u8]>,
    /// Value of [`SETTINGS_HEADER`].
    pub settings: Option<&'a [u8]>,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Sha1,
    Sha256,
}

impl Keys {
    /// Returns keys with auth tokens only, which nearly all accounts use.
    #[must_use]
    pub fn auth_tokens(tokens: impl IntoIterator<Item = SecretString>) -> Self {
        Self { auth_tokens: tokens.into_iter().collect(), shared_keys: Vec::new() }
    }

    /// Returns whether there is no key to verify with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.auth_tokens.is_empty() && self.shared_keys.is_empty()
    }

    /// Returns the secrets and the algorithm that the settings header selects. Without it, the auth tokens and SHA-1.
    fn chosen_by(&self, settings: Option<&[u8]>) -> Result<(Vec<&SecretString>, Algorithm), SignatureError> {
        let Some(settings) = settings else {
            if self.auth_tokens.is_empty() {
                return Err(SignatureError::NotConfigured);
            }
            return Ok((self.auth_tokens.iter().collect(), Algorithm::Sha1));
        };
        let settings = std::str::from_utf8(settings).map_err(|_| SignatureError::Malformed)?;
        let mut name = None;
        let mut algorithm = None;
        for item in settings.split(',') {
            match item.trim().split_once('=') {
                Some(("key", value)) => name = Some(value),
                Some(("algorithm", "HMAC_SHA1")) => algorithm = Some(Algorithm::Sha1),
                Some(("algorithm", "HMAC_SHA256")) => algorithm = Some(Algorithm::Sha256),
                Some(("algorithm", _)) => return Err(SignatureError::Malformed),
                _ => {}
            }
        }
        let (Some(name), Some(algorithm)) = (name, algorithm) else { return Err(SignatureError::Malformed) };
        let secrets: Vec<_> = self.shared_keys.iter().filter(|key| key.name == name).map(|key| &key.secret).collect();
        if secrets.is_empty() { Err(SignatureError::UnknownKey) } else { Ok((secrets, algorithm)) }
    }
}

/// Verifies that Twilio sent this request.
///
/// # Errors
/// The reason why the signature is rejected.
pub fn verify(keys: &Keys, request: &Signed<'_>) -> Result<(), SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::NotConfigured);
    }
    let signature = request.signature.filter(|s| !s.is_empty()).ok_or(SignatureError::Missing)?;
    let (secrets, algorithm) = keys.chosen_by(request.settings)?;
    let url = without_fragment(request.url);
    let parameters = match body_hash(url) {
        Some(promised) => {
            if !same(promised.as_bytes(), hex::encode(Sha256::digest(request.body)).as_bytes()) {
                return Err(SignatureError::BodyMismatch);
            }
            String::new()
        }
        None => joined(form_urlencoded::parse(request.body)),
    };
    let mut fits = false;
    for secret in secrets {
        for url in with_and_without_port(url) {
            // Every pair is compared, so that the duration does not reveal which one matches.
            fits |= same(signature, digest(secret, algorithm, &url, &parameters).as_bytes());
        }
    }
    if fits { Ok(()) } else { Err(SignatureError::NoMatch) }
}

/// Returns the header value that Twilio would send with the form `body` to `url`. A fragment of the URL is not signed.
#[must_use]
pub fn sign_form(auth_token: &SecretString, url: &str, body: &[u8]) -> String {
    digest(auth_token, Algorithm::Sha1, without_fragment(url), &joined(form_urlencoded::parse(body)))
}

fn digest(secret: &SecretString, algorithm: Algorithm, url: &str, parameters: &str) -> String {
    let parts = [url.as_bytes(), parameters.as_bytes()];
    STANDARD.encode(match algorithm {
        Algorithm::Sha1 => hmac_sha1(secret, &parts),
        Algorithm::Sha256 => hmac_sha256(secret, &parts),
    })
}

/// Concatenates name and value of each parameter, sorted by name. A repeated name has its distinct values, sorted.
fn joined(form: form_urlencoded::Parse<'_>) -> String {
    let mut sorted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = String::new();
    for (name, values) in &sorted {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// Returns the hash of the body, if the address contains one.
fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256").map(|(_, value)| value.into_owned())
}

/// Returns the address as given, and with its port removed or the scheme's default port added. Edits the text instead
/// of parsing it, because all other characters must stay the same.
fn with_and_without_port(url: &str) -> Vec<String> {
    let mut addresses = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return addresses };
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // The port follows the credentials and the brackets of an IPv6 address.
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let port_from = authority.rfind(']').map_or(host_at, |at| at + 1);
    match authority[port_from..].find(':') {
        Some(colon) => addresses.push(format!("{scheme}://{}{tail}", &authority[..port_from + colon])),
        None => {
            let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            addresses.push(format!("{scheme}://{authority}:{port}{tail}"));
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::with_and_without_port;

    #[test]
    fn only_the_port_changes() {
        let both = |url| with_and_without_port(url).pop().unwrap_or_default();
        assert_eq!(both("https://a.example/x?y=1:2"), "https://a.example:443/x?y=1:2");
        assert_eq!(both("http://a.example"), "http://a.example:80");
        assert_eq!(both("https://a.example:8443/x"), "https://a.example/x");
        assert_eq!(both("https://user:word@a.example/x"), "https://user:word@a.example:443/x");
        assert_eq!(both("https://user:word@a.example:9?z"), "https://user:word@a.example?z");
        assert_eq!(both("http://[::1]:3000/x"), "http://[::1]/x");
        assert_eq!(both("http://[::1]/x"), "http://[::1]:80/x");
        assert_eq!(with_and_without_port("no address").len(), 1);
    }
}
