//! The conversation of an inbound text, found or created and locked.

use nightshift_db::{Timestamp, Tx};

use super::consider::Routing;
use crate::ids::{ClientId, OrgId, SitterId};
use crate::messaging::numbers::{self, Number};
use crate::messaging::routing::{Destination, Sender};
use crate::messaging::threads::{self, Thread, ThreadStatus};
use crate::people::organizations::is_platform;
use crate::{Error, Result};

/// Where a text is stored.
pub(super) struct Place {
    pub thread: Thread,
    /// Whether the thread was created for this text.
    pub is_new: bool,
}

/// Finds or creates the conversation that a decision names, and locks it. Returns `None` if it was closed since the
/// decision was made, so that the text must be considered again.
pub(super) async fn find(tx: &mut Tx, routing: &Routing, now: Timestamp) -> Result<Option<Place>> {
    let number = &routing.office.number;
    let (thread, is_new) = match &routing.decision.destination {
        Destination::Thread(id) => (threads::lock(tx, id).await?, false),
        Destination::General => {
            let client = find_or_create_client(tx, &routing.office.org, &routing.from, now).await?;
            let (thread, is_new) = threads::find_or_create_general(tx, &client, &answered(routing), now).await?;
            (threads::lock(tx, &thread.id).await?, is_new)
        }
        Destination::OwnerSitter(sitter) => {
            let (thread, is_new) = owner_sitter(tx, sitter, number, now).await?;
            // Nobody can close it for good: a sitter can always write to the owner.
            return Ok(Some(Place { thread: threads::lock(tx, &thread.id).await?, is_new }));
        }
        Destination::Nowhere => return Err(Error::NotFound),
    };
    Ok((thread.status == ThreadStatus::Open).then_some(Place { thread, is_new }))
}

/// Returns the number of a text, with its sitter only if they are to answer: one who has left gets no conversations.
fn answered(routing: &Routing) -> Number {
    let mut number = routing.office.number.clone();
    number.assigned_sitter_id = number.assigned_sitter_id.filter(|id| routing.decision.sitter.as_ref() == Some(id));
    number
}

/// Returns the client with the sender's number or name, creating it with nothing else if there is none. Locks no client
/// that exists, because other transactions lock threads before clients.
async fn find_or_create_client(tx: &mut Tx, org: &OrgId, from: &Sender, now: Timestamp) -> Result<ClientId> {
    if let Some(client) = crate::messaging::routing::client(tx, org, from).await? {
        return Ok(client);
    }
    let sql = if is_platform(org) {
        "INSERT INTO clients (id, phone_number, created_at, updated_at) VALUES ($1, $2, $3, $3)
         ON CONFLICT ((replace(phone_number, '+', ''))) WHERE org_id IS NULL DO NOTHING"
    } else {
        "INSERT INTO clients (id, phone_number, created_at, updated_at, org_id) VALUES ($1, $2, $3, $3, $4)
         ON CONFLICT (org_id, (replace(phone_number, '+', ''))) WHERE org_id IS NOT NULL DO NOTHING"
    };
    let mut query = tx.query(sql).bind(ClientId::new(now)).bind(from.stored()).bind(now);
    if !is_platform(org) {
        query = query.bind(org);
    }
    query.execute().await?;
    crate::messaging::routing::client(tx, org, from).await?.ok_or(Error::NotFound)
}

/// Returns the thread of the owner with a sitter; true if it was created now. It gets the sitter's own number, else the
/// front desk's, else the one to which the sitter wrote.
async fn owner_sitter(tx: &mut Tx, sitter: &SitterId, number: &Number, now: Timestamp) -> Result<(Thread, bool)> {
    let stood = threads::of_owner_and_sitter(tx, &number.org_id, sitter).await?;
    if let Some(thread) = stood.filter(|thread| thread.message_number_id.is_some()) {
        return Ok((thread, false));
    }
    let own = numbers::of_sitter(tx, &number.org_id, sitter).await?;
    let front_desk = match own {
        Some(own) => Some(own),
        None => numbers::front_desk(tx, &number.org_id).await?,
    };
    let from = front_desk.as_ref().unwrap_or(number);
    threads::find_or_create_owner_sitter(tx, sitter, from, now).await
}
