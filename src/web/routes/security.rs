//! How a caller proves who they are, as the document tells it.

use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use super::Route;

/// A proof of who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// An API key.
    Key,
    /// The cookie of a session.
    Session,
    /// The token of a request's link.
    RequestToken,
    /// The token that the operator has set for metrics.
    MetricsToken,
    /// Stripe's signature.
    Stripe,
    /// Twilio's signature.
    Twilio,
    /// VAPI's shared secret in a header of its own.
    VapiSecret,
    /// VAPI's shared secret as a bearer token.
    VapiBearer,
    /// VAPI's signature; its timestamp goes with it.
    VapiSignature,
    /// The time of VAPI's signature.
    VapiTimestamp,
}

impl Proof {
    const ALL: [Self; 10] = [
        Self::Key,
        Self::Session,
        Self::RequestToken,
        Self::MetricsToken,
        Self::Stripe,
        Self::Twilio,
        Self::VapiSecret,
        Self::VapiBearer,
        Self::VapiSignature,
        Self::VapiTimestamp,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Key => "apiKey",
            Self::Session => "session",
            Self::RequestToken => "requestToken",
            Self::MetricsToken => "metricsToken",
            Self::Stripe => "stripeSignature",
            Self::Twilio => "twilioSignature",
            Self::VapiSecret => "vapiSecret",
            Self::VapiBearer => "vapiBearer",
            Self::VapiSignature => "vapiSignature",
            Self::VapiTimestamp => "vapiTimestamp",
        }
    }

    fn scheme(self) -> SecurityScheme {
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
            Self::Twilio => header("X-Twilio-Signature", "Over `PUBLIC_URL`, the path and the form."),
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

/// Every kind of proof.
pub(super) fn schemes(components: ComponentsBuilder) -> ComponentsBuilder {
    Proof::ALL
        .into_iter()
        .fold(components, |components, proof| components.security_scheme(proof.name(), proof.scheme()))
}

/// What a request to this route must prove: one of these. None when anybody may come.
pub(super) fn requirements(route: &Route) -> Option<Vec<SecurityRequirement>> {
    let access = route.access;
    let mut any_of: Vec<SecurityRequirement> = route
        .proofs
        .iter()
        .map(|all_of| all_of.iter().fold(SecurityRequirement::default(), |all, proof| all.add(proof.name(), [""; 0])))
        .collect();
    if access.owner || access.sitter || access.ops {
        any_of.push(SecurityRequirement::new(Proof::Session.name(), [""; 0]));
    }
    any_of.extend(access.keys.iter().map(|scope| SecurityRequirement::new(Proof::Key.name(), [scope.as_str()])));
    if access.links {
        any_of.push(SecurityRequirement::new(Proof::RequestToken.name(), [""; 0]));
    }
    (!any_of.is_empty()).then_some(any_of)
}
