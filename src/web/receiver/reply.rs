//! The reply to an inbound text, which the answer to its webhook may carry.
//!
//! A text that answers an offer gets its reply from a job. The request waits for it for a moment
//! (`twilio.reply_wait_ms`), by looking at the event's row; then it and the job's fallback compete for the reply, and the
//! one that sets the channel first sends it. A request that waits holds no connection and no lock, and a limited number
//! wait at a time ([`replies_awaited_max`]): the reply of any other is sent as a text.

use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use nightshift_db::failpoint;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::Recorded;
use nightshift_domain::messaging::delivery::{ReplyState, answer_with_reply, reply_state};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::Settings;
use crate::web::error::Result;
use crate::web::routes::{Contract, Gives};
use crate::web::state::Web;

/// The time between the first two looks. It doubles up to [`LOOK_MAX`].
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(160);
/// One in this many of the requests that may be in flight may wait.
const WAITING_PART: usize = 4;

/// The most requests that wait for a reply at a time: a part of those that may be in flight.
pub fn replies_awaited_max(settings: &Settings) -> usize {
    settings.twilio.replies_awaited_max.min(settings.http.requests_in_flight_max.div_ceil(WAITING_PART))
}

/// An answer in TwiML, with a reply or without.
pub struct Twiml {
    reply: Option<String>,
}

impl Twiml {
    /// Returns the answer to a text that expects a reply at once: waits for its job, for a moment. The first of this
    /// answer and the job's fallback carries the reply, the other one does not. A repeated delivery gets the reply that
    /// an earlier answer carried.
    ///
    /// `arrived` is when the text did: storing it is a part of the wait.
    ///
    /// A failure of the database leaves the reply to the fallback: the text itself is stored.
    pub(super) async fn with_reply(web: &Web, recorded: &Recorded, arrived: Instant) -> Self {
        let reply = match reply_of(web, &recorded.inbox_id, arrived).await {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(inbox.id = %recorded.inbox_id, error = %error.message, "a reply was not put into the answer");
                None
            }
        };
        Self { reply }
    }

    /// Returns the answer without a reply.
    pub(super) const fn empty() -> Self {
        Self { reply: None }
    }
}

/// Returns the reply that the answer carries, if it carries one.
async fn reply_of(web: &Web, inbox: &InboxId, arrived: Instant) -> Result<Option<String>> {
    let take_max = web.settings.twilio.reply_take;
    // A request that is cut off after it took the reply would lose it.
    let wait_max = web.settings.http.request_timeout.saturating_sub(2 * take_max);
    let deadline = arrived + web.settings.twilio.reply_wait.min(wait_max);
    // An answer that carried the reply before, as to a repeated delivery, needs no place among those that wait, and is
    // looked for also when it is too late to wait.
    match timeout_at(deadline.max(Instant::now() + take_max), reply_state(&web.db, inbox)).await {
        Ok(state) => match state? {
            ReplyState::Answered(reply) => return Ok(Some(reply)),
            ReplyState::Nothing => return Ok(None),
            ReplyState::Ready | ReplyState::Open => {}
        },
        Err(_) => return Ok(None),
    }
    if failpoint::skips("reply.wait") || Instant::now() >= deadline {
        return Ok(None);
    }
    let Ok(waiting) = web.replies_awaited.try_acquire() else { return Ok(None) };
    let mut pause = LOOK_FIRST;
    loop {
        let looked = timeout_at(deadline, reply_state(&web.db, inbox)).await;
        match looked {
            Ok(state) => match state? {
                ReplyState::Answered(reply) => return Ok(Some(reply)),
                ReplyState::Nothing => return Ok(None),
                ReplyState::Ready => break,
                ReplyState::Open => {}
            },
            Err(_) => return Ok(None),
        }
        let next = Instant::now() + pause;
        if next >= deadline || web.closing.is_cancelled() {
            return Ok(None);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_MAX);
    }
    drop(waiting);
    let failed = match timeout_at(deadline + take_max, take(web, inbox)).await {
        Ok(Ok(taken)) => return Ok(taken),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    // A commit whose answer was lost or is late may have been made. Then this answer is the one that carries the reply.
    match (timeout(take_max, reply_state(&web.db, inbox)).await, failed) {
        (Ok(Ok(ReplyState::Answered(reply))), _) => Ok(Some(reply)),
        (_, Some(error)) => Err(error),
        (_, None) => Ok(None),
    }
}

/// Takes the reply for this answer, unless the fallback has it.
async fn take(web: &Web, inbox: &InboxId) -> Result<Option<String>> {
    let mut tx = web.db.begin().await?;
    let by = Actor::Webhook { inbox_id: inbox.clone() };
    let reply = answer_with_reply(&mut tx, inbox, &by, web.clock.now()).await?;
    failpoint::hit("twilio.reply.before_commit").await?;
    tx.commit().await?;
    Ok(reply)
}

impl IntoResponse for Twiml {
    fn into_response(self) -> Response {
        let body = match self.reply {
            None => "<Response/>".to_owned(),
            Some(reply) => format!("<Response><Message>{}</Message></Response>", escaped(&reply)),
        };
        ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
    }
}

/// Returns text as the content of an XML element. Characters that XML forbids even when escaped are left out.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => xml.push(char),
            // A parser would make a line feed of a carriage return that is not escaped.
            '\r' => xml.push_str("&#13;"),
            _ => {}
        }
    }
    xml
}

impl Gives for Twiml {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/xml");
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_xml_reserves_is_escaped_and_what_it_forbids_is_left_out() {
        assert_eq!(escaped("Tom & Jerry's \"<b>\""), "Tom &amp; Jerry&apos;s &quot;&lt;b&gt;&quot;");
        assert_eq!(escaped("a\u{0}b\u{8}c\u{1f}d\u{fffe}e\u{ffff}f"), "abcdef");
        assert_eq!(escaped("é\t\n\r👍"), "é\t\n&#13;👍");
    }

    #[test]
    fn no_character_ends_the_element_that_holds_it() {
        for char in '\0'..=char::MAX {
            let xml = escaped(&char.to_string());
            assert!(!xml.contains(['<', '>', '"', '\'']), "{char:?}");
            assert!(xml.chars().all(|char| char >= ' ' || matches!(char, '\t' | '\n')), "{char:?}");
        }
    }
}
