//! The reasons for rejecting a webhook's signature, the same for all services.
//!
//! They appear in the event log and in metrics, and never contain what was sent.

/// The reason why a webhook is not proven to come from its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No secret is configured, so nothing can be verified.
    #[error("no secret is configured for this webhook")]
    NotConfigured,
    /// The signature header is absent or empty.
    #[error("the signature header is missing")]
    Missing,
    /// The header does not have the service's format.
    #[error("the signature header is malformed")]
    Malformed,
    /// The header names a key that is not configured.
    #[error("the signature names a key that is not configured")]
    UnknownKey,
    /// The digest in the address is not that of the body.
    #[error("the body is not the one that was signed")]
    BodyMismatch,
    /// No signature matches the body under any configured secret.
    #[error("no signature matches")]
    NoMatch,
    /// The signature matches but is older than the tolerance: a replay, or a wrong clock.
    #[error("the signature is {age_s} s old")]
    TooOld {
        /// Age in seconds by the local clock.
        age_s: i64,
    },
}

impl SignatureError {
    /// Returns a machine-readable code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::BodyMismatch => "body_mismatch",
            Self::NoMatch => "no_match",
            Self::TooOld { .. } => "too_old",
        }
    }
}
