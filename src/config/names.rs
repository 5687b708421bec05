//! The names of the environment variables that set keys: plain names, and a prefix for all others.

/// The prefix of variables that set any key: `NIGHTSHIFT__HTTP__PORT` sets `http.port`.
pub(super) const PREFIX: &str = "NIGHTSHIFT__";

/// Plain variable names and their keys.
pub(super) const PLAIN: &[(&str, &str)] = &[
    ("HOST", "http.host"),
    ("PORT", "http.port"),
    ("PUBLIC_URL", "http.public_url"),
    ("DATABASE_URL", "database.url"),
    ("ENABLE_AUTH", "auth.enabled"),
    ("SESSION_SECRET", "auth.session_secret"),
    ("ENABLE_WEBHOOK_VALIDATION", "webhooks.validation"),
    ("STRIPE_WEBHOOK_SECRET", "webhooks.stripe_secrets"),
    ("OPENPHONE_WEBHOOK_SECRET", "webhooks.openphone_secrets"),
    ("SMS_PROVIDER", "messaging.sms_provider"),
    ("ONBOARDING_NUMBER", "onboarding.number"),
    ("TWILIO_ACCOUNT_SID", "twilio.account_sid"),
    ("TWILIO_AUTH_TOKEN", "twilio.auth_tokens"),
    ("TWILIO_API_KEY_SID", "twilio.api_key_sid"),
    ("TWILIO_API_KEY_SECRET", "twilio.api_key_secret"),
    ("TWILIO_BASE_URL", "twilio.base_url"),
    ("OPENPHONE_API_KEY", "openphone.api_key"),
    ("OPENPHONE_BASE_URL", "openphone.base_url"),
    ("VAPI_WEBHOOK_SECRET", "webhooks.vapi_secrets"),
    ("LIVE_CALL_ENABLED", "calls.live"),
    ("ADMIN_TEST_PHONES", "calls.test_phones"),
    ("VAPI_API_KEY", "vapi.api_key"),
    ("VAPI_ASSISTANT_ID", "vapi.assistant_id"),
    ("VAPI_PHONE_NUMBER_ID", "vapi.phone_number_id"),
    ("VAPI_CREDENTIAL_ID", "vapi.credential_id"),
    ("VAPI_BASE_URL", "vapi.base_url"),
    ("LOG_FORMAT", "log.format"),
    ("RUST_LOG", "log.filter"),
];

/// Returns the key that a prefixed variable sets: `worker.concurrency.sms` for `NIGHTSHIFT__WORKER__CONCURRENCY__SMS`.
pub(super) fn prefixed_key(variable: &str) -> Option<String> {
    variable.strip_prefix(PREFIX).map(|rest| rest.to_lowercase().replace("__", "."))
}

/// Returns the plain variable name of a key, for messages.
pub(super) fn plain_name(key: &str) -> Option<&'static str> {
    PLAIN.iter().find(|(_, named)| *named == key).map(|(name, _)| *name)
}
