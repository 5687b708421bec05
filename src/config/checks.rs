//! Checks of the settings: one table for `serve` and `doctor`.
//!
//! A refusal keeps `serve` from starting, because the settings are unsafe or would fail at the first webhook or text. A
//! warning is logged once at the start. A note is only shown by `doctor`. Every message names the setting and what to
//! do. None contains a secret.

use std::net::IpAddr;

use secrecy::ExposeSecret;

use super::layers::Environment;
use super::names::plain_name;
use super::settings::{Settings, SmsProvider};

/// The minimum length of a session secret in production. 32 hex digits are 128 bits.
const SECRET_CHARS_MIN: usize = 32;
/// The minimum number of different characters in a session secret. 32 random hex digits have fewer once in 25 million
/// times.
const SECRET_DIFFERENT_MIN: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// `serve` does not start.
    Refusal,
    /// `serve` logs it once.
    Warning,
    /// Only `doctor` shows it.
    Note,
}

/// A result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static str,
    /// The part of the program that the check concerns.
    pub about: &'static str,
    pub severity: Severity,
    /// What is wrong, and what to do.
    pub sentence: String,
}

struct Check {
    name: &'static str,
    about: &'static str,
    severity: Severity,
    /// The environment in which the check applies. `None` means every environment.
    environment: Option<Environment>,
    finds: fn(&Settings) -> Option<String>,
}

const fn check(
    name: &'static str,
    about: &'static str,
    severity: Severity,
    environment: Option<Environment>,
    finds: fn(&Settings) -> Option<String>,
) -> Check {
    Check { name, about, severity, environment, finds }
}

const PRODUCTION: Option<Environment> = Some(Environment::Production);
const DEVELOPMENT: Option<Environment> = Some(Environment::Development);

/// All checks, by severity.
const CHECKS: &[Check] = &[
    check("session_secret_missing", "access", Severity::Refusal, PRODUCTION, session_secret_missing),
    check("session_secret_weak", "access", Severity::Refusal, PRODUCTION, session_secret_weak),
    check("auth_off", "access", Severity::Refusal, PRODUCTION, auth_off),
    check("development_listens", "access", Severity::Refusal, DEVELOPMENT, development_listens),
    check("development_public", "access", Severity::Refusal, DEVELOPMENT, development_public),
    check("validation_off", "webhooks", Severity::Refusal, PRODUCTION, validation_off),
    check("stripe_secret_missing", "webhooks", Severity::Refusal, None, stripe_secret_missing),
    check("vapi_secret_missing", "webhooks", Severity::Refusal, None, vapi_secret_missing),
    check("openphone_secret_missing", "webhooks", Severity::Refusal, None, openphone_secret_missing),
    check("twilio_incomplete", "sms", Severity::Refusal, None, twilio_incomplete),
    check("twilio_unencrypted", "sms", Severity::Refusal, PRODUCTION, twilio_unencrypted),
    check("twilio_half_a_key", "sms", Severity::Refusal, None, twilio_half_a_key),
    check("openphone_unencrypted", "sms", Severity::Refusal, PRODUCTION, openphone_unencrypted),
    check("vapi_incomplete", "calls", Severity::Refusal, None, vapi_incomplete),
    check("vapi_unencrypted", "calls", Severity::Refusal, PRODUCTION, vapi_unencrypted),
    check("development_open", "access", Severity::Warning, DEVELOPMENT, development_open),
    check("public_url_missing", "webhooks", Severity::Warning, PRODUCTION, public_url_missing),
    check("public_url_unencrypted", "access", Severity::Warning, PRODUCTION, public_url_unencrypted),
    check("sms_mock", "sms", Severity::Warning, PRODUCTION, sms_mock),
    check("sms_mock_development", "sms", Severity::Note, DEVELOPMENT, sms_mock),
    check("auth_off_development", "access", Severity::Note, DEVELOPMENT, auth_off_development),
    check("webhooks_unsigned", "webhooks", Severity::Note, None, webhooks_unsigned),
];

/// Returns the names of all checks, so that tests can cover each.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

impl Settings {
    /// Returns all findings, the most severe first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let applies = |check: &&Check| check.environment.is_none_or(|environment| environment == self.environment);
        CHECKS
            .iter()
            .filter(applies)
            .filter_map(|&Check { name, about, severity, finds, .. }| {
                finds(self).map(|sentence| Finding { check: name, about, severity, sentence })
            })
            .collect()
    }

    /// Returns why `serve` must not start, one line each. Empty if it may.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.sentences(Severity::Refusal)
    }

    /// Returns the warnings that `serve` logs, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.sentences(Severity::Warning)
    }

    fn sentences(&self, severity: Severity) -> Vec<String> {
        let wanted = self.findings().into_iter().filter(|finding| finding.severity == severity);
        wanted.map(|finding| finding.sentence).collect()
    }
}

