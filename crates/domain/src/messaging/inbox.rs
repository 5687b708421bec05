//! Threads as the lists and pages show them, most recent text first.

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::numbers::NumberClass;
use super::threads::{Mailbox, Scope, ThreadStatus, mailbox};
use super::windows::{WindowStatus, status_at};
use crate::audience::Audience;
use crate::ids::{BookingId, ClientId, NumberId, SitterId, ThreadId, WindowId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// Which threads to list. A field that is `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub mailbox: Option<Mailbox>,
    pub scope: Option<Scope>,
    pub number_class: Option<NumberClass>,
    /// With or without texts that the viewer has not read.
    pub unread: Option<bool>,
    /// Whether the owner has put it away.
    pub done: Option<bool>,
    pub status: Option<ThreadStatus>,
    pub booking_id: Option<BookingId>,
    pub sitter_id: Option<SitterId>,
    /// Text to find in the name of the client or sitter, or in the client's phone number. Does not filter for viewers
    /// who may not see clients' phone numbers.
    pub q: Option<String>,
}

/// A conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Thread)]
#[serde(rename_all = "camelCase")]
pub struct ThreadView {
    pub id: ThreadId,
    pub scope: Scope,
    pub booking_id: Option<BookingId>,
    pub client_id: Option<ClientId>,
    pub client_name: Option<String>,
    pub assigned_sitter_id: Option<SitterId>,
    pub sitter_name: Option<String>,
    pub message_number_id: Option<NumberId>,
    #[serde(rename = "maskedNumberE164")]
    pub masked_number_e164: Option<String>,
    pub number_class: Option<NumberClass>,
    pub mailbox: Mailbox,
    pub window: Option<WindowSummary>,
    pub last_message_at: Option<Timestamp>,
    /// The number of texts that the reader has not read: the owner, or the sitter.
    pub unread: i64,
    pub status: ThreadStatus,
    /// When the owner put the conversation away. An inbound text brings it back.
    pub done_at: Option<Timestamp>,
}

/// The assignment window of a conversation's booking.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowSummary {
    pub id: WindowId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub status: WindowStatus,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ThreadId,
    scope: Scope,
    booking_id: Option<BookingId>,
    client_id: Option<ClientId>,
    client_name: String,
    assigned_sitter_id: Option<SitterId>,
    sitter_name: Option<String>,
    message_number_id: Option<NumberId>,
    masked_number_e164: Option<PhoneNumber>,
    number_class: Option<NumberClass>,
    window_id: Option<WindowId>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    last_message_at: Option<Timestamp>,
    owner_unread: i64,
    sitter_unread: i64,
    status: ThreadStatus,
    done_at: Option<Timestamp>,
    sorted_at: Timestamp,
}

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.scope, t.booking_id, t.client_id,
                    TRIM(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) AS client_name,
                    t.assigned_sitter_id, s.name AS sitter_name, t.message_number_id, t.masked_number_e164,
                    t.number_class, w.id AS window_id, w.starts_at, w.ends_at, w.cancelled_at, t.last_message_at,
                    t.owner_unread, t.sitter_unread, t.status, t.done_at,
                    COALESCE(t.last_message_at, t.created_at) AS sorted_at
             FROM message_threads t
             LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN sitters s ON s.id = t.assigned_sitter_id
             LEFT JOIN assignment_windows w ON w.booking_id = t.booking_id ",
            $rest
        )
    };
}

impl Row {
    fn into_view(self, audience: Audience, now: Timestamp) -> ThreadView {
        let window = match (self.window_id, self.starts_at, self.ends_at) {
            (Some(id), Some(starts_at), Some(ends_at)) => Some(WindowSummary {
                id,
                starts_at,
                ends_at,
                status: status_at(starts_at, ends_at, self.cancelled_at, now),
            }),
            _ => None,
        };
        ThreadView {
            mailbox: mailbox(self.scope, self.assigned_sitter_id.as_ref()),
            window,
            id: self.id,
            scope: self.scope,
            booking_id: self.booking_id,
            client_id: self.client_id,
            client_name: Some(self.client_name).filter(|name| !name.is_empty()),
            assigned_sitter_id: self.assigned_sitter_id,
            sitter_name: self.sitter_name,
            message_number_id: self.message_number_id,
            masked_number_e164: self.masked_number_e164.map(|number| audience.business_number(&number)),
            number_class: self.number_class,
            last_message_at: self.last_message_at,
            unread: if audience == Audience::Sitter { self.sitter_unread } else { self.owner_unread },
            status: self.status,
            done_at: self.done_at,
        }
    }
}

