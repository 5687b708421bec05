//! An answer that stops in the middle.

use std::time::Duration;

use axum::body::Body;
use serde_json::Value;

use super::server::HangUp;

/// Returns a body that sends the first half of the answer, pauses for `silence` and then closes the connection.
pub(super) fn half_a_body(answer: &Value, silence: Duration) -> Body {
    let mut text = answer.to_string();
    text.truncate(text.len() / 2);
    let first = futures_util::stream::iter([Ok(text)]);
    let rest = futures_util::stream::once(async move {
        tokio::time::sleep(silence).await;
        Err(HangUp)
    });
    Body::from_stream(futures_util::StreamExt::chain(first, rest))
}
