//! Combinations of settings that must not serve: unsafe in production, or bound to fail at the first webhook or text.

use super::layers::Environment;
use super::names::plain_name;
use super::settings::{Settings, SmsProvider};

impl Settings {
    /// Why `serve` must not start; one clear line each, empty when it may.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let production = self.environment == Environment::Production;
        let mut refusals = Vec::new();
        let mut refuse = |line: String| refusals.push(line);
        if production && self.auth.session_secret.is_none() {
            refuse(format!("production needs {}: set it to a long random text", name("auth.session_secret")));
        }
        if production && !self.auth.enabled {
            refuse(format!(
                "{}=false is refused in production: everybody would be owner and ops",
                name("auth.enabled")
            ));
        }
        let unverified_may_pass = self.webhooks.allow_unverified;
        if production && !self.webhooks.validation && !unverified_may_pass {
            refuse(format!(
                "{}=false is refused in production: set it to true, or allow it for a rollout with \
                 NIGHTSHIFT__WEBHOOKS__ALLOW_UNVERIFIED=true",
                name("webhooks.validation")
            ));
        }
        if self.webhooks.validation && self.webhooks.stripe_secrets.is_empty() && !unverified_may_pass {
            refuse(format!(
                "{} is on but {} is missing: every Stripe webhook would be refused",
                name("webhooks.validation"),
                name("webhooks.stripe_secrets")
            ));
        }
        if self.messaging.sms_provider == SmsProvider::Twilio {
            let missing: Vec<_> = [
                ("twilio.account_sid", self.twilio.account_sid.is_none()),
                ("twilio.auth_tokens", self.twilio.auth_tokens.is_empty()),
            ]
            .into_iter()
            .filter(|(_, missing)| *missing)
            .map(|(key, _)| name(key))
            .collect();
            if !missing.is_empty() {
                refuse(format!("{}=twilio needs {}", name("messaging.sms_provider"), missing.join(" and ")));
            }
        }
        if self.twilio.api_key_sid.is_some() != self.twilio.api_key_secret.is_some() {
            refuse(format!(
                "{} and {} belong together: set both or none",
                name("twilio.api_key_sid"),
                name("twilio.api_key_secret")
            ));
        }
        let vapi = [
            ("vapi.api_key", self.vapi.api_key.is_none()),
            ("vapi.assistant_id", self.vapi.assistant_id.is_none()),
            ("vapi.phone_number_id", self.vapi.phone_number_id.is_none()),
        ];
        if self.calls.live && vapi.iter().any(|(_, missing)| *missing) {
            let missing: Vec<_> = vapi.iter().filter(|(_, missing)| *missing).map(|(key, _)| name(key)).collect();
            refuse(format!("{}=true needs {}", name("calls.live"), missing.join(" and ")));
        }
        let reports_unproven = self.vapi.api_key.is_some() && self.webhooks.vapi_secrets.is_empty();
        if self.webhooks.validation && reports_unproven && !unverified_may_pass {
            refuse(format!(
                "{} is on and VAPI is set up but {} is missing: every report of VAPI would be refused",
                name("webhooks.validation"),
                name("webhooks.vapi_secrets")
            ));
        }
        refusals
    }
}

fn name(key: &'static str) -> &'static str {
    plain_name(key).unwrap_or(key)
}
