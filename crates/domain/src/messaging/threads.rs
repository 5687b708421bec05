//! Threads: one for each conversation, with the masking number that its texts are sent from.

use nightshift_db::{Db, Engine, Timestamp, Tx};
use serde_json::json;

use super::numbers::{Number, NumberClass};
use super::unread;
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::bookings::Booking;
use crate::ids::{BookingId, ClientId, NumberId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;
use crate::stream;
use crate::text_enum::text_enum;
use crate::{Error, Result};

pub use super::mailbox::{Mailbox, mailbox};
pub use super::scope::Scope;
pub use super::unread::received;

text_enum! {
    pub enum ThreadStatus {
        Open = "open",
        /// Nothing can be posted.
        Closed = "closed",
    }
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Thread {
    pub id: ThreadId,
    pub org_id: OrgId,
    pub scope: Scope,
    /// Set for a thread of one booking.
    pub booking_id: Option<BookingId>,
    /// Set for a thread with a client.
    pub client_id: Option<ClientId>,
    pub assigned_sitter_id: Option<SitterId>,
    /// The masking number from which its texts are sent.
    pub message_number_id: Option<NumberId>,
    /// Copy of the number's `e164`.
    pub masked_number_e164: Option<PhoneNumber>,
    /// Copy of the number's class.
    pub number_class: Option<NumberClass>,
    pub status: ThreadStatus,
    /// Time of the latest text in either direction.
    pub last_message_at: Option<Timestamp>,
    /// Time of the latest inbound text.
    pub last_inbound_at: Option<Timestamp>,
    /// When the owner put it away. An inbound text clears it.
    pub done_at: Option<Timestamp>,
    /// The number of inbound texts so far.
    pub arrivals: i64,
    pub created_at: Timestamp,
}

macro_rules! thread_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, scope, booking_id, client_id, assigned_sitter_id, message_number_id, masked_number_e164,
              number_class, status, last_message_at, last_inbound_at, done_at, arrivals, created_at ",
            $after
        )
    };
}

const BY_ID: &str = thread_columns!("SELECT", "FROM message_threads WHERE id = $1");
const BY_ID_LOCKED: &str = thread_columns!("SELECT", "FROM message_threads WHERE id = $1 FOR NO KEY UPDATE");

const OPEN_GENERAL: &str = thread_columns!(
    "SELECT",
    "FROM message_threads
     WHERE org_id = $1 AND client_id = $2 AND message_number_id = $3 AND scope = 'client_general' AND status = 'open'"
);
const OPEN_GENERAL_LOCKED: &str = thread_columns!(
    "SELECT",
    "FROM message_threads
     WHERE org_id = $1 AND client_id = $2 AND message_number_id = $3 AND scope = 'client_general' AND status = 'open'
     FOR NO KEY UPDATE"
);

/// Returns one thread of an organisation.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such thread.
pub(super) async fn get(db: &Db, org: &OrgId, id: &ThreadId) -> Result<Thread> {
    let thread: Option<Thread> = db.read(BY_ID).bind(id).optional().await?;
    thread.filter(|thread| thread.org_id == *org).ok_or(Error::NotFound)
}

/// Loads a thread and locks its row until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn lock(tx: &mut Tx, id: &ThreadId) -> Result<Thread> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

pub async fn of_booking(tx: &mut Tx, booking: &BookingId) -> Result<Option<Thread>> {
    let thread = tx
        .query(thread_columns!("SELECT", "FROM message_threads WHERE booking_id = $1 AND scope = 'client_booking'"))
        .bind(booking)
        .optional()
        .await?;
    Ok(thread)
}

