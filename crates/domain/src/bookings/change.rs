//! Changes a booking's status, and stores a changed booking.

use nightshift_db::{RowsStatement, Timestamp, Tx};
use serde_json::json;

use super::booking::{WrittenColumns, booking_columns, lock_of};
use super::{Booking, Status, Transition, history, oddities, transition};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations;
use crate::ids::{BookingId, HistoryId, OrgId};
use crate::warning::Warning;
use crate::{Error, Result};

static STORE: RowsStatement<WrittenColumns> = RowsStatement::new(
    3,
    concat!(
        "UPDATE bookings SET {assignments}, version = version + 1, updated_at = $3
         WHERE id = $1 AND version = $2 RETURNING ",
        booking_columns!("")
    ),
);

/// What a request did to a booking, and what must be enqueued for it in the same transaction.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: the work of a new status, a confirmation or a new time"]
pub struct StatusChange {
    pub booking: Booking,
    pub from: Status,
    pub to: Status,
    /// The history row of the change, for which `booking.status_changed` must follow. `None` if the status stayed the
    /// same.
    pub history_id: Option<HistoryId>,
    /// Whether `booking.confirm` must run: the booking was confirmed, perhaps again, or got another sitter after its
    /// confirmation.
    pub needs_confirm: bool,
    /// The version with the new time, for which `booking.rescheduled` must follow. `None` if the time stayed the same.
    pub rescheduled_to_version: Option<i64>,
    /// Unusual values in the request, such as a time in the past or a service without a price.
    pub warnings: Vec<Warning>,
}

