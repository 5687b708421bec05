//! Why a webhook's signature was refused, in the same words for every service.
//!
//! The reason is for the event log and metrics: it names what was wrong, never what was sent.

/// A webhook that is not proven to come from its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No secret is configured, so nothing can be verified.
    #[error("no secret is configured for this webhook")]
    NotConfigured,
    /// The signature header is absent or empty.
    #[error("the signature header is missing")]
    Missing,
    /// The header does not follow the service's grammar.
    #[error("the signature header is malformed")]
    Malformed,
    /// The header names a key that is not configured here.
    #[error("the signature names a key that is not configured")]
    UnknownKey,
    /// The digest the address carries is not that of the body.
    #[error("the body is not the one that was signed")]
    BodyMismatch,
    /// No signature fits the body under any configured secret.
    #[error("no signature matches")]
    NoMatch,
    /// The signature is good and older than the tolerance: a replay, or a clock that is wrong.
    #[error("the signature is {age_s} s old")]
    TooOld {
        /// Age in seconds by the receiver's clock.
        age_s: i64,
    },
}

impl SignatureError {
    /// The machine-readable reason.
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
