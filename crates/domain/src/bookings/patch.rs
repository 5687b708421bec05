//! Changes several fields of a booking at once.

use nightshift_db::{Json, Timestamp, Tx};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use utoipa::ToSchema;

use super::booking::lock_of;
use super::change::{move_status, record_status, store, version_conflict};
use super::create::check_sitter;
use super::draft::{ADDRESS, NOTES, check_add_ons, check_discount, check_quantity, check_service, check_span};
use super::{Booking, Status, StatusChange, oddities};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations;
use crate::confirmation;
use crate::field_errors::FieldErrors;
use crate::ids::{BookingId, OrgId, SitterId};
use crate::pricing;
use crate::{Error, Result};

/// The body of a change. Missing fields stay unchanged; `null` clears `sitterId`, `address` and `notes`.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = BookingPatch)]
#[serde(rename_all = "camelCase", default)]
pub struct Patch {
    #[schema(value_type = Option<Status>)]
    pub status: Option<String>,
    #[schema(format = DateTime)]
    pub start_at: Option<String>,
    #[schema(format = DateTime)]
    pub end_at: Option<String>,
    pub service: Option<String>,
    pub quantity: Option<i64>,
    pub add_ons: Option<Vec<String>>,
    pub discount_minor: Option<i64>,
    #[serde(deserialize_with = "present")]
    pub sitter_id: Option<Option<SitterId>>,
    #[serde(deserialize_with = "present")]
    pub address: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub notes: Option<Option<String>>,
    /// Stored in the history of a status change, and with a new price.
    pub reason: Option<String>,
    /// Whether to price the booking again in its new state. Otherwise the price stays as agreed.
    pub reprice: bool,
    /// The version that the change is based on. If the booking has another version, the change is refused.
    pub version: Option<i64>,
}

/// Distinguishes a field that is null from one that is missing.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Applies a change and increments the version once. A change without an effect leaves the version. Another sitter gets
/// the booking's window and conversation at once, if it has them.
///
/// # Errors
/// [`Error::NotFound`] if the booking belongs to another organisation; [`Error::Conflict`] `version_conflict`,
/// `no_pricing_rule`, or `invalid_transition` (also for a change of anything but address and notes of a booking that is
/// final); [`Error::Invalid`] by field.
pub async fn patch(
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    patch: Patch,
    by: &Actor,
    now: Timestamp,
) -> Result<StatusChange> {
    let before = lock_of(tx, org, id).await?;
    if patch.version.is_some_and(|version| version != before.version) {
        return Err(version_conflict());
    }
    let (reason, reprice) = (patch.reason.clone(), patch.reprice);
    let (mut after, asked_status) = merge(&before, patch)?;
    if let Some(sitter) = after.sitter_id.as_ref().filter(|sitter| before.sitter_id.as_ref() != Some(*sitter)) {
        check_sitter(tx, org, sitter).await?;
    }
    let changed = changed_fields(&before, &after);
    if before.status.is_final() && (reprice || changed.iter().any(|field| !matches!(*field, "address" | "notes"))) {
        return Err(Error::conflict(
            "invalid_transition",
            format!("a booking that is {} can no longer be changed", before.status),
        ));
    }
    let status_moved = match asked_status {
        Some(to) => move_status(&mut after, to, now)?,
        None => false,
    };
    let mut history_id = None;
    if reprice {
        pricing::price_changed(tx, &mut after, now).await?;
    }
    if status_moved || reprice || !changed.is_empty() {
        after = store(tx, &after, now).await?;
    }
    if before.sitter_id != after.sitter_id {
        // At once: the sitter before must not read or write any more. Conversations are locked before texts.
        confirmation::hand_over_of(tx, &after, by, now).await?;
    }
    if before.start_at != after.start_at || (status_moved && after.status == Status::Cancelled) {
        automations::take_back(tx, &after, by, now).await?;
    } else if before.sitter_id != after.sitter_id {
        automations::take_back_assignments(tx, &after, by, now).await?;
    }
    if !changed.is_empty() {
        let entry =
            after.entry(Event::BookingUpdated, by).metadata(json!({"fields": changed, "version": after.version}));
        audit::record(tx, entry, now).await?;
    }
    if reprice {
        pricing::record_repriced(tx, &after, before.total_minor, reason.as_deref(), by, now).await?;
    }
    let time_moved = changed.iter().any(|field| matches!(*field, "startAt" | "endAt"));
    let mut warnings = Vec::new();
    if time_moved || asked_status == Some(Status::Confirmed) {
        warnings = oddities::of_times(&after, now);
    }
    if status_moved {
        history_id = Some(record_status(tx, &after, before.status, reason.as_deref(), &warnings, by, now).await?);
    }
    if changed.contains(&"service") {
        warnings.extend(oddities::of_service(tx, &after, now).await?);
    }
    let sitter_moved = changed.contains(&"sitterId") && matches!(after.status, Status::Confirmed | Status::InProgress);
    Ok(StatusChange {
        from: before.status,
        to: after.status,
        history_id,
        needs_confirm: asked_status == Some(Status::Confirmed) || sitter_moved,
        rescheduled_to_version: time_moved.then_some(after.version),
        warnings,
        booking: after,
    })
}

