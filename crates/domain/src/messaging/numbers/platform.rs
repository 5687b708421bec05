//! The number for new businesses: the front desk number of the platform.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::{Number, NumberClass, find, load};
use crate::Result;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::NumberId;
use crate::people::organizations::{PLATFORM, is_platform};
use crate::phone::PhoneNumber;

/// Returns the number for new businesses, which becomes the platform's front desk number in service; an earlier one goes
/// out of service. If the number belongs to an organisation, its row is left alone, but the number still counts as the
/// platform's, so that no organisation gets what new businesses write.
pub async fn onboarding(tx: &mut Tx, number: &PhoneNumber, now: Timestamp) -> Result<Option<Number>> {
    let row = find(tx, number).await?;
    if let Some(row) = row.as_ref().filter(|row| !is_platform(&row.org_id)) {
        let (org_id, number_class) = (PLATFORM.into(), NumberClass::FrontDesk);
        return Ok(Some(Number { org_id, number_class, assigned_sitter_id: None, ..row.clone() }));
    }
    if row.as_ref().is_some_and(Number::is_in_service) {
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

/// Makes the row of the number for new businesses before the first text to it, so that no organisation can add the
/// number. Raises an exception while an organisation has it.
pub async fn claim_onboarding(tx: &mut Tx, number: &PhoneNumber, now: Timestamp) -> Result<()> {
    let kind = ExceptionKind::SmsUnroutable;
    let fingerprint = format!("{kind}:onboarding");
    onboarding(tx, number, now).await?;
    let taken = find(tx, number).await?.filter(|row| !is_platform(&row.org_id));
    let Some(taken) = taken else {
        return exceptions::resolve(tx, &fingerprint, "the number for new businesses is the platform's", now).await;
    };
    let problem = NewException::new(kind, Severity::High, fingerprint)
        .title("An organisation has added the number for new businesses")
        .detail(json!({"number": number.masked(), "numberId": taken.id, "orgId": taken.org_id}));
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}
