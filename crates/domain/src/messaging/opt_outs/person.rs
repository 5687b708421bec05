//! The person on the other side of a conversation, and who has a number.

use nightshift_db::Tx;

use crate::Result;
use crate::ids::{ClientId, MessageId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;

/// Returns the number of the person to whom a thread's texts go. `None` within the organisation, and for a person who is
/// known by a short code or a name, to which nothing can be sent.
pub async fn of_thread(tx: &mut Tx, thread: &ThreadId) -> Result<Option<PhoneNumber>> {
    let found: Option<(Option<String>,)> = tx
        .query(
            "SELECT CASE t.scope WHEN 'internal' THEN NULL WHEN 'owner_sitter' THEN s.phone_number
                                 ELSE c.phone_number END
             FROM message_threads t
             LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN sitters s ON s.id = t.assigned_sitter_id
             WHERE t.id = $1",
        )
        .bind(thread)
        .optional()
        .await?;
    Ok(found.and_then(|(phone,)| PhoneNumber::stored(&phone?).ok()))
}

/// Returns the number of a client. `None` as for [`of_thread`].
pub async fn of_client(tx: &mut Tx, client: Option<&ClientId>) -> Result<Option<PhoneNumber>> {
    let found: Option<(String,)> =
        tx.query("SELECT phone_number FROM clients WHERE id = $1").bind(client).optional().await?;
    Ok(found.and_then(|(phone,)| PhoneNumber::stored(&phone).ok()))
}

/// Returns the number of a sitter, if it is known.
pub async fn of_sitter(tx: &mut Tx, sitter: Option<&SitterId>) -> Result<Option<PhoneNumber>> {
    let found: Option<(Option<String>,)> =
        tx.query("SELECT phone_number FROM sitters WHERE id = $1").bind(sitter).optional().await?;
    Ok(found.and_then(|(phone,)| PhoneNumber::stored(&phone?).ok()))
}

/// Who has a number in an organisation. A number may be a client's and a sitter's at once.
#[derive(sqlx::FromRow)]
pub(super) struct Named {
    pub client: Option<ClientId>,
    pub sitter: Option<SitterId>,
}

pub(super) async fn named(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber) -> Result<Named> {
    Ok(tx
        .query(of_clients!(
            org,
            "SELECT (SELECT MIN(id) FROM clients WHERE",
            "org_id",
            "AND replace(phone_number, '+', '') = $2) AS client,
                    (SELECT MIN(id) FROM sitters WHERE org_id = $1 AND replace(phone_number, '+', '') = $2) AS sitter"
        ))
        .bind(org)
        .bind(phone.digits())
        .one()
        .await?)
}

/// Returns the thread of a text.
pub(super) async fn thread_of(tx: &mut Tx, message: &MessageId) -> Result<Option<ThreadId>> {
    let found: Option<(ThreadId,)> =
        tx.query("SELECT thread_id FROM message_events WHERE id = $1").bind(message).optional().await?;
    Ok(found.map(|(thread,)| thread))
}