/// Returns the booking's only thread, creating it if necessary; true if it was created now. The booking's sitter
/// becomes the thread's sitter.
pub async fn find_or_create_for_booking(tx: &mut Tx, booking: &Booking, now: Timestamp) -> Result<(Thread, bool)> {
    let made: Option<Thread> = tx
        .query(thread_columns!(
            "INSERT INTO message_threads
                 (id, org_id, scope, booking_id, client_id, assigned_sitter_id, created_at, updated_at)
             VALUES ($1, $2, 'client_booking', $3, $4, $5, $6, $6)
             ON CONFLICT (booking_id) WHERE scope = 'client_booking' DO NOTHING
             RETURNING",
            ""
        ))
        .bind(ThreadId::new(now))
        .bind(&booking.org_id)
        .bind(&booking.id)
        .bind(&booking.client_id)
        .bind(&booking.sitter_id)
        .bind(now)
        .optional()
        .await?;
    if let Some(thread) = made {
        return Ok((thread, true));
    }
    let mut thread = of_booking(tx, &booking.id).await?.ok_or(Error::NotFound)?;
    if thread.assigned_sitter_id != booking.sitter_id {
        announce(tx, &thread, booking.sitter_id.as_ref(), now).await?;
        thread = set_sitter(tx, &thread.id, booking.sitter_id.as_ref(), now).await?;
    }
    Ok((thread, false))
}

/// Returns a client's open general thread on a number, creating it if necessary; true if it was created now. The thread
/// is locked, so it stays open until the transaction ends.
pub async fn find_or_create_general(
    tx: &mut Tx,
    client: &ClientId,
    number: &Number,
    now: Timestamp,
) -> Result<(Thread, bool)> {
    loop {
        let made: Option<Thread> = tx
            .query(thread_columns!(
                "INSERT INTO message_threads
                     (id, org_id, scope, client_id, assigned_sitter_id, message_number_id, masked_number_e164,
                      number_class, created_at, updated_at)
                 VALUES ($1, $2, 'client_general', $3, $4, $5, $6, $7, $8, $8)
                 ON CONFLICT (org_id, client_id, message_number_id)
                     WHERE scope = 'client_general' AND status = 'open' DO NOTHING
                 RETURNING",
                ""
            ))
            .bind(ThreadId::new(now))
            .bind(&number.org_id)
            .bind(client)
            .bind(&number.assigned_sitter_id)
            .bind(&number.id)
            .bind(number.e164.e164())
            .bind(number.number_class)
            .bind(now)
            .optional()
            .await?;
        if let Some(thread) = made {
            return Ok((thread, true));
        }
        let sql = match tx.engine() {
            Engine::Postgres => OPEN_GENERAL_LOCKED,
            Engine::Sqlite => OPEN_GENERAL,
        };
        let open: Option<Thread> = tx.query(sql).bind(&number.org_id).bind(client).bind(&number.id).optional().await?;
        if let Some(thread) = open {
            return Ok((thread, false));
        }
        // The thread that stood in the way was closed meanwhile.
    }
}

/// Returns the thread of the owner with a sitter, creating it on this number if necessary; true if it was created now.
/// An existing thread keeps its number.
pub async fn find_or_create_owner_sitter(
    tx: &mut Tx,
    sitter: &SitterId,
    number: &Number,
    now: Timestamp,
) -> Result<(Thread, bool)> {
    let inserted = tx
        .query(
            "INSERT INTO message_threads (id, org_id, scope, assigned_sitter_id, created_at, updated_at)
             VALUES ($1, $2, 'owner_sitter', $3, $4, $4)
             ON CONFLICT (org_id, assigned_sitter_id) WHERE scope = 'owner_sitter' DO NOTHING",
        )
        .bind(ThreadId::new(now))
        .bind(&number.org_id)
        .bind(sitter)
        .bind(now)
        .execute()
        .await?;
    let thread: Thread = tx
        .query(thread_columns!(
            "SELECT",
            "FROM message_threads WHERE org_id = $1 AND assigned_sitter_id = $2 AND scope = 'owner_sitter'"
        ))
        .bind(&number.org_id)
        .bind(sitter)
        .one()
        .await?;
    if thread.message_number_id.is_some() {
        return Ok((thread, inserted == 1));
    }
    Ok((assign_number(tx, &thread.id, number, now).await?, inserted == 1))
}

