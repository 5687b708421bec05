//! The number from which a waiting text is sent if its own number went out of service.

use nightshift_db::{Timestamp, Tx};

use super::outbound::{Outbound, lock};
use crate::Result;
use crate::ids::NumberId;

/// Returns the number in service from which a text is sent: the number it was written for, or else the current number
/// of its thread. Moves the text and its automation run to that number. Returns `None` if neither number is in service.
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
