//! The secrets under which a webhook may be signed: those in use, and the retired ones.

use nightshift_providers::openphone;
use nightshift_providers::twilio::signature::SharedKey;
use secrecy::SecretString;

use crate::config::Settings;

/// Secrets of all providers.
pub struct Secrets<'a> {
    pub stripe: &'a [SecretString],
    pub openphone: &'a [openphone::signature::Key],
    pub twilio_tokens: &'a [SecretString],
    pub twilio_shared_keys: &'a [SharedKey],
    pub vapi: &'a [SecretString],
}

impl<'a> Secrets<'a> {
    /// Returns the secrets under which webhooks are accepted.
    pub(super) fn in_use(settings: &'a Settings) -> Self {
        Self {
            stripe: &settings.webhooks.stripe_secrets,
            openphone: &settings.webhooks.openphone_secrets,
            twilio_tokens: &settings.twilio.auth_tokens,
            twilio_shared_keys: &settings.twilio.shared_keys,
            vapi: &settings.webhooks.vapi_secrets,
        }
    }

    /// Returns the secrets that only explain why a webhook is refused.
    pub(super) fn retired(settings: &'a Settings) -> Self {
        let retired = &settings.webhooks.retired_secrets;
        Self {
            stripe: &retired.stripe,
            openphone: &retired.openphone,
            twilio_tokens: &retired.twilio,
            twilio_shared_keys: &[],
            vapi: &retired.vapi,
        }
    }
}
