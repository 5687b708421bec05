//! Threads: one conversation each, kept together by a masking number.

use nightshift_db::{Db, Engine, Timestamp, Tx};

use super::numbers::{Number, NumberClass};
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::bookings::Booking;
use crate::ids::{BookingId, ClientId, NumberId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::{Error, Result};

pub use super::scope::Scope;

text_enum! {
    /// Whether a conversation goes on.
    pub enum ThreadStatus {
        /// It does.
        Open = "open",
        /// It does not; nothing can be posted.
        Closed = "closed",
    }
}

text_enum! {
    /// Whose list a thread is in. Derived, never stored: every thread is in exactly one mailbox.
    pub enum Mailbox {
        /// The owner's.
        Owner = "owner",
        /// The assigned sitter's.
        Sitter = "sitter",
    }
}

/// The mailbox of a thread: the sitter's iff a sitter is assigned and it is a conversation with a client.
#[must_use]
pub fn mailbox(scope: Scope, assigned_sitter: Option<&SitterId>) -> Mailbox {
    match (scope, assigned_sitter) {
        (Scope::ClientBooking | Scope::ClientGeneral, Some(_)) => Mailbox::Sitter,
        _ => Mailbox::Owner,
    }
}

/// A thread as it is stored.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Whose it is.
    pub org_id: OrgId,
    /// What it is about.
    pub scope: Scope,
    /// The booking, for a booking's thread.
    pub booking_id: Option<BookingId>,
    /// The client, for conversations with one.
    pub client_id: Option<ClientId>,
    /// The sitter.
    pub assigned_sitter_id: Option<SitterId>,
    /// The masking number its texts leave from.
    pub message_number_id: Option<NumberId>,
    /// Copy of that number.
    pub masked_number_e164: Option<PhoneNumber>,
    /// Copy of its class.
    pub number_class: Option<NumberClass>,
    /// Whether it goes on.
    pub status: ThreadStatus,
    /// The latest text in either direction.
    pub last_message_at: Option<Timestamp>,
    /// The latest text from outside.
    pub last_inbound_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
}

macro_rules! thread_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, scope, booking_id, client_id, assigned_sitter_id, message_number_id, masked_number_e164,
              number_class, status, last_message_at, last_inbound_at, created_at ",
            $after
        )
    };
}

const BY_ID: &str = thread_columns!("SELECT", "FROM message_threads WHERE id = $1");
const BY_ID_LOCKED: &str = thread_columns!("SELECT", "FROM message_threads WHERE id = $1 FOR NO KEY UPDATE");

/// One thread of an organisation.
///
/// # Errors
/// [`Error::NotFound`] when the organisation has no such thread.
pub(super) async fn get(db: &Db, org: &OrgId, id: &ThreadId) -> Result<Thread> {
    let thread: Option<Thread> = db.read(BY_ID).bind(id).optional().await?;
    thread.filter(|thread| thread.org_id == *org).ok_or(Error::NotFound)
}

/// The thread, held until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn lock(tx: &mut Tx, id: &ThreadId) -> Result<Thread> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// A booking's thread, if it has one.
///
/// # Errors
/// When the database can't be read.
pub async fn of_booking(tx: &mut Tx, booking: &BookingId) -> Result<Option<Thread>> {
    let thread = tx
        .query(thread_columns!("SELECT", "FROM message_threads WHERE booking_id = $1 AND scope = 'client_booking'"))
        .bind(booking)
        .optional()
        .await?;
    Ok(thread)
}

/// A booking's one thread, made if it has none; true when it was made now. The booking's sitter becomes the thread's.
///
/// # Errors
/// When the database refuses.
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
        thread = set_sitter(tx, &thread.id, booking.sitter_id.as_ref(), now).await?;
    }
    Ok((thread, false))
}

/// A client's open general thread on a number, made if there is none; true when it was made now.
///
/// # Errors
/// When the database refuses.
pub async fn find_or_create_general(
    tx: &mut Tx,
    client: &ClientId,
    number: &Number,
    now: Timestamp,
) -> Result<(Thread, bool)> {
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
    let thread = tx
        .query(thread_columns!(
            "SELECT",
            "FROM message_threads
             WHERE org_id = $1 AND client_id = $2 AND message_number_id = $3
               AND scope = 'client_general' AND status = 'open'"
        ))
        .bind(&number.org_id)
        .bind(client)
        .bind(&number.id)
        .one()
        .await?;
    Ok((thread, false))
}

/// The thread of the owner with a sitter, made on this number if there is none; one that stands keeps its number.
///
/// # Errors
/// When the database refuses.
pub async fn find_or_create_owner_sitter(
    tx: &mut Tx,
    sitter: &SitterId,
    number: &Number,
    now: Timestamp,
) -> Result<Thread> {
    tx.query(
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
        return Ok(thread);
    }
    assign_number(tx, &thread.id, number, now).await
}

/// Gives a thread its masking number.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thread.
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

/// Hands a thread to a sitter, or back to the owner.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thread.
pub async fn set_sitter(tx: &mut Tx, id: &ThreadId, sitter: Option<&SitterId>, now: Timestamp) -> Result<Thread> {
    tx.query(thread_columns!(
        "UPDATE message_threads SET assigned_sitter_id = $2, updated_at = $3 WHERE id = $1 RETURNING",
        ""
    ))
    .bind(id)
    .bind(sitter)
    .bind(now)
    .optional()
    .await?
    .ok_or(Error::NotFound)
}

/// Opens or closes a thread.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thread.
pub async fn set_status(tx: &mut Tx, id: &ThreadId, status: ThreadStatus, now: Timestamp) -> Result<Thread> {
    tx.query(thread_columns!("UPDATE message_threads SET status = $2, updated_at = $3 WHERE id = $1 RETURNING", ""))
        .bind(id)
        .bind(status)
        .bind(now)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

impl Thread {
    /// The start of an audit entry about this thread that warns.
    pub(crate) fn warning(&self, event: Event, by: &Actor) -> Entry {
        self.entry(event, "warning", by)
    }

    /// The start of an audit entry about this thread.
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