fn session_secret_missing(settings: &Settings) -> Option<String> {
    settings.auth.session_secret.is_none().then(|| {
        format!("production needs {}: set it to the output of `openssl rand -hex 32`", name("auth.session_secret"))
    })
}

/// Request links are HMACs under the secret, so the holder of a link can try secrets offline.
fn session_secret_weak(settings: &Settings) -> Option<String> {
    let text = settings.auth.session_secret.as_ref()?.expose_secret().trim();
    let different = text.chars().collect::<std::collections::BTreeSet<_>>().len();
    (text.chars().count() < SECRET_CHARS_MIN || different < SECRET_DIFFERENT_MIN).then(|| {
        format!(
            "{} is too weak, so that sessions and links can be forged: it needs {SECRET_CHARS_MIN} characters or more, \
             at least {SECRET_DIFFERENT_MIN} of them different; set it to the output of `openssl rand -hex 32`",
            name("auth.session_secret")
        )
    })
}

fn auth_off(settings: &Settings) -> Option<String> {
    (!settings.auth.enabled).then(|| {
        format!("{}=false is refused in production: everybody would have the roles owner and ops", name("auth.enabled"))
    })
}

fn development_listens(settings: &Settings) -> Option<String> {
    let beyond = !is_loopback(&settings.http.host) && !settings.http.allow_open_development;
    beyond.then(|| {
        format!(
            "{}={} accepts connections from other machines, but development {}; {DEVELOPMENT_ADVICE}",
            name("http.host"),
            settings.http.host,
            trusts(settings)
        )
    })
}

/// An HTTPS URL is that of a proxy or tunnel through which others reach the program, wherever it listens.
fn development_public(settings: &Settings) -> Option<String> {
    let url = settings.http.public_url.as_deref().filter(|url| url.starts_with("https://"))?;
    let believes = !settings.webhooks.validation && !settings.http.allow_open_development;
    believes.then(|| {
        format!(
            "{}={url} is public, but development {}; {DEVELOPMENT_ADVICE}",
            name("http.public_url"),
            trusts(settings)
        )
    })
}

const DEVELOPMENT_ADVICE: &str =
    "set NIGHTSHIFT_ENV=production, or allow it with NIGHTSHIFT__HTTP__ALLOW_OPEN_DEVELOPMENT=true";

fn trusts(settings: &Settings) -> String {
    let mut trusts = Vec::new();
    if !settings.webhooks.validation {
        trusts.push("accepts unsigned webhooks");
    }
    if !settings.auth.enabled {
        trusts.push("gives everybody the roles owner and ops");
    }
    if trusts.is_empty() {
        trusts.push("does not enforce safe settings");
    }
    trusts.join(" and ")
}

fn development_open(settings: &Settings) -> Option<String> {
    let public = settings.http.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let reached = public || !is_loopback(&settings.http.host);
    let refused = development_listens(settings).or_else(|| development_public(settings)).is_some();
    (reached && !refused).then(|| format!("others can reach this server, and development {}", trusts(settings)))
}

fn validation_off(settings: &Settings) -> Option<String> {
    (!settings.webhooks.validation && !settings.webhooks.allow_unverified).then(|| {
        format!(
            "{}=false is refused in production: set it to true, or allow it for a rollout with \
             NIGHTSHIFT__WEBHOOKS__ALLOW_UNVERIFIED=true",
            name("webhooks.validation")
        )
    })
}

fn stripe_secret_missing(settings: &Settings) -> Option<String> {
    let webhooks = &settings.webhooks;
    (webhooks.validation && webhooks.stripe_secrets.is_empty() && !webhooks.allow_unverified).then(|| {
        format!(
            "{} is on but {} is missing: every Stripe webhook would be refused",
            name("webhooks.validation"),
            name("webhooks.stripe_secrets")
        )
    })
}

fn vapi_secret_missing(settings: &Settings) -> Option<String> {
    let webhooks = &settings.webhooks;
    let unproven = settings.vapi.api_key.is_some() && webhooks.vapi_secrets.is_empty();
    (webhooks.validation && unproven && !webhooks.allow_unverified).then(|| {
        format!(
            "{} is on and VAPI is set up but {} is missing: every report of VAPI would be refused",
            name("webhooks.validation"),
            name("webhooks.vapi_secrets")
        )
    })
}

