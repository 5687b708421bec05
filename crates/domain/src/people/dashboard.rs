//! What a sitter sees first: their day, whether they may write now, their offers and their tier.
//!
//! It holds no client's phone number and no last name.

use nightshift_db::{Db, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::organizations;
use crate::audience::Audience;
use crate::ids::{BookingId, OfferId, OrgId, SitterId, ThreadId, WindowId};
use crate::messaging::inbox;
use crate::messaging::windows::{WindowStatus, status_at};
use crate::metrics::{self, Days, MetricsView, Tier};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// A sitter's first page.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SitterDashboard)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    pub sitter_id: SitterId,
    pub name: String,
    /// The number of conversations that are open to the sitter now.
    pub active_conversations: usize,
    /// The number of unread texts in these conversations.
    pub unread: i64,
    /// The bookings of today in the organisation's time zone, earliest first.
    pub todays_assignments: Vec<Assignment>,
    /// The number that clients see: the sitter's own, else the front desk's. Null if there is none in service.
    pub business_number_masked: Option<String>,
    pub messaging_status: MessagingStatus,
    /// The offers that the sitter may still answer, those that expire first.
    pub pending_offers: Vec<PendingOffer>,
    pub tier: Tier,
    pub metrics: Metrics,
}

/// A booking of a sitter.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SitterAssignment)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    pub booking_id: BookingId,
    pub window_id: WindowId,
    pub thread_id: Option<ThreadId>,
    pub service: String,
    pub client_first_name: Option<String>,
    pub address: Option<String>,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    /// Until when the sitter may write to the client.
    pub window_ends_at: Timestamp,
    pub window_status: WindowStatus,
}

impl std::fmt::Debug for Assignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assignment").field("booking_id", &self.booking_id).finish_non_exhaustive()
    }
}

/// Whether a sitter may write to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagingStatus {
    /// Whether a window is active now.
    pub active: bool,
    /// When the last of the active windows ends.
    pub active_until: Option<Timestamp>,
    /// When the next window begins.
    pub next_window_at: Option<Timestamp>,
    /// The rule, in a sentence for the sitter.
    pub text: &'static str,
}

/// An offer that waits for an answer.
#[derive(Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingOffer {
    pub id: OfferId,
    pub booking_id: BookingId,
    /// What the sitter answers with by text: `YES 2`.
    pub code: i64,
    pub service: String,
    pub client_first_name: Option<String>,
    pub address: Option<String>,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    pub offered_at: Timestamp,
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for PendingOffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingOffer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A sitter's latest figures. Null before they are computed for the first time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DashboardMetrics)]
pub struct Metrics {
    #[serde(rename = "7")]
    pub of_7_days: Option<MetricsView>,
    #[serde(rename = "28")]
    pub of_28_days: Option<MetricsView>,
}

/// The rule by which sitters write to clients.
const RULE: &str = "You can message only during assignment windows";

/// Returns the dashboard of the sitter who reads, or of `named` if the viewer is an owner.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such sitter, or if the viewer is no sitter and names none;
/// [`Error::Forbidden`] for viewers without an organisation.
pub async fn dashboard(db: &Db, viewer: &Viewer, named: Option<&SitterId>, now: Timestamp) -> Result<Dashboard> {
    let org = viewer.organization()?;
    let sitter = viewer.sitter_id().or(named).ok_or(Error::NotFound)?;
    let row: Option<(String,)> =
        db.read("SELECT name FROM sitters WHERE id = $1 AND org_id = $2").bind(sitter).bind(org).optional().await?;
    let (name,) = row.ok_or(Error::NotFound)?;
    let of_7_days = metrics::of_sitter(db, viewer, sitter, Days::Seven).await?;
    let of_28_days = metrics::of_sitter(db, viewer, sitter, Days::TwentyEight).await?;
    let (active_conversations, unread) = inbox::open_and_unread(db, viewer, sitter, now).await?;
    Ok(Dashboard {
        sitter_id: sitter.clone(),
        name,
        active_conversations,
        unread,
        todays_assignments: todays_assignments(db, org, sitter, now).await?,
        business_number_masked: business_number(db, org, sitter).await?,
        messaging_status: messaging_status(db, sitter, now).await?,
        pending_offers: pending_offers(db, sitter, now).await?,
        tier: of_28_days.tier,
        metrics: Metrics { of_7_days: of_7_days.metrics, of_28_days: of_28_days.metrics },
    })
}