/// Returns the booking with the patch applied, except its status, which is returned separately.
fn merge(before: &Booking, patch: Patch) -> Result<(Booking, Option<Status>)> {
    let mut field_errors = FieldErrors::default();
    let mut after = before.clone();
    let status = patch.status.and_then(|word| match word.parse() {
        Ok(status) => Some(status),
        Err(unknown) => {
            field_errors.add("status", format!("{unknown}"));
            None
        }
    });
    if let Some(start_at) = patch.start_at.and_then(|text| field_errors.moment("startAt", Some(&text))) {
        after.start_at = start_at;
    }
    if let Some(end_at) = patch.end_at.and_then(|text| field_errors.moment("endAt", Some(&text))) {
        after.end_at = end_at;
    }
    // Bookings that are older than the limit may last longer. They can still be changed otherwise.
    if (after.start_at, after.end_at) != (before.start_at, before.end_at) {
        check_span(&mut field_errors, Some(after.start_at), Some(after.end_at));
    }
    if let Some(service) = patch.service.and_then(|service| check_service(&mut field_errors, service)) {
        after.service = service;
    }
    if let Some(quantity) = patch.quantity {
        check_quantity(&mut field_errors, quantity);
        after.quantity = quantity;
    }
    if let Some(add_ons) = patch.add_ons {
        check_add_ons(&mut field_errors, &add_ons);
        after.add_ons = Json(add_ons);
    }
    if let Some(discount_minor) = patch.discount_minor {
        check_discount(&mut field_errors, discount_minor);
        after.discount_minor = discount_minor;
    }
    if let Some(sitter_id) = patch.sitter_id {
        after.sitter_id = sitter_id;
    }
    if let Some(address) = patch.address {
        after.address = field_errors.optional("address", address, ADDRESS);
    }
    if let Some(notes) = patch.notes {
        after.notes = field_errors.optional("notes", notes, NOTES);
    }
    field_errors.optional("reason", patch.reason, NOTES);
    field_errors.finish()?;
    Ok((after, status))
}

fn changed_fields(before: &Booking, after: &Booking) -> Vec<&'static str> {
    let fields = [
        ("startAt", before.start_at != after.start_at),
        ("endAt", before.end_at != after.end_at),
        ("service", before.service != after.service),
        ("quantity", before.quantity != after.quantity),
        ("addOns", before.add_ons != after.add_ons),
        ("discountMinor", before.discount_minor != after.discount_minor),
        ("sitterId", before.sitter_id != after.sitter_id),
        ("address", before.address != after.address),
        ("notes", before.notes != after.notes),
    ];
    fields.into_iter().filter_map(|(field, changed)| changed.then_some(field)).collect()
}
