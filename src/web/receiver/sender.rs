//! The sender of an inbound text, by which texts are kept in order.

use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_jobs::webhook::opts;
use nightshift_providers::inbound::InboundText;

/// Returns the digits of the sender, or `None` for a text that no older text may hold back: one by which the sender opts
/// out or in.
pub(super) fn group_of(text: &InboundText, carrier: SmsCarrier) -> Option<String> {
    (!opts(text, carrier)).then(|| text.from.trim_start_matches('+').to_owned())
}
