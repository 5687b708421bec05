//! Masking numbers: which an organisation has, what they are for, which are in use.

use std::collections::HashMap;

use nightshift_db::{Db, Engine, Timestamp, Tx};
use serde::{Deserialize, Serialize};

use super::choice::{self, Candidate, Reason};
use crate::ids::{BookingId, ClientId, NumberId, OrgId, SitterId, ThreadId};
use crate::phone::PhoneNumber;
use crate::problems::Problems;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// What a number is for.
    pub enum NumberClass {
        /// Shared by many conversations.
        Pool = "pool",
        /// One sitter's own.
        Sitter = "sitter",
        /// The organisation's main line.
        FrontDesk = "front_desk",
    }
}

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
    pub enum Provider {
        /// Twilio.
        Twilio = "twilio",
        /// OpenPhone (Quo).
        Openphone = "openphone",
        /// Nobody: texts are only written down.
        Mock = "mock",
    }
}

text_enum! {
    /// How a number is used, as lists show it.
    pub enum Usage {
        /// It carries an open thread.
        InUse = "In use",
        /// It could carry one.
        Available = "Available",
        /// It may not carry a new one.
        Inactive = "Inactive",
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
    pub provider: Provider,
}

/// A number in JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct NumberView {
    pub id: NumberId,
    pub e164: String,
    pub number_class: NumberClass,
    pub status: NumberStatus,
    pub provider: Provider,
    pub usage: Usage,
    pub threads: Vec<CarriedThread>,
    pub assigned_sitter_id: Option<SitterId>,
}

/// An open thread that a number carries.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct CarriedThread {
    pub id: ThreadId,
    pub client_name: Option<String>,
}

/// A number to take into service.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewNumber {
    /// The number.
    pub e164: String,
    /// What it is for.
    pub number_class: NumberClass,
    /// The sitter; required for a sitter's number and refused for others.
    #[serde(default)]
    pub assigned_sitter_id: Option<SitterId>,
    /// Who carries its texts.
    pub provider: Provider,
}

/// A change of a number.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NumberPatch {
    /// Its new status.
    pub status: Option<NumberStatus>,
    /// The sitter it now belongs to.
    pub assigned_sitter_id: Option<SitterId>,
    /// Take it out of service although threads use it.
    pub force: bool,
}

#[derive(sqlx::FromRow)]
struct ThreadRow {
    message_number_id: NumberId,
    id: ThreadId,
    client_name: String,
}

/// An organisation's numbers in their order, with the open threads each carries.
///
/// # Errors
/// When the database can't be read.
pub async fn list(
    db: &Db,
    org: &OrgId,
    class: Option<NumberClass>,
    status: Option<NumberStatus>,
) -> Result<Vec<NumberView>> {
    let numbers: Vec<Number> = db
        .read(
            "SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider
             FROM message_numbers
             WHERE org_id = $1 AND ($2 IS NULL OR number_class = $2) AND ($3 IS NULL OR status = $3)
             ORDER BY position, id",
        )
        .bind(org)
        .bind(class)
        .bind(status)
        .all()
        .await?;
    let carried: Vec<ThreadRow> = db
        .read(
            "SELECT t.message_number_id, t.id,
                    TRIM(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) AS client_name
             FROM message_threads t LEFT JOIN clients c ON c.id = t.client_id
             WHERE t.org_id = $1 AND t.status = 'open' AND t.message_number_id IS NOT NULL
             ORDER BY t.created_at, t.id",
        )
        .bind(org)
        .all()
        .await?;
    let mut threads: HashMap<NumberId, Vec<CarriedThread>> = HashMap::new();
    for row in carried {
        let client_name = Some(row.client_name).filter(|name| !name.is_empty());
        threads.entry(row.message_number_id).or_default().push(CarriedThread { id: row.id, client_name });
    }
    Ok(numbers.into_iter().map(|number| number.into_view(&mut threads)).collect())
}

impl Number {
    fn into_view(self, threads: &mut HashMap<NumberId, Vec<CarriedThread>>) -> NumberView {
        let threads = threads.remove(&self.id).unwrap_or_default();
        let usage = match self.status {
            NumberStatus::Active if threads.is_empty() => Usage::Available,
            NumberStatus::Active => Usage::InUse,
            NumberStatus::Inactive | NumberStatus::Quarantined => Usage::Inactive,
        };
        NumberView {
            id: self.id,
            e164: self.e164.e164(),
            number_class: self.number_class,
            status: self.status,
            provider: self.provider,
            usage,
            threads,
            assigned_sitter_id: self.assigned_sitter_id,
        }
    }
}

