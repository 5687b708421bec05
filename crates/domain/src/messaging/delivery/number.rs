//! The number a waiting text leaves from, should its own have gone out of service.

use nightshift_db::{Timestamp, Tx};

use super::outbound::{Outbound, lock};
use crate::Result;
use crate::ids::NumberId;

/// The number in service that a text leaves from: the one it was written for, else the one that its conversation has
/// now. The text and the automation run that asked for it go along. None when neither is in service.
///
/// # Errors
/// When the database refuses.
pub async fn number_in_service(tx: &mut Tx, text: &Outbound, now: Timestamp) -> Result<Option<NumberId>> {
    let text = lock(tx, &text.id).await?;
    let numbers: Vec<(NumberId,)> = tx
        .query(
            "SELECT n.id FROM message_numbers AS n
             WHERE n.status = 'active'
               AND (n.id = $1 OR n.id = (SELECT message_number_id FROM message_threads WHERE id = $2))",
        )
        .bind(&text.from_number_id)
        .bind(&text.thread_id)
        .all()
        .await?;
    let mut numbers = numbers.into_iter().map(|(id,)| id);
    let Some(number) = numbers.clone().find(|id| Some(id) == text.from_number_id.as_ref()).or_else(|| numbers.next())
    else {
        return Ok(None);
    };
    if Some(&number) != text.from_number_id.as_ref() {
        tx.query("UPDATE message_events SET from_number_id = $2, send_slot_at = NULL, updated_at = $3 WHERE id = $1")
            .bind(&text.id)
            .bind(&number)
            .bind(now)
            .execute()
            .await?;
        tx.query("UPDATE automation_runs SET from_number_id = $2, updated_at = $3 WHERE id = $1")
            .bind(&text.automation_run_id)
            .bind(&number)
            .bind(now)
            .execute()
            .await?;
    }
    Ok(Some(number))
}