/// Returns the organisation's oldest active sitter, for programs that run without authentication.
///
/// # Errors
/// [`Error::NotFound`] if it has none.
pub async fn any_sitter(db: &Db, org: &OrgId) -> Result<SitterId> {
    let row: Option<(SitterId,)> = db
        .read("SELECT id FROM sitters WHERE org_id = $1 AND active ORDER BY created_at, id LIMIT 1")
        .bind(org)
        .optional()
        .await?;
    row.map(|(id,)| id).ok_or(Error::NotFound)
}

#[derive(sqlx::FromRow)]
struct AssignmentRow {
    booking_id: BookingId,
    window_id: WindowId,
    thread_id: Option<ThreadId>,
    service: String,
    client_first_name: Option<String>,
    address: Option<String>,
    start_at: Timestamp,
    end_at: Timestamp,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

/// Lists the bookings that take place today, also those that began yesterday. Index: `assignment_windows_by_sitter`.
async fn todays_assignments(db: &Db, org: &OrgId, sitter: &SitterId, now: Timestamp) -> Result<Vec<Assignment>> {
    let (from, to) = organizations::local_day(now, organizations::zone(db, org).await?);
    let rows: Vec<AssignmentRow> = db
        .read(
            "SELECT b.id AS booking_id, w.id AS window_id, w.thread_id, b.service, c.first_name AS client_first_name,
                    b.address, b.start_at, b.end_at, w.starts_at, w.ends_at
             FROM assignment_windows w
             JOIN bookings b ON b.id = w.booking_id
             JOIN clients c ON c.id = b.client_id
             WHERE w.sitter_id = $1 AND w.ends_at > $2 AND w.cancelled_at IS NULL
               AND b.end_at > $2 AND b.start_at < $3 AND b.status <> 'cancelled'
             ORDER BY b.start_at, b.id",
        )
        .bind(sitter)
        .bind(from)
        .bind(to)
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Assignment {
            window_status: status_at(row.starts_at, row.ends_at, None, now),
            window_ends_at: row.ends_at,
            booking_id: row.booking_id,
            window_id: row.window_id,
            thread_id: row.thread_id,
            service: row.service,
            client_first_name: row.client_first_name,
            address: row.address,
            start_at: row.start_at,
            end_at: row.end_at,
        })
        .collect())
}

async fn business_number(db: &Db, org: &OrgId, sitter: &SitterId) -> Result<Option<String>> {
    let number: Option<(PhoneNumber,)> = db
        .read(
            "SELECT e164 FROM message_numbers
             WHERE org_id = $1 AND status = 'active' AND (assigned_sitter_id = $2 OR number_class = 'front_desk')
             ORDER BY CASE WHEN assigned_sitter_id = $2 THEN 0 ELSE 1 END LIMIT 1",
        )
        .bind(org)
        .bind(sitter)
        .optional()
        .await?;
    Ok(number.map(|(number,)| Audience::Sitter.business_number(&number)))
}

async fn messaging_status(db: &Db, sitter: &SitterId, now: Timestamp) -> Result<MessagingStatus> {
    let (active_until, next_window_at): (Option<Timestamp>, Option<Timestamp>) = db
        .read(
            "SELECT MAX(CASE WHEN starts_at <= $2 THEN ends_at END), MIN(CASE WHEN starts_at > $2 THEN starts_at END)
             FROM assignment_windows WHERE sitter_id = $1 AND ends_at > $2 AND cancelled_at IS NULL",
        )
        .bind(sitter)
        .bind(now)
        .one()
        .await?;
    Ok(MessagingStatus { active: active_until.is_some(), active_until, next_window_at, text: RULE })
}

async fn pending_offers(db: &Db, sitter: &SitterId, now: Timestamp) -> Result<Vec<PendingOffer>> {
    Ok(db
        .read(
            "SELECT o.id, o.booking_id, o.code, b.service, c.first_name AS client_first_name, b.address, b.start_at,
                    b.end_at, o.offered_at, o.expires_at
             FROM offer_events o
             JOIN bookings b ON b.id = o.booking_id
             JOIN clients c ON c.id = b.client_id
             WHERE o.sitter_id = $1 AND o.status = 'pending' AND o.expires_at > $2
             ORDER BY o.expires_at, o.code",
        )
        .bind(sitter)
        .bind(now)
        .all()
        .await?)
}
