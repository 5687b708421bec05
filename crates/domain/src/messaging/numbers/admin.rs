//! Taking numbers into service and out of it.

use nightshift_db::{Timestamp, Tx};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Number, NumberClass, NumberStatus, SmsCarrier, load};
use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::field_errors::FieldErrors;
use crate::ids::{NumberId, OrgId, SitterId};
use crate::messaging::inbound::unroutable;
use crate::people::organizations;
use crate::{Error, Result};

/// A number to take into service.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewNumber {
    /// The phone number, best in international form such as +12125550123.
    pub e164: String,
    /// What the number is for.
    pub number_class: NumberClass,
    /// The sitter to whom the number belongs. Required for a sitter's number and refused for others.
    #[serde(default)]
    pub assigned_sitter_id: Option<SitterId>,
    /// Which company sends its texts.
    pub provider: SmsCarrier,
}

/// A change to a number.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NumberPatch {
    /// The new status.
    pub status: Option<NumberStatus>,
    /// The sitter to whom the number now belongs.
    pub assigned_sitter_id: Option<SitterId>,
    /// Take the number out of service even if threads use it.
    pub force: bool,
}

/// Takes a number into service.
///
/// # Errors
/// [`Error::Conflict`] `duplicate` if the number exists already, in any organisation, or if the sitter or the
/// organisation already has its one active number of this class; [`Error::Invalid`] with a message for each field.
pub async fn add(tx: &mut Tx, org: &OrgId, new: &NewNumber, by: &Actor, now: Timestamp) -> Result<Number> {
    let country = organizations::country_in(tx, org).await?;
    let mut field_errors = FieldErrors::default();
    let phone = field_errors.phone("e164", Some(&new.e164), country);
    check_assignment(tx, org, new.number_class, new.assigned_sitter_id.as_ref(), &mut field_errors).await?;
    let Some(phone) = phone.filter(|_| field_errors.is_empty()) else {
        return Err(field_errors.into_error());
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
    let added = added.ok_or_else(duplicate)?;
    note(tx, Event::NumberAdded, &added, by, now).await?;
    unroutable::number_added(tx, &added.e164, now).await?;
    Ok(added)
}

async fn note(tx: &mut Tx, event: Event, number: &Number, by: &Actor, now: Timestamp) -> Result<()> {
    let facts = json!({"numberId": number.id, "numberClass": number.number_class, "status": number.status});
    audit::record(tx, Entry::new(event, "success", by).org(&number.org_id).metadata(facts), now).await
}

fn duplicate() -> Error {
    Error::conflict("duplicate", "this number, or another active one for the same use, is in service already")
}

async fn check_assignment(
    tx: &mut Tx,
    org: &OrgId,
    class: NumberClass,
    sitter: Option<&SitterId>,
    field_errors: &mut FieldErrors,
) -> Result<()> {
    match (class, sitter) {
        (NumberClass::Sitter, None) => field_errors.add("assignedSitterId", "is required for a sitter's number"),
        (NumberClass::Sitter, Some(sitter)) => {
            let known: bool = tx
                .query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2)")
                .bind(sitter)
                .bind(org)
                .scalar()
                .await?;
            if !known {
                field_errors.add("assignedSitterId", "is not a sitter of this organisation");
            }
        }
        (_, Some(_)) => field_errors.add("assignedSitterId", "is only for numbers of class sitter"),
        (_, None) => {}
    }
    Ok(())
}

/// Changes a number's status or sitter.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such number; [`Error::Conflict`] `in_use` if open threads use a
/// number to be taken out of service and `force` is not set, or `duplicate` if the sitter already has an active number;
/// [`Error::Invalid`] for an unknown sitter.
pub async fn patch(
    tx: &mut Tx,
    org: &OrgId,
    id: &NumberId,
    patch: &NumberPatch,
    by: &Actor,
    now: Timestamp,
) -> Result<Number> {
    let number = load(tx, id).await?.filter(|number| number.org_id == *org).ok_or(Error::NotFound)?;
    let sitter = patch.assigned_sitter_id.as_ref().or(number.assigned_sitter_id.as_ref());
    let mut field_errors = FieldErrors::default();
    check_assignment(tx, org, number.number_class, sitter, &mut field_errors).await?;
    field_errors.finish()?;
    let status = patch.status.unwrap_or(number.status);
    if number.status == NumberStatus::Active && status != NumberStatus::Active && !patch.force {
        let in_use: bool = tx
            .query("SELECT EXISTS (SELECT 1 FROM message_threads WHERE message_number_id = $1 AND status = 'open')")
            .bind(id)
            .scalar()
            .await?;
        if in_use {
            return Err(Error::conflict("in_use", "open threads use this number; send force to remove it anyway"));
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
    let patched: Number =
        patched.map_err(|error| if error.is_unique_violation() { duplicate() } else { Error::from(error) })?;
    note(tx, Event::NumberChanged, &patched, by, now).await?;
    Ok(patched)
}