/// Changes a booking's status. If the booking already has this status, nothing is changed and no history is written.
///
/// # Errors
/// [`Error::NotFound`] if the booking belongs to another organisation; [`Error::Conflict`] `invalid_transition`.
pub async fn change_status(
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    to: Status,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<StatusChange> {
    let booking = lock_of(tx, org, id).await?;
    set_status(tx, booking, to, reason, by, now).await
}

/// Confirms a booking. For a confirmed booking nothing changes, but the steps of the confirmation are checked again.
///
/// # Errors
/// The errors of [`change_status`].
pub async fn confirm(tx: &mut Tx, org: &OrgId, id: &BookingId, by: &Actor, now: Timestamp) -> Result<StatusChange> {
    change_status(tx, org, id, Status::Confirmed, None, by, now).await
}

/// Cancels a booking. A cancelled booking stays unchanged.
///
/// # Errors
/// The errors of [`change_status`].
pub async fn cancel(
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<StatusChange> {
    change_status(tx, org, id, Status::Cancelled, reason, by, now).await
}

/// As [`change_status`], for a booking that this transaction has locked.
pub(super) async fn set_status(
    tx: &mut Tx,
    mut booking: Booking,
    to: Status,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<StatusChange> {
    let from = booking.status;
    let moved = move_status(&mut booking, to, now)?;
    let warnings = if to == Status::Confirmed { oddities::of_times(&booking, now) } else { Vec::new() };
    let mut history_id = None;
    if moved {
        booking = store(tx, &booking, now).await?;
        if to == Status::Cancelled {
            automations::take_back(tx, &booking, by, now).await?;
        }
        history_id = Some(record_status(tx, &booking, from, reason, &warnings, by, now).await?);
    }
    Ok(StatusChange {
        booking,
        from,
        to,
        history_id,
        needs_confirm: to == Status::Confirmed,
        rescheduled_to_version: None,
        warnings,
    })
}

/// Sets the status in memory. Returns false if the booking had this status already.
pub(super) fn move_status(booking: &mut Booking, to: Status, now: Timestamp) -> Result<bool> {
    match transition(booking.status, to) {
        Transition::Same => return Ok(false),
        Transition::Invalid => return Err(invalid_transition(booking.status, to)),
        Transition::Change => {}
    }
    booking.status = to;
    if to == Status::Confirmed {
        booking.confirmed_at.get_or_insert(now);
    }
    if to == Status::Cancelled {
        booking.cancelled_at.get_or_insert(now);
    }
    Ok(true)
}

fn invalid_transition(from: Status, to: Status) -> Error {
    Error::conflict("invalid_transition", format!("a booking that is {from} cannot become {to}"))
}

/// Writes the history and audit rows of a status change that is already stored.
pub(super) async fn record_status(
    tx: &mut Tx,
    booking: &Booking,
    from: Status,
    reason: Option<&str>,
    warnings: &[Warning],
    by: &Actor,
    now: Timestamp,
) -> Result<HistoryId> {
    let to = booking.status;
    let history_id = history::append(tx, booking, Some(from), to, reason, by, now).await?;
    let mut facts = json!({"from": from, "to": to, "version": booking.version, "historyId": history_id});
    if !warnings.is_empty() {
        facts["warnings"] = json!(oddities::codes(warnings));
    }
    audit::record(tx, booking.entry(Event::BookingStatusChanged, by).metadata(facts), now).await?;
    Ok(history_id)
}

/// Stores every column that can change and increments the version. The caller holds the booking's lock. If the row's
/// version is another one nevertheless, nothing is stored and the result is `version_conflict`.
pub(crate) async fn store(tx: &mut Tx, booking: &Booking, now: Timestamp) -> Result<Booking> {
    let query = tx.query(STORE.sql(tx.engine())).bind(&booking.id).bind(booking.version).bind(now);
    STORE.bind_values(query, &booking).optional().await?.ok_or_else(version_conflict)
}

pub(super) fn version_conflict() -> Error {
    Error::conflict("version_conflict", "the booking was changed in the meantime")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use nightshift_db::testing::{each_engine, migrated};
    use nightshift_db::{Engine, Json};

    use super::super::booking::lock;
    use super::super::{Draft, PaymentStatus, create};
    use super::*;
    use crate::ids::{SitterId, SnapshotId};
    use crate::pricing::{self, RuleDraft};

    each_engine! {
        every_field_of_a_booking_that_can_change_is_stored,
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    async fn every_field_of_a_booking_that_can_change_is_stored(engine: Engine) {
        let database = migrated(engine).await;
        let mut tx = database.db.begin().await.unwrap();
        let (org, now) = (OrgId::from("platform".to_owned()), at("2024-12-28T12:00:00Z"));
        let by = Actor::Unauthenticated;
        tx.query("INSERT INTO sitters (id, org_id, name, phone_number, active) VALUES ('sitter-1', $1, 'Sam', '+15550100001', TRUE)")
            .bind(&org)
            .execute()
            .await
            .unwrap();
        let rule: RuleDraft = serde_json::from_value(json!({
            "service": "dog_walking", "effectiveFrom": "2024-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30,
        }))
        .unwrap();
        pricing::add(&mut tx, &org, rule.check().unwrap(), &by, now).await.unwrap();
        let draft: Draft = serde_json::from_value(json!({
            "firstName": "Test", "lastName": "Client", "phone": "+15551234567", "service": "dog_walking",
            "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T11:00:00Z",
        }))
        .unwrap();
        let first = create(&mut tx, &org, draft.check(None).unwrap(), &by, now).await.unwrap().booking;
        tx.query(
            "INSERT INTO pricing_snapshots
                 (id, org_id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at)
             SELECT 'snapshot-2', org_id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at
             FROM pricing_snapshots",
        )
        .execute()
        .await
        .unwrap();
        let changed = Booking {
            id: first.id.clone(),
            org_id: first.org_id.clone(),
            client_id: first.client_id.clone(),
            sitter_id: Some(SitterId::from("sitter-1".to_owned())),
            service: "house_sitting".to_owned(),
            start_at: at("2025-01-01T01:00:00Z"),
            end_at: at("2025-01-02T02:00:00Z"),
            status: Status::Completed,
            quantity: 2,
            add_ons: Json(vec!["bath".to_owned(), "nails".to_owned()]),
            address: Some("1 High Street".to_owned()),
            notes: Some("Ring twice.".to_owned()),
            discount_minor: 3,
            total_minor: Some(4),
            currency: Some("GBP".to_owned()),
            pricing_snapshot_id: Some(SnapshotId::from("snapshot-2".to_owned())),
            payment_status: PaymentStatus::Refunded,
            paid_minor: 5,
            refunded_minor: 6,
            stripe_payment_intent_id: Some("pi_1".to_owned()),
            confirmed_at: Some(at("2025-01-03T03:00:00Z")),
            cancelled_at: Some(at("2025-01-04T04:00:00Z")),
            version: first.version,
            created_at: first.created_at,
        };
        let stored = store(&mut tx, &changed, now).await.unwrap();
        assert_eq!(lock(&mut tx, &first.id).await.unwrap(), stored);
        assert_eq!(stored, Booking { version: first.version + 1, ..changed });
    }
}
