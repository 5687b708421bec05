//! When a provider's list proves that a request was never sent.
//!
//! A request that a list does not contain may still be on its way, so a list proves nothing until the permit to send the
//! request has expired and the longest request has ended. Whoever was frozen with the permit sends nothing later.

use std::time::Duration;

use nightshift_db::Timestamp;
use nightshift_providers::REQUEST_MAX;
use nightshift_queue::effects::PERMIT_LASTS;

/// How long after the intent a list that does not contain the request proves that it was not sent.
pub(crate) const LIST_PROVES_AFTER: Duration = Duration::from_secs(60);
/// For what a provider does after the connection has ended, and for the time until its list shows it.
const PROVIDER_SETTLES: Duration = Duration::from_secs(30);

const _: () = assert!(
    PERMIT_LASTS.as_secs() + REQUEST_MAX.as_secs() + PROVIDER_SETTLES.as_secs() <= LIST_PROVES_AFTER.as_secs(),
    "a list is taken as proof while the request may still be sent"
);

/// Returns from when on a list is proof for a request whose intent was stored at `asked_at`.
pub(crate) fn proven_from(asked_at: Timestamp) -> Timestamp {
    asked_at + LIST_PROVES_AFTER
}
