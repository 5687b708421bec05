//! Texts to numbers that no organisation has. They stay in the inbox of webhooks and can be routed later.

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde_json::{Value, json};

use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::InboxId;
use crate::inbox::WebhookSource;
use crate::messaging::routing::trace::{self, NewTrace};
use crate::messaging::routing::{Arrived, Decision};
use crate::phone::PhoneNumber;

/// All such texts are one problem: who floods us with numbers that nobody has fills no list.
const FINGERPRINT: &str = "sms_unroutable:unknown";

/// Records that a text reached nobody, once for each webhook, and puts it before people. `number` is masked.
pub(super) async fn record(
    tx: &mut Tx,
    text: &Arrived,
    number: &str,
    decision: &Decision,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let new = NewTrace { org: None, inbox: &text.inbox, message: None, thread: None, decision };
    if trace::record(tx, &new, now).await? {
        let metadata = json!({"number": number, "carrier": text.carrier});
        let entry = crate::audit_entry(Event::MessageUnroutable, "warning", by).inbox(&text.inbox).metadata(metadata);
        audit::record(tx, entry, now).await?;
    }
    let problem = NewException::new(ExceptionKind::SmsUnroutable, Severity::High, FINGERPRINT)
        .title("A text was sent to a number that no organisation has")
        .inbox(&text.inbox)
        .detail(json!({"number": number, "carrier": text.carrier, "inboxId": text.inbox}));
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Resolves the exception if the latest text was to this number, which is in service now.
pub(in crate::messaging) async fn number_added(tx: &mut Tx, number: &PhoneNumber, now: Timestamp) -> Result<()> {
    let open: Option<(Json<Value>,)> = tx
        .query("SELECT detail FROM exceptions WHERE fingerprint = $1 AND status <> 'resolved'")
        .bind(FINGERPRINT)
        .optional()
        .await?;
    if open.is_some_and(|(detail,)| detail.0["number"] == number.masked()) {
        exceptions::resolve(tx, FINGERPRINT, "an organisation has the number now", now).await?;
    }
    Ok(())
}

/// A webhook whose text reached nobody.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Unrouted {
    pub id: InboxId,
    pub provider: WebhookSource,
    pub payload: String,
    pub received_at: Timestamp,
}

/// Returns the webhooks since `since` whose texts reached nobody. Index: `routing_traces_inbox`.
pub async fn unrouted_since(db: &Db, since: Timestamp) -> Result<Vec<Unrouted>> {
    let found = db
        .read(
            "SELECT i.id, i.provider, i.payload, i.received_at
             FROM webhook_inbox i JOIN routing_traces r ON r.inbox_id = i.id AND r.outcome = 'unroutable'
             WHERE i.received_at >= $1 AND i.payload IS NOT NULL AND i.status = 'processed'
               AND NOT EXISTS (SELECT 1 FROM message_events m WHERE m.id = i.id)
             ORDER BY i.id",
        )
        .bind(since)
        .all()
        .await?;
    Ok(found)
}

/// Sets a webhook whose text reached nobody back to `received`, so that its text can be routed. Returns false if another
/// has done so.
pub async fn reopen(tx: &mut Tx, id: &InboxId, now: Timestamp) -> Result<bool> {
    let reopened = tx
        .query(
            "UPDATE webhook_inbox SET status = 'received', processed_at = NULL, updated_at = $2
             WHERE id = $1 AND status = 'processed' AND payload IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM message_events m WHERE m.id = webhook_inbox.id)",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(reopened == 1)
}