/// Returns the thread of the owner with a sitter, if there is one.
pub(super) async fn of_owner_and_sitter(tx: &mut Tx, org: &OrgId, sitter: &SitterId) -> Result<Option<Thread>> {
    let thread = tx
        .query(thread_columns!(
            "SELECT",
            "FROM message_threads WHERE org_id = $1 AND assigned_sitter_id = $2 AND scope = 'owner_sitter'"
        ))
        .bind(org)
        .bind(sitter)
        .optional()
        .await?;
    Ok(thread)
}

/// Gives a thread its masking number.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn assign_number(tx: &mut Tx, id: &ThreadId, number: &Number, now: Timestamp) -> Result<Thread> {
    tx.query(thread_columns!(
        "UPDATE message_threads
         SET message_number_id = $2, masked_number_e164 = $3, number_class = $4, updated_at = $5
         WHERE id = $1 RETURNING",
        ""
    ))
    .bind(id)
    .bind(&number.id)
    .bind(number.e164.e164())
    .bind(number.number_class)
    .bind(now)
    .optional()
    .await?
    .ok_or(Error::NotFound)
}

/// Assigns a thread to a sitter, or back to the owner with `None`. Texts that the sitter has left unread count for the
/// one who reads the thread now.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn set_sitter(tx: &mut Tx, id: &ThreadId, sitter: Option<&SitterId>, now: Timestamp) -> Result<Thread> {
    let thread: Option<Thread> = tx
        .query(thread_columns!(
            "UPDATE message_threads SET assigned_sitter_id = $2, updated_at = $3 WHERE id = $1 RETURNING",
            ""
        ))
        .bind(id)
        .bind(sitter)
        .bind(now)
        .optional()
        .await?;
    let thread = thread.ok_or(Error::NotFound)?;
    unread::recount(tx, id).await?;
    Ok(thread)
}

/// Opens or closes a thread.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn set_status(tx: &mut Tx, id: &ThreadId, status: ThreadStatus, now: Timestamp) -> Result<Thread> {
    tx.query(thread_columns!("UPDATE message_threads SET status = $2, updated_at = $3 WHERE id = $1 RETURNING", ""))
        .bind(id)
        .bind(status)
        .bind(now)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

/// Tells those who watch a thread that it changed: its owner, its sitter, and the one who becomes its sitter.
pub(crate) async fn announce(tx: &mut Tx, thread: &Thread, next: Option<&SitterId>, now: Timestamp) -> Result<()> {
    let mut topics = vec!["threads".to_owned(), format!("thread:{}", thread.id)];
    let sitters =
        [thread.assigned_sitter_id.as_ref(), next.filter(|next| thread.assigned_sitter_id.as_ref() != Some(*next))];
    topics.extend(sitters.into_iter().flatten().map(|sitter| format!("sitter:{sitter}")));
    for topic in topics {
        stream::append(tx, Some(&thread.org_id), &topic, "thread.changed", &json!({"threadId": thread.id}), now)
            .await?;
    }
    Ok(())
}

impl Thread {
    /// Starts an audit entry with the status `warning` about this thread.
    pub(crate) fn warning(&self, event: Event, by: &Actor) -> Entry {
        self.entry(event, "warning", by)
    }

    /// Starts an audit entry about this thread.
    pub(crate) fn entry(&self, event: Event, status: &'static str, by: &Actor) -> Entry {
        let mut entry = crate::audit_entry(event, status, by).org(&self.org_id).thread(&self.id);
        if let Some(client) = &self.client_id {
            entry = entry.client(client);
        }
        if let Some(booking) = &self.booking_id {
            entry = entry.booking(booking).correlation(booking.as_ref());
        }
        entry
    }
}
