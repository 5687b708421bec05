//! The number for new businesses: the front desk number of the platform.

use nightshift_db::{Timestamp, Tx};

use super::{Number, find, load};
use crate::Result;
use crate::ids::NumberId;
use crate::people::organizations::{PLATFORM, is_platform};
use crate::phone::PhoneNumber;

/// Returns the row of the number for new businesses, which becomes the platform's front desk number in service; an
/// earlier one goes out of service. If the number belongs to an organisation, its row is returned unchanged.
pub async fn onboarding(tx: &mut Tx, number: &PhoneNumber, now: Timestamp) -> Result<Option<Number>> {
    let row = find(tx, number).await?;
    let in_place = row.as_ref().is_some_and(|row| !is_platform(&row.org_id) || row.is_in_service());
    if in_place {
        return Ok(row);
    }
    tx.query(
        "UPDATE message_numbers SET status = 'inactive', updated_at = $2
         WHERE org_id = $1 AND number_class = 'front_desk' AND status = 'active'",
    )
    .bind(PLATFORM)
    .bind(now)
    .execute()
    .await?;
    if let Some(row) = row {
        tx.query(
            "UPDATE message_numbers
             SET number_class = 'front_desk', assigned_sitter_id = NULL, status = 'active', updated_at = $2
             WHERE id = $1",
        )
        .bind(&row.id)
        .bind(now)
        .execute()
        .await?;
        return load(tx, &row.id).await;
    }
    tx.query(
        "INSERT INTO message_numbers (id, org_id, e164, number_class, status, provider, created_at, updated_at)
         VALUES ($1, $2, $3, 'front_desk', 'active', 'twilio', $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(NumberId::new(now))
    .bind(PLATFORM)
    .bind(number.e164())
    .bind(now)
    .execute()
    .await?;
    find(tx, number).await
}
