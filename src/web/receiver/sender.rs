//! The sender of an inbound text, by which texts are kept in order.

use nightshift_domain::messaging::opt_outs::{Keyword, keyword};
use nightshift_domain::phone::PhoneNumber;
use nightshift_providers::inbound::InboundText;
use sha2::{Digest, Sha256};

use crate::web::error::{ApiError, Result};

/// The longest id of a text that is stored. Those of the carriers have about 34 characters.
const SID_CHARS_MAX: usize = 64;

/// Returns 422 if the carrier's id of a text can't be one. `field` names it in the body.
pub(super) fn expect_sid(sid: &str, field: &str) -> Result<()> {
    if sid.chars().count() > SID_CHARS_MAX {
        return Err(ApiError::invalid(field, &format!("has at most {SID_CHARS_MAX} characters")));
    }
    Ok(())
}

/// Returns the digits of the sender, or `None` for a text that no older text may hold back: one by which the sender opts
/// out or in. A sender that is no phone number is shortened, because the key of a group is indexed.
pub(super) fn group_of(text: &InboundText) -> Option<String> {
    let waits = text.keyword.is_none() && !matches!(keyword(&text.body), Some(Keyword::Stop | Keyword::Start));
    waits.then(|| match PhoneNumber::stored(&text.from) {
        Ok(phone) => phone.digits().to_owned(),
        Err(_) => hex::encode(&Sha256::digest(text.from.as_bytes())[..8]),
    })
}
