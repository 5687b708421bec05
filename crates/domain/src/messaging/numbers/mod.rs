//! Masking numbers: the numbers of an organisation, their classes, and the choice of a thread's number.

mod admin;
mod class;
mod list;
mod platform;

use nightshift_db::{Db, Engine, Tx};

pub use admin::{NewNumber, NumberPatch, add, patch};
pub use class::NumberClass;
pub use list::{CarriedThread, NumberView, Usage, list};
pub use platform::{claim_onboarding, onboarding};

use super::choice::{self, Candidate, Reason};
use super::threads::Scope;
use crate::Result;
use crate::ids::{ClientId, NumberId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;

text_enum! {
    /// Whether a number may be given to a thread. Only active numbers may.
    pub enum NumberStatus {
        Active = "active",
        Inactive = "inactive",
        /// Set aside, for example after complaints.
        Quarantined = "quarantined",
    }
}

text_enum! {
    /// Which company sends a number's texts.
    pub enum SmsCarrier as Carrier {
        Twilio = "twilio",
        /// OpenPhone (Quo).
        Openphone = "openphone",
        /// None: texts are stored but not sent.
        Mock = "mock",
    }
}

impl SmsCarrier {
    /// Whether the carrier itself acts on the bare words STOP, START and HELP, and answers them.
    #[must_use]
    pub const fn answers_keywords(self) -> bool {
        matches!(self, Self::Twilio)
    }
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Number {
    pub id: NumberId,
    pub org_id: OrgId,
    pub e164: PhoneNumber,
    pub number_class: NumberClass,
    /// Set for a sitter's own number.
    pub assigned_sitter_id: Option<SitterId>,
    pub status: NumberStatus,
    pub provider: SmsCarrier,
}

impl Number {
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        self.status == NumberStatus::Active
    }
}

pub async fn load(tx: &mut Tx, id: &NumberId) -> Result<Option<Number>> {
    let number = tx
        .query(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers WHERE id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    Ok(number)
}

/// Returns the row of a number, whatever its status.
pub async fn find(tx: &mut Tx, number: &PhoneNumber) -> Result<Option<Number>> {
    let number = tx
        .query(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers WHERE e164 IN ($1, $2)",
        )
        .bind(number.e164())
        .bind(number.digits())
        .optional()
        .await?;
    Ok(number)
}

/// Returns the organisation's front desk number, if one is in service.
pub async fn front_desk(tx: &mut Tx, org: &OrgId) -> Result<Option<Number>> {
    let number = tx
        .query(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers WHERE org_id = $1 AND number_class = 'front_desk' AND status = 'active'",
        )
        .bind(org)
        .optional()
        .await?;
    Ok(number)
}

/// Returns a sitter's own number, if one is in service.
pub async fn of_sitter(tx: &mut Tx, org: &OrgId, sitter: &SitterId) -> Result<Option<Number>> {
    let number = tx
        .query(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers WHERE org_id = $1 AND assigned_sitter_id = $2 AND status = 'active'",
        )
        .bind(org)
        .bind(sitter)
        .optional()
        .await?;
    Ok(number)
}

/// Returns the active numbers of all organisations whose texts `carrier` sends.
pub async fn of_carrier(db: &Db, carrier: SmsCarrier) -> Result<Vec<Number>> {
    let numbers = db
        .read(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers WHERE provider = $1 AND status = 'active' ORDER BY id",
        )
        .bind(carrier)
        .all()
        .await?;
    Ok(numbers)
}

/// What [`choose`] needs to know about the thread that gets a number.
#[derive(Debug, Clone, Copy)]
pub struct Seeker<'a> {
    /// Only numbers of this organisation are considered.
    pub org: &'a OrgId,
    /// A thread of the owner with a sitter never gets a pool number.
    pub scope: Scope,
    /// Fixes the order of the pool; see [`choice::pick`].
    pub order: &'a str,
    /// The client, who should meet each number in one thread only.
    pub client: Option<&'a ClientId>,
    pub sitter: Option<&'a SitterId>,
    pub thread: &'a ThreadId,
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    id: NumberId,
    number_class: NumberClass,
    assigned_sitter_id: Option<SitterId>,
    carries_client: bool,
    carries_general: bool,
}

impl CandidateRow {
    /// A client has at most one general thread on a number.
    fn fits(&self, scope: Scope) -> bool {
        match scope {
            Scope::ClientBooking | Scope::Internal => true,
            Scope::ClientGeneral => !self.carries_general,
            Scope::OwnerSitter => self.number_class != NumberClass::Pool,
        }
    }
}

/// Chooses among the active numbers of the organisation; see [`choice::pick`] for the order. Returns `None` if no
/// number fits.
///
/// Locks the client's row, if there is a client, so that two bookings of one client that are confirmed at the same time
/// do not both take a number that each sees as free.
pub async fn choose(tx: &mut Tx, seeker: Seeker<'_>) -> Result<Option<(Number, Reason)>> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT 1 FROM clients WHERE id = $1 FOR NO KEY UPDATE").bind(seeker.client).execute().await?;
    }
    let rows: Vec<CandidateRow> = tx
        .query(
            "SELECT n.id, n.number_class, n.assigned_sitter_id,
                    EXISTS (SELECT 1 FROM message_threads t
                            WHERE t.client_id = $2 AND t.message_number_id = n.id AND t.status = 'open'
                              AND t.id <> $3) AS carries_client,
                    EXISTS (SELECT 1 FROM message_threads t
                            WHERE t.client_id = $2 AND t.message_number_id = n.id AND t.status = 'open'
                              AND t.scope = 'client_general' AND t.id <> $3) AS carries_general
             FROM message_numbers n
             WHERE n.org_id = $1 AND n.status = 'active'",
        )
        .bind(seeker.org)
        .bind(seeker.client)
        .bind(seeker.thread)
        .all()
        .await?;
    let candidates: Vec<Candidate> = rows
        .into_iter()
        .filter(|row| row.fits(seeker.scope))
        .map(|row| Candidate {
            id: row.id,
            class: row.number_class,
            assigned_sitter_id: row.assigned_sitter_id,
            carries_client: row.carries_client,
        })
        .collect();
    let Some((chosen, reason)) = choice::pick(seeker.order, seeker.sitter, &candidates) else {
        return Ok(None);
    };
    Ok(load(tx, &chosen.id).await?.map(|number| (number, reason)))
}
