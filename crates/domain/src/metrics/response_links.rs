//! Links between a client's text and its answer by a sitter or the owner.
//!
//! A thread has at most one open link: a client who writes three texts waits for one answer. Automatic texts answer
//! nothing. A link that nobody answers within [`ANSWER_WITHIN`] expires. Whether it has is decided by the clock and not
//! by when [`expire`] runs, so an answer a minute too late is too late at any hour.
//!
//! Links are opened and answered under the thread's lock, so an answer never misses the text that came before it. A
//! text that becomes known after an answer is not answered by it, even if the carrier received the text earlier:
//! whoever wrote the answer had not read it.
//!
//! Nobody can answer a person who wants no texts, so their texts get no links, and their open links expire without
//! counting for anybody.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::figures::{ANSWER_WITHIN, overdue};
use crate::Result;
use crate::ids::{MessageId, OrgId, ResponseLinkId, SitterId, ThreadId};
use crate::phone::PhoneNumber;

/// A client's text.
#[derive(Debug, Clone)]
pub struct ClientWrote<'a> {
    pub org: &'a OrgId,
    pub thread: &'a ThreadId,
    pub message: &'a MessageId,
    /// The sitter of the active window, or to whom the text was routed.
    pub sitter: Option<&'a SitterId>,
    /// The carrier's time of the text.
    pub at: Timestamp,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responder {
    Sitter,
    Owner,
}

impl Responder {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sitter => "sitter",
            Self::Owner => "owner",
        }
    }
}

/// Opens a link for a client's text, unless one is open in the thread. The caller holds the thread's lock, and the
/// client's wish to get texts. Returns the sitter whose figures change because the thread's earlier link expired.
///
/// A text that becomes known more than [`ANSWER_WITHIN`] late, after an outage, gets no link, because nobody could have
/// answered it in time. The second call for a text changes nothing.
pub async fn open(tx: &mut Tx, wrote: &ClientWrote<'_>, now: Timestamp) -> Result<Option<SitterId>> {
    if overdue(wrote.at, now) {
        return Ok(None);
    }
    let expired: Option<(Option<SitterId>,)> = tx
        .query(
            "UPDATE message_response_links SET status = 'expired', updated_at = $3
             WHERE thread_id = $1 AND status = 'open' AND required_at <= $2 RETURNING sitter_id",
        )
        .bind(wrote.thread)
        .bind(now - ANSWER_WITHIN)
        .bind(now)
        .optional()
        .await?;
    tx.query(
        "INSERT INTO message_response_links
             (id, org_id, thread_id, requires_response_event_id, sitter_id, required_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING",
    )
    .bind(ResponseLinkId::new(now))
    .bind(wrote.org)
    .bind(wrote.thread)
    .bind(wrote.message)
    .bind(wrote.sitter)
    .bind(wrote.at)
    .bind(now)
    .execute()
    .await?;
    Ok(expired.and_then(|(sitter,)| sitter))
}

#[derive(sqlx::FromRow)]
struct OpenLink {
    id: ResponseLinkId,
    sitter_id: Option<SitterId>,
    required_at: Timestamp,
}

/// Answers the open link of a thread by a text of the owner or a sitter. The caller holds the thread's lock. Returns
/// the sitter whose figures change.
pub async fn answer(
    tx: &mut Tx,
    thread: &ThreadId,
    message: &MessageId,
    responder: Responder,
    now: Timestamp,
) -> Result<Option<SitterId>> {
    let link: Option<OpenLink> = tx
        .query("SELECT id, sitter_id, required_at FROM message_response_links WHERE thread_id = $1 AND status = 'open'")
        .bind(thread)
        .optional()
        .await?;
    let Some(link) = link else { return Ok(None) };
    // The job that expires links holds no lock of the thread, so the status is checked again.
    let closing = if overdue(link.required_at, now) {
        tx.query(
            "UPDATE message_response_links SET status = 'expired', updated_at = $2 WHERE id = $1 AND status = 'open'",
        )
        .bind(&link.id)
        .bind(now)
    } else {
        tx.query(
            "UPDATE message_response_links
             SET status = 'answered', response_event_id = $2, responder_type = $3, response_seconds = $4, updated_at = $5
             WHERE id = $1 AND status = 'open'",
        )
        .bind(&link.id)
        .bind(message)
        .bind(responder.as_str())
        .bind(whole_seconds(now.since(link.required_at)))
        .bind(now)
    };
    closing.execute().await?;
    Ok(link.sitter_id)
}

/// Ends the open links of a client who can't be answered any more, because they want no texts. They count for nobody.
/// What was not answered in time before stays as it is. The caller holds the person's wish.
pub async fn end_unanswerable(tx: &mut Tx, org: &OrgId, person: &PhoneNumber, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE message_response_links SET status = 'expired', sitter_id = NULL, updated_at = $4
         WHERE status = 'open' AND required_at > $3
           AND thread_id IN (SELECT t.id FROM message_threads t JOIN clients c ON c.id = t.client_id
                             WHERE t.org_id = $1 AND c.org_id = $1 AND replace(c.phone_number, '+', '') = $2)",
    )
    .bind(org)
    .bind(person.digits())
    .bind(now - ANSWER_WITHIN)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Returns a duration in whole seconds, rounded down. A carrier's clock that is ahead gives 0, since
/// [`Timestamp::since`] is never negative.
fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// What [`expire`] did.
#[derive(Debug, Clone, Default)]
pub struct Expired {
    /// The number of links that expired.
    pub links: usize,
    /// The sitters whose figures change, without repeats, in the order of their ids.
    pub sitters: Vec<SitterId>,
}

/// Expires up to `limit` open links that were not answered in time.
pub async fn expire(tx: &mut Tx, limit: i64, now: Timestamp) -> Result<Expired> {
    let expired: Vec<(Option<SitterId>,)> = tx
        .query(
            "UPDATE message_response_links SET status = 'expired', updated_at = $2
             WHERE status = 'open'
               AND id IN (SELECT id FROM message_response_links WHERE status = 'open' AND required_at <= $1
                          ORDER BY required_at, id LIMIT $3)
             RETURNING sitter_id",
        )
        .bind(now - ANSWER_WITHIN)
        .bind(now)
        .bind(limit)
        .all()
        .await?;
    let links = expired.len();
    let mut sitters: Vec<SitterId> = expired.into_iter().filter_map(|(sitter,)| sitter).collect();
    sitters.sort_unstable();
    sitters.dedup();
    Ok(Expired { links, sitters })
}