fn openphone_secret_missing(settings: &Settings) -> Option<String> {
    let webhooks = &settings.webhooks;
    let unproven = settings.openphone.api_key.is_some() && webhooks.openphone_secrets.is_empty();
    (webhooks.validation && unproven && !webhooks.allow_unverified).then(|| {
        format!(
            "{} is on and OpenPhone is set up but {} is missing: every text to its numbers would be refused",
            name("webhooks.validation"),
            name("webhooks.openphone_secrets")
        )
    })
}

fn twilio_incomplete(settings: &Settings) -> Option<String> {
    let (provider, twilio) = (settings.messaging.sms_provider, &settings.twilio);
    let needed =
        [("twilio.account_sid", twilio.account_sid.is_none()), ("twilio.auth_tokens", twilio.auth_tokens.is_empty())];
    let missing = missing(&needed).filter(|_| provider == SmsProvider::Twilio)?;
    Some(format!("{}=twilio needs {missing}", name("messaging.sms_provider")))
}

fn twilio_half_a_key(settings: &Settings) -> Option<String> {
    let twilio = &settings.twilio;
    (twilio.api_key_sid.is_some() != twilio.api_key_secret.is_some()).then(|| {
        let (sid, secret) = (name("twilio.api_key_sid"), name("twilio.api_key_secret"));
        format!("{sid} and {secret} belong together: set both or none")
    })
}

fn vapi_incomplete(settings: &Settings) -> Option<String> {
    let vapi = &settings.vapi;
    let needed = [
        ("vapi.api_key", vapi.api_key.is_none()),
        ("vapi.assistant_id", vapi.assistant_id.is_none()),
        ("vapi.phone_number_id", vapi.phone_number_id.is_none()),
    ];
    let missing = missing(&needed).filter(|_| settings.calls.live)?;
    Some(format!("{}=true needs {missing}", name("calls.live")))
}

fn missing(needed: &[(&'static str, bool)]) -> Option<String> {
    let names: Vec<_> = needed.iter().filter(|(_, missing)| *missing).map(|(key, _)| name(key)).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

fn twilio_unencrypted(settings: &Settings) -> Option<String> {
    unencrypted("twilio.base_url", &settings.twilio.base_url)
}

fn openphone_unencrypted(settings: &Settings) -> Option<String> {
    unencrypted("openphone.base_url", &settings.openphone.base_url)
}

fn vapi_unencrypted(settings: &Settings) -> Option<String> {
    unencrypted("vapi.base_url", &settings.vapi.base_url)
}

/// Refuses a plain HTTP URL of a provider, to which credentials and phone numbers are sent.
fn unencrypted(key: &'static str, url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    (!is_loopback(host_of(rest))).then(|| {
        format!("{}={url} is refused in production: the requests would not be encrypted; use https", name(key))
    })
}

fn public_url_missing(settings: &Settings) -> Option<String> {
    settings.http.public_url.is_none().then(|| {
        format!(
            "{} is not set: Twilio can't report the status of texts, and links work on this machine only; set it to the \
             https address that people and providers use",
            name("http.public_url")
        )
    })
}

fn public_url_unencrypted(settings: &Settings) -> Option<String> {
    let url = settings.http.public_url.as_deref().filter(|url| url.starts_with("http://"))?;
    Some(format!(
        "{}={url} is not encrypted: others on the network can read passwords, sessions and links; put a proxy with a \
         certificate in front and set the https address",
        name("http.public_url")
    ))
}

fn sms_mock(settings: &Settings) -> Option<String> {
    (settings.messaging.sms_provider == SmsProvider::Mock).then(|| {
        format!(
            "{}=mock: texts are recorded and not sent; set it to twilio to send them",
            name("messaging.sms_provider")
        )
    })
}

fn auth_off_development(settings: &Settings) -> Option<String> {
    (!settings.auth.enabled)
        .then(|| format!("{}=false: everybody who reaches the port has the roles owner and ops", name("auth.enabled")))
}

fn webhooks_unsigned(settings: &Settings) -> Option<String> {
    let refused = settings.environment == Environment::Production && validation_off(settings).is_some();
    (!settings.webhooks.validation && !refused)
        .then(|| format!("unsigned webhooks are accepted; production needs {}=true", name("webhooks.validation")))
}

/// Returns the host of `host`, `host:port` or `[host]:port`, with or without a trailing slash.
fn host_of(authority: &str) -> &str {
    let authority = authority.trim_end_matches('/');
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Returns whether only this machine can reach the host.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.to_canonical().is_loopback())
}

fn name(key: &'static str) -> &'static str {
    plain_name(key).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_everything_else() {
        for host in ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "203.0.113.5", "localhost.example", "127.0.0.1.example", ""] {
            assert!(!is_loopback(host), "{host}");
        }
        for (authority, host) in
            [("a.example", "a.example"), ("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("a:80/", "a")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
