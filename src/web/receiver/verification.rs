//! What a signature, or its absence, means for a delivery. One pure table.

use axum::http::StatusCode;
use nightshift_providers::SignatureError;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored.
    Accept {
        /// Whether its origin is proven.
        verified: bool,
    },
    /// It is refused and nothing of it is stored.
    Refuse {
        /// 401 where signatures are required, 400 where only a wrong one is refused.
        status: StatusCode,
        /// What was wrong with the signature, in one word.
        reason: &'static str,
    },
}

/// Decides by whether signatures are required and what the provider's check said.
///
/// Where they are not required, an unsigned delivery passes as unverified, and so does any while no secret is there to
/// check it with; a signature that was checked and is wrong is refused all the same.
#[must_use]
pub fn decide(required: bool, proof: &Result<(), SignatureError>) -> Verdict {
    match proof {
        Ok(()) => Verdict::Accept { verified: true },
        Err(SignatureError::Missing | SignatureError::NotConfigured) if !required => {
            Verdict::Accept { verified: false }
        }
        Err(error) => {
            let status = if required { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
            Verdict::Refuse { status, reason: error.reason() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: [SignatureError; 5] = [
        SignatureError::Malformed,
        SignatureError::UnknownKey,
        SignatureError::BodyMismatch,
        SignatureError::NoMatch,
        SignatureError::TooOld { age_s: 301 },
    ];

    fn refused(status: StatusCode, error: SignatureError) -> Verdict {
        Verdict::Refuse { status, reason: error.reason() }
    }

    #[test]
    fn required_and_valid_is_verified() {
        assert_eq!(decide(true, &Ok(())), Verdict::Accept { verified: true });
    }

    #[test]
    fn required_and_anything_else_is_unauthorized() {
        for error in WRONG.into_iter().chain([SignatureError::Missing, SignatureError::NotConfigured]) {
            assert_eq!(decide(true, &Err(error)), refused(StatusCode::UNAUTHORIZED, error));
        }
    }

    #[test]
    fn not_required_and_unsigned_or_without_a_secret_is_unverified() {
        for error in [SignatureError::Missing, SignatureError::NotConfigured] {
            assert_eq!(decide(false, &Err(error)), Verdict::Accept { verified: false });
        }
    }

    #[test]
    fn not_required_and_valid_is_verified() {
        assert_eq!(decide(false, &Ok(())), Verdict::Accept { verified: true });
    }

    #[test]
    fn not_required_and_wrong_is_a_bad_request() {
        for error in WRONG {
            assert_eq!(decide(false, &Err(error)), refused(StatusCode::BAD_REQUEST, error));
        }
    }
}
