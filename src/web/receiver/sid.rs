//! The carrier's id of a text, as far as it is accepted.

use crate::web::error::{ApiError, Result};

/// The longest id of a text that is stored. Those of the carriers have about 34 characters.
const SID_CHARS_MAX: usize = 64;

/// Whether this can be the carrier's id of a text.
pub(super) fn is_sid(sid: &str) -> bool {
    sid.chars().count() <= SID_CHARS_MAX
}

/// Returns 422 if the carrier's id of a text can't be one. `field` names it in the body.
pub(super) fn expect_sid(sid: &str, field: &str) -> Result<()> {
    if !is_sid(sid) {
        return Err(ApiError::invalid(field, format!("has at most {SID_CHARS_MAX} characters")));
    }
    Ok(())
}
