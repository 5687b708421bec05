//! Decides what a valid, wrong or missing signature means for a delivery. A pure function.

use axum::http::StatusCode;
use nightshift_providers::SignatureError;

/// The decision about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stores the delivery.
    Accept {
        /// Whether the sender is verified.
        verified: bool,
    },
    /// Refuses the delivery. Its payload is not stored.
    Refuse {
        /// 401 if signatures are required, 400 if they are not and this one is wrong.
        status: StatusCode,
        /// What was wrong with the signature, in one word.
        reason: &'static str,
    },
}

/// The reason of a refusal whose signature is that of a secret that is no longer in use.
pub const PREVIOUS_SECRET: &str = "previous_secret";

/// Returns whether a refused delivery was signed with a retired secret. `refused` is the result of the check under the
/// secrets in use, and `retired` that of the check under the retired ones.
#[must_use]
pub fn is_by_previous_secret(refused: SignatureError, retired: impl FnOnce() -> Result<(), SignatureError>) -> bool {
    // Under a secret in use, a signature that is too old has matched.
    let unmatched = !matches!(refused, SignatureError::Missing | SignatureError::TooOld { .. });
    unmatched && matches!(retired(), Ok(()) | Err(SignatureError::TooOld { .. }))
}

/// Decides from `required` (whether signatures are required) and the result of the provider's check.
///
/// If signatures are not required, an unsigned delivery is accepted as unverified, and so is every delivery while no
/// secret is configured. A wrong signature is refused in any case.
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
    fn only_what_fits_no_secret_in_use_is_compared_with_retired_ones() {
        let too_old = SignatureError::TooOld { age_s: 301 };
        for refused in [SignatureError::NoMatch, SignatureError::UnknownKey, SignatureError::NotConfigured] {
            assert!(is_by_previous_secret(refused, || Ok(())));
            assert!(is_by_previous_secret(refused, || Err(too_old)));
            assert!(!is_by_previous_secret(refused, || Err(SignatureError::NoMatch)));
            assert!(!is_by_previous_secret(refused, || Err(SignatureError::NotConfigured)));
        }
        for refused in [SignatureError::Missing, too_old] {
            assert!(!is_by_previous_secret(refused, || Ok(())));
        }
    }

    #[test]
    fn not_required_and_wrong_is_a_bad_request() {
        for error in WRONG {
            assert_eq!(decide(false, &Err(error)), refused(StatusCode::BAD_REQUEST, error));
        }
    }
}
