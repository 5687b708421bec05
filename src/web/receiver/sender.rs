//! The sender of an inbound text, by which texts are kept in order.

use nightshift_domain::messaging::opt_outs::{Keyword, keyword};
use nightshift_providers::inbound::InboundText;

/// Returns the digits of the sender, or `None` for a text that no older text may hold back: one by which the sender opts
/// out or in.
pub(super) fn group_of(text: &InboundText) -> Option<String> {
    let waits = text.keyword.is_none() && !matches!(keyword(&text.body), Some(Keyword::Stop | Keyword::Start));
    waits.then(|| text.from.trim_start_matches('+').to_owned())
}
