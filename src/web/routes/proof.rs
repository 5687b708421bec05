//! The ways to prove the sender of a request, as the OpenAPI document names and explains them.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

/// A proof of the sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Key,
    /// The session cookie.
    Session,
    /// The token of a service request's link.
    RequestToken,
    /// The token that the operator has set for metrics.
    MetricsToken,
    Stripe,
    Twilio,
    /// The signature of a current webhook of OpenPhone. It is sent together with [`Proof::WebhookId`] and
    /// [`Proof::WebhookTimestamp`].
    WebhookSignature,
    /// The id that [`Proof::WebhookSignature`] covers.
    WebhookId,
    /// The time that [`Proof::WebhookSignature`] covers.
    WebhookTimestamp,
    /// The signature of a legacy webhook of OpenPhone.
    OpenPhone,
    /// VAPI's shared secret in its own header.
    VapiSecret,
    /// VAPI's shared secret as a bearer token.
    VapiBearer,
    /// VAPI's signature. It is sent together with [`Proof::VapiTimestamp`].
    VapiSignature,
    /// The timestamp that VAPI's signature covers.
    VapiTimestamp,
}

impl Proof {
    pub(super) const ALL: [Self; 14] = [
        Self::Key,
        Self::Session,
        Self::RequestToken,
        Self::MetricsToken,
        Self::Stripe,
        Self::Twilio,
        Self::WebhookSignature,
        Self::WebhookId,
        Self::WebhookTimestamp,
        Self::OpenPhone,
        Self::VapiSecret,
        Self::VapiBearer,
        Self::VapiSignature,
        Self::VapiTimestamp,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key => "apiKey",
            Self::Session => "session",
            Self::RequestToken => "requestToken",
            Self::MetricsToken => "metricsToken",
            Self::Stripe => "stripeSignature",
            Self::Twilio => "twilioSignature",
            Self::WebhookSignature => "webhookSignature",
            Self::WebhookId => "webhookId",
            Self::WebhookTimestamp => "webhookTimestamp",
            Self::OpenPhone => "openphoneSignature",
            Self::VapiSecret => "vapiSecret",
            Self::VapiBearer => "vapiBearer",
            Self::VapiSignature => "vapiSignature",
            Self::VapiTimestamp => "vapiTimestamp",
        }
    }

    pub(super) fn scheme(self) -> SecurityScheme {
        match self {
            Self::Key => bearer("`jk_...`, made by `nightshift api-keys create`. Its scopes decide what it may do."),
            Self::Session => SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "session",
                "Set by `POST /api/auth/login`.",
            ))),
            Self::RequestToken => {
                header("X-Request-Token", "The `t` of a request's link. It opens that request and nothing else.")
            }
            Self::MetricsToken => bearer("The setting `http.metrics_token`."),
            Self::Stripe => header("Stripe-Signature", "At most 300 seconds old."),
            Self::Twilio => header("X-Twilio-Signature", "Covers `PUBLIC_URL`, the path and the form."),
            Self::WebhookSignature => header(
                "webhook-signature",
                "Standard Webhooks: `v1,` and HMAC-SHA256 of `{id}.{timestamp}.{body}`, in base64.",
            ),
            Self::WebhookId => header("webhook-id", "The id that `webhook-signature` covers."),
            Self::WebhookTimestamp => {
                header("webhook-timestamp", "The time that `webhook-signature` covers, at most 300 seconds old.")
            }
            Self::OpenPhone => header(
                "openphone-signature",
                "Legacy: `hmac;1;{timestamp};{signature}`, HMAC-SHA256 of `{timestamp}.{body}`, in base64, at most 300 \
                 seconds old.",
            ),
            Self::VapiSecret => header("X-Vapi-Secret", "The shared secret."),
            Self::VapiBearer => bearer("The shared secret."),
            Self::VapiSignature => header("X-Signature", "HMAC-SHA256 of `{timestamp}.{body}`, in hex."),
            Self::VapiTimestamp => header("X-Timestamp", "The time that `X-Signature` covers."),
        }
    }
}

fn header(name: &str, description: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
}

fn bearer(description: &str) -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build())
}
