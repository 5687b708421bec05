//! The texts that seem to ask for no more texts, until somebody has decided about them.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use crate::Result;
use crate::ids::{MessageId, OrgId, ThreadId};
use crate::messaging::message::MessageStatus;
use crate::phone::PhoneNumber;
use crate::stream;
use crate::text_enum::text_enum;

text_enum! {
    /// What is known about an inbound text that seems to ask for no more texts.
    pub enum OptOutWish {
        /// Nobody has decided about it.
        Suggested = "suggested",
        /// The person gets no more texts.
        Accepted = "accepted",
        /// The text meant something else, or the person has asked for texts again.
        Dismissed = "dismissed",
    }
}

/// Settles the suggestions of one thread. Returns their texts, oldest first.
pub(super) async fn settle_thread(
    tx: &mut Tx,
    org: &OrgId,
    thread: &ThreadId,
    decided: OptOutWish,
    now: Timestamp,
) -> Result<Vec<MessageId>> {
    let settled = tx
        .query(
            "UPDATE message_events SET opt_out_wish = $2, updated_at = $3
             WHERE thread_id = $1 AND opt_out_wish = 'suggested' RETURNING id, thread_id",
        )
        .bind(thread)
        .bind(decided)
        .bind(now)
        .all()
        .await?;
    announce(tx, org, settled, now).await
}

/// Settles the suggestions of all of a person's texts up to a time, which is the carrier's. Returns the texts, oldest
/// first.
pub(super) async fn settle_person(
    tx: &mut Tx,
    org: &OrgId,
    person: &PhoneNumber,
    until: Timestamp,
    decided: OptOutWish,
    now: Timestamp,
) -> Result<Vec<MessageId>> {
    let settled = tx
        .query(of_clients!(
            org,
            "UPDATE message_events SET opt_out_wish = $4, updated_at = $5
             WHERE opt_out_wish = 'suggested' AND COALESCE(provider_at, created_at) <= $3
               AND thread_id IN
                   (SELECT t.id FROM message_threads t
                    WHERE t.org_id = $1 AND t.client_id IN
                          (SELECT id FROM clients WHERE",
            "org_id",
            "AND replace(phone_number, '+', '') = $2)
                    UNION ALL
                    SELECT t.id FROM message_threads t
                    WHERE t.org_id = $1 AND t.scope = 'owner_sitter' AND t.assigned_sitter_id IN
                          (SELECT id FROM sitters WHERE org_id = $1 AND replace(phone_number, '+', '') = $2))
             RETURNING id, thread_id"
        ))
        .bind(org)
        .bind(person.digits())
        .bind(until)
        .bind(decided)
        .bind(now)
        .all()
        .await?;
    announce(tx, org, settled, now).await
}

/// Publishes that the texts have changed.
async fn announce(
    tx: &mut Tx,
    org: &OrgId,
    mut settled: Vec<(MessageId, ThreadId)>,
    now: Timestamp,
) -> Result<Vec<MessageId>> {
    settled.sort();
    for (message, thread) in &settled {
        let data = json!({"messageId": message, "threadId": thread, "status": MessageStatus::Received});
        for topic in ["threads".to_owned(), format!("thread:{thread}")] {
            stream::append(tx, Some(org), &topic, "message.status", &data, now).await?;
        }
    }
    Ok(settled.into_iter().map(|(message, _)| message).collect())
}