newest_first!(Row: "COALESCE(t.last_message_at, t.created_at)" = sorted_at, "t.id" = id);

const BY_ID: &str = select_rows!("WHERE t.id = $1 AND t.org_id = $2");

/// Returns one thread for the API.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such thread, or if the viewer is a sitter to whom it is not
/// open; [`Error::Forbidden`] for viewers without an organisation.
pub async fn view(db: &Db, viewer: &Viewer, id: &ThreadId, now: Timestamp) -> Result<ThreadView> {
    let thread: Option<Row> = db.read(BY_ID).bind(id).bind(viewer.organization()?).optional().await?;
    if !is_open_to(db, viewer, id, now).await? {
        return Err(Error::NotFound);
    }
    thread.map(|row| row.into_view(viewer.audience(), now)).ok_or(Error::NotFound)
}

/// As [`view`], within a transaction.
///
/// # Errors
/// The errors of [`view`].
pub async fn view_in(tx: &mut Tx, viewer: &Viewer, id: &ThreadId, now: Timestamp) -> Result<ThreadView> {
    let thread: Option<Row> = tx.query(BY_ID).bind(id).bind(viewer.organization()?).optional().await?;
    if !is_open_to_in(tx, viewer, id, now).await? {
        return Err(Error::NotFound);
    }
    thread.map(|row| row.into_view(viewer.audience(), now)).ok_or(Error::NotFound)
}

/// Returns a page of the threads of the viewer's organisation; a sitter gets those that are open to them at `now`.
/// Index: `message_threads_newest`.
///
/// # Errors
/// [`Error::BadCursor`] if the cursor is not from such a page; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
    now: Timestamp,
) -> Result<Page<ThreadView>> {
    let by_sitter = viewer.audience() == Audience::Sitter;
    let mut list = List::new(db, select_rows!(""), viewer.organization_scope("t.org_id = $1")?);
    if let Some(sitter) = viewer.sitter_id() {
        list = list.only(
            "t.status = 'open' AND w.thread_id = t.id AND w.sitter_id = $1
             AND w.cancelled_at IS NULL AND w.starts_at <= $2 AND $2 < w.ends_at",
            (sitter, now),
        );
    }
    let page: Page<Row> = list
        .filter(
            "($1 = 'sitter') = (t.assigned_sitter_id IS NOT NULL AND t.scope IN ('client_booking', 'client_general'))",
            filter.mailbox,
        )
        .filter("t.scope = $1", filter.scope)
        .filter("t.number_class = $1", filter.number_class)
        .filter(if by_sitter { "(t.sitter_unread > 0) = $1" } else { "(t.owner_unread > 0) = $1" }, filter.unread)
        .filter("(t.done_at IS NOT NULL) = $1", filter.done)
        .filter("t.status = $1", filter.status)
        .filter("t.booking_id = $1", filter.booking_id.as_ref())
        .filter("t.assigned_sitter_id = $1", filter.sitter_id.as_ref())
        .search(
            "LOWER(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) LIKE $1 ESCAPE '\\'
             OR LOWER(s.name) LIKE $1 ESCAPE '\\'
             OR LOWER(REPLACE(c.phone_number, '+', '')) LIKE $2 ESCAPE '\\'",
            viewer.search(filter.q.as_deref()),
        )
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| row.into_view(viewer.audience(), now)))
}