/// Takes a number into service.
///
/// # Errors
/// [`Error::Conflict`] `duplicate` when the number exists already, in whichever organisation, or when the sitter or the
/// organisation already has its one active number of this class; [`Error::Invalid`] by field.
pub async fn add(tx: &mut Tx, org: &OrgId, new: &NewNumber, now: Timestamp) -> Result<Number> {
    let mut problems = Problems::default();
    let phone = problems.phone("e164", Some(&new.e164));
    check_assignment(tx, org, new.number_class, new.assigned_sitter_id.as_ref(), &mut problems).await?;
    let Some(phone) = phone.filter(|_| problems.is_empty()) else {
        return Err(problems.into_error());
    };
    let added: Option<Number> = tx
        .query(
            "INSERT INTO message_numbers
                 (id, org_id, e164, number_class, assigned_sitter_id, provider, position, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6,
                     (SELECT COALESCE(MAX(position), 0) + 1 FROM message_numbers WHERE org_id = $2), $7, $7)
             ON CONFLICT DO NOTHING
             RETURNING id, org_id, e164, number_class, assigned_sitter_id, status, provider",
        )
        .bind(NumberId::new(now))
        .bind(org)
        .bind(phone.e164())
        .bind(new.number_class)
        .bind(&new.assigned_sitter_id)
        .bind(new.provider)
        .bind(now)
        .optional()
        .await?;
    added.ok_or_else(duplicate)
}

fn duplicate() -> Error {
    Error::conflict("duplicate", "this number, or another active one for the same use, is in service already")
}

async fn check_assignment(
    tx: &mut Tx,
    org: &OrgId,
    class: NumberClass,
    sitter: Option<&SitterId>,
    problems: &mut Problems,
) -> Result<()> {
    match (class, sitter) {
        (NumberClass::Sitter, None) => problems.add("assignedSitterId", "is required for a sitter's number"),
        (NumberClass::Sitter, Some(sitter)) => {
            let known: bool = tx
                .query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2)")
                .bind(sitter)
                .bind(org)
                .scalar()
                .await?;
            if !known {
                problems.add("assignedSitterId", "is not a sitter of this organisation");
            }
        }
        (_, Some(_)) => problems.add("assignedSitterId", "is only for numbers of class sitter"),
        (_, None) => {}
    }
    Ok(())
}

/// Changes a number's status or sitter.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `in_use` for taking a number out of service that open threads use, without
/// `force`, or `duplicate` when the sitter already has an active number; [`Error::Invalid`] for an unknown sitter.
pub async fn patch(tx: &mut Tx, org: &OrgId, id: &NumberId, patch: &NumberPatch, now: Timestamp) -> Result<Number> {
    let number = load(tx, id).await?.filter(|number| number.org_id == *org).ok_or(Error::NotFound)?;
    let sitter = patch.assigned_sitter_id.as_ref().or(number.assigned_sitter_id.as_ref());
    let mut problems = Problems::default();
    check_assignment(tx, org, number.number_class, sitter, &mut problems).await?;
    problems.finish()?;
    let status = patch.status.unwrap_or(number.status);
    if number.status == NumberStatus::Active && status != NumberStatus::Active && !patch.force {
        let in_use: bool = tx
            .query("SELECT EXISTS (SELECT 1 FROM message_threads WHERE message_number_id = $1 AND status = 'open')")
            .bind(id)
            .scalar()
            .await?;
        if in_use {
            return Err(Error::conflict("in_use", "open threads use this number; send force to take it anyway"));
        }
    }
    let patched = tx
        .query(
            "UPDATE message_numbers SET status = $2, assigned_sitter_id = $3, updated_at = $4 WHERE id = $1
             RETURNING id, org_id, e164, number_class, assigned_sitter_id, status, provider",
        )
        .bind(id)
        .bind(status)
        .bind(sitter)
        .bind(now)
        .one()
        .await;
    patched.map_err(|error| if error.is_unique_violation() { duplicate() } else { error.into() })
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
    /// The booking, which fixes the order of the pool.
    pub booking: &'a BookingId,
    /// The client, who should meet each number in one conversation only.
    pub client: &'a ClientId,
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
}

/// Chooses among the organisation's active numbers; see [`choice::pick`] for the order. None when it has none that fits.
///
/// The client's row is held meanwhile, so that two bookings of one client confirmed at the same moment do not both take
/// the number that each finds free.
///
/// # Errors
/// When the database can't be read.
pub async fn choose(tx: &mut Tx, seeker: Seeker<'_>) -> Result<Option<(Number, Reason)>> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT 1 FROM clients WHERE id = $1 FOR UPDATE").bind(seeker.client).execute().await?;
    }
    let rows: Vec<CandidateRow> = tx
        .query(
            "SELECT n.id, n.number_class, n.assigned_sitter_id,
                    EXISTS (SELECT 1 FROM message_threads t
                            WHERE t.client_id = $2 AND t.message_number_id = n.id AND t.status = 'open'
                              AND t.id <> $3) AS carries_client
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
        .map(|row| Candidate {
            id: row.id,
            class: row.number_class,
            assigned_sitter_id: row.assigned_sitter_id,
            carries_client: row.carries_client,
        })
        .collect();
    let Some((chosen, reason)) = choice::pick(seeker.booking, seeker.sitter, &candidates) else {
        return Ok(None);
    };
    Ok(load(tx, &chosen.id).await?.map(|number| (number, reason)))
}
