//! Masking numbers: which an organisation has, what they are for, and which one a thread gets.

mod admin;
mod class;
mod list;

use nightshift_db::{Engine, Tx};

pub use admin::{NewNumber, NumberPatch, add, patch};
pub use class::NumberClass;
pub use list::{CarriedThread, NumberView, Usage, list};

use super::choice::{self, Candidate, Reason};
use super::threads::Scope;
use crate::Result;
use crate::ids::{ClientId, NumberId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;

text_enum! {
    /// Whether a number may be given to a thread; only active ones are.
    pub enum NumberStatus {
        /// In service.
        Active = "active",
        /// Out of service.
        Inactive = "inactive",
        /// Set aside, for example after complaints.
        Quarantined = "quarantined",
    }
}

text_enum! {
    /// Who carries a number's texts.
    pub enum SmsCarrier as Carrier {
        /// Twilio.
        Twilio = "twilio",
        /// OpenPhone (Quo).
        Openphone = "openphone",
        /// Nobody: texts are only written down.
        Mock = "mock",
    }
}

/// A masking number.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Number {
    /// Its id.
    pub id: NumberId,
    /// Whose it is.
    pub org_id: OrgId,
    /// The number itself.
    pub e164: PhoneNumber,
    /// What it is for.
    pub number_class: NumberClass,
    /// The sitter, for a sitter's number.
    pub assigned_sitter_id: Option<SitterId>,
    /// Whether it may be given out.
    pub status: NumberStatus,
    /// Who carries its texts.
    pub provider: SmsCarrier,
}

/// A number by its id.
///
/// # Errors
/// When the database can't be read.
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

/// The organisation's main line, if one is in service.
///
/// # Errors
/// When the database can't be read.
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

/// A sitter's own number, if one is in service.
///
/// # Errors
/// When the database can't be read.
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

/// For whom a number is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Seeker<'a> {
    /// The organisation, whose numbers alone count.
    pub org: &'a OrgId,
    /// What the thread is about: a pool number is nothing for the owner and a sitter.
    pub scope: Scope,
    /// What fixes the order of the pool.
    pub order: &'a str,
    /// The client, who should meet each number in one conversation only.
    pub client: Option<&'a ClientId>,
    /// The sitter assigned, if any.
    pub sitter: Option<&'a SitterId>,
    /// The thread that needs it.
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
    /// A client has one general conversation on a number.
    fn fits(&self, scope: Scope) -> bool {
        match scope {
            Scope::ClientBooking | Scope::Internal => true,
            Scope::ClientGeneral => !self.carries_general,
            Scope::OwnerSitter => self.number_class != NumberClass::Pool,
        }
    }
}

/// Chooses among the organisation's active numbers; see [`choice::pick`] for the order. None when it has none that fits.
///
/// The client's row, if there is a client, is held meanwhile, so that two bookings of one client confirmed at the same moment do not both take
/// the number that each finds free.
///
/// # Errors
/// When the database can't be read.
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