/// The threads that are open to a sitter at `now`, which are those with an active window of that sitter.
fn open_threads<'v>(db: &'v Db, viewer: &'v Viewer, named: Option<&'v SitterId>, now: Timestamp) -> Result<List<'v>> {
    let scope = viewer.sitter_scope("t.org_id = $1", "w.sitter_id = $1", named)?;
    Ok(List::new(db, select_rows!(""), scope).only(
        "t.status = 'open' AND w.thread_id = t.id AND w.cancelled_at IS NULL AND w.starts_at <= $1 AND $1 < w.ends_at",
        (now,),
    ))
}

/// Returns a page of the threads that are open to a sitter at `now`. A sitter gets their own; other viewers get those of
/// `named`, or of every sitter if it is `None`.
///
/// # Errors
/// [`Error::BadCursor`] if the cursor is not from such a page; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn open_to_sitter(
    db: &Db,
    viewer: &Viewer,
    named: Option<&SitterId>,
    cursor: Option<&str>,
    limit: Limit,
    now: Timestamp,
) -> Result<Page<ThreadView>> {
    let page: Page<Row> = open_threads(db, viewer, named, now)?.page(cursor, limit).await?;
    Ok(page.map(|row| row.into_view(Audience::Sitter, now)))
}

/// Returns how many threads are open to a sitter at `now`, and how many of their texts the sitter has not read.
///
/// # Errors
/// [`Error::Forbidden`] for viewers without an organisation.
pub(crate) async fn open_and_unread(
    db: &Db,
    viewer: &Viewer,
    sitter: &SitterId,
    now: Timestamp,
) -> Result<(usize, i64)> {
    let rows: Vec<Row> = open_threads(db, viewer, Some(sitter), now)?.end("").all().await?;
    Ok((rows.len(), rows.iter().map(|row| row.sitter_unread).sum()))
}

/// Returns a page of a sitter's mailbox, without any text of it. A sitter may read their own, with threads whose window
/// is not active; they see the texts of a thread only while one is. Index: `message_threads_newest`.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such sitter, or the viewer is another sitter;
/// [`Error::BadCursor`] if the cursor is not from such a page; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn of_sitter(
    db: &Db,
    viewer: &Viewer,
    sitter: &SitterId,
    cursor: Option<&str>,
    limit: Limit,
    now: Timestamp,
) -> Result<Page<ThreadView>> {
    let known: bool = db
        .read("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2)")
        .bind(sitter)
        .bind(viewer.organization()?)
        .scalar()
        .await?;
    if !known || viewer.sitter_id().is_some_and(|own| own != sitter) {
        return Err(Error::NotFound);
    }
    let page: Page<Row> = List::new(db, select_rows!(""), viewer.organization_scope("t.org_id = $1")?)
        .only("t.assigned_sitter_id = $1 AND t.scope IN ('client_booking', 'client_general')", (sitter,))
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| row.into_view(viewer.audience(), now)))
}

/// Whether a thread is open and a window of this sitter is active for it.
const IS_OPEN: &str = "
SELECT EXISTS (SELECT 1 FROM assignment_windows w JOIN message_threads t ON t.id = w.thread_id
               WHERE w.thread_id = $1 AND w.sitter_id = $2 AND t.status = 'open'
                 AND w.cancelled_at IS NULL AND w.starts_at <= $3 AND $3 < w.ends_at)";

/// Whether a viewer of the thread's organisation may read it at `now`. A sitter may only while a window of theirs is
/// active.
pub(super) async fn is_open_to(db: &Db, viewer: &Viewer, thread: &ThreadId, now: Timestamp) -> Result<bool> {
    let Some(sitter) = viewer.sitter_id() else { return Ok(true) };
    Ok(db.read(IS_OPEN).bind(thread).bind(sitter).bind(now).scalar().await?)
}

/// As [`is_open_to`], within a transaction.
pub(super) async fn is_open_to_in(tx: &mut Tx, viewer: &Viewer, thread: &ThreadId, now: Timestamp) -> Result<bool> {
    let Some(sitter) = viewer.sitter_id() else { return Ok(true) };
    Ok(tx.query(IS_OPEN).bind(thread).bind(sitter).bind(now).scalar().await?)
}
