//! Texts to numbers that no organisation has. They stay in the inbox of webhooks, and can be routed once somebody has the
//! number.

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::InboxId;
use crate::inbox::WebhookSource;
use crate::messaging::routing::trace::{self, NewTrace};
use crate::messaging::routing::{Arrived, Decision, Sender};
use crate::phone::PhoneNumber;
use crate::short_hash::short_hash;
use crate::{Result, advisory};

/// All such texts are one problem, so that nobody fills the list of exceptions by texts to many numbers.
const FINGERPRINT: &str = "sms_unroutable:unknown";

/// How many numbers the exception lists.
const NUMBERS_MAX: usize = 20;

/// The numbers that texts were sent to and that no organisation has, as the exception lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Unknown {
    /// In the order of their latest texts, the latest last.
    numbers: Vec<UnknownNumber>,
    /// Whether there are more. Then only a person can say that all are dealt with.
    more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnknownNumber {
    /// Masked, so different numbers may look the same.
    number: String,
    /// Tells the number from others.
    hash: String,
    /// The webhook of its latest text, whose body has the number in full.
    inbox_id: InboxId,
}

impl Unknown {
    fn add(&mut self, to: &Sender, inbox: &InboxId) {
        let number = UnknownNumber { number: to.shown(), hash: hash(to), inbox_id: inbox.clone() };
        self.numbers.retain(|known| known.hash != number.hash);
        self.numbers.push(number);
        if self.numbers.len() > NUMBERS_MAX {
            self.numbers.remove(0);
            self.more = true;
        }
    }

    /// Returns whether the number was listed.
    fn remove(&mut self, to: &Sender) -> bool {
        let (before, hash) = (self.numbers.len(), hash(to));
        self.numbers.retain(|known| known.hash != hash);
        self.numbers.len() < before
    }

    fn is_empty(&self) -> bool {
        self.numbers.is_empty() && !self.more
    }
}

fn hash(to: &Sender) -> String {
    short_hash(&to.compared())
}

/// Records that a text reached nobody, once for each webhook, and puts its number before people. `number` is masked.
pub(super) async fn record(
    tx: &mut Tx,
    text: &Arrived,
    number: &str,
    decision: &Decision,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let recorded: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM routing_traces WHERE inbox_id = $1 AND outcome = $2)")
        .bind(&text.inbox)
        .bind(decision.outcome)
        .scalar()
        .await?;
    if recorded {
        return Ok(());
    }
    let new = NewTrace { org: None, inbox: &text.inbox, message: None, thread: None, decision };
    trace::record(tx, &new, now).await?;
    let metadata = json!({"number": number, "carrier": text.carrier});
    let entry = crate::audit_entry(Event::MessageUnroutable, "warning", by).inbox(&text.inbox).metadata(metadata);
    audit::record(tx, entry, now).await?;
    advisory::unknown_numbers(tx).await?;
    let mut unknown = listed(tx).await?.unwrap_or_default();
    unknown.add(&Sender::of(&text.to), &text.inbox);
    let problem = NewException::new(ExceptionKind::SmsUnroutable, Severity::High, FINGERPRINT)
        .title("A text was sent to a number that no organisation has")
        .inbox(&text.inbox)
        .detail(json!({
            "number": number,
            "carrier": text.carrier,
            "inboxId": text.inbox,
            "numbers": unknown.numbers,
            "more": unknown.more,
        }));
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Returns the numbers that the unresolved exception lists. `None` if there is no such exception.
async fn listed(tx: &mut Tx) -> Result<Option<Unknown>> {
    let detail: Option<(Json<Unknown>,)> = tx
        .query("SELECT detail FROM exceptions WHERE fingerprint = $1 AND status <> 'resolved'")
        .bind(FINGERPRINT)
        .optional()
        .await?;
    Ok(detail.map(|(unknown,)| unknown.0))
}

/// Takes a number that an organisation has now off the exception, and resolves the exception if no other number is left.
pub(in crate::messaging) async fn number_added(tx: &mut Tx, number: &PhoneNumber, now: Timestamp) -> Result<()> {
    const NOTE: &str = "an organisation has the number now";
    // The previous version raised one exception for each number.
    let of_number = format!("{}:{}", ExceptionKind::SmsUnroutable, number.digits());
    exceptions::resolve(tx, &of_number, NOTE, now).await?;
    advisory::unknown_numbers(tx).await?;
    let Some(mut unknown) = listed(tx).await? else { return Ok(()) };
    if !unknown.remove(&Sender::Phone(number.clone())) {
        return Ok(());
    }
    if unknown.is_empty() {
        return exceptions::resolve(tx, FINGERPRINT, NOTE, now).await;
    }
    let latest = unknown.numbers.last().map(|latest| (&latest.number, &latest.inbox_id)).unzip();
    let detail = json!({"number": latest.0, "inboxId": latest.1, "numbers": unknown.numbers, "more": unknown.more});
    tx.query("UPDATE exceptions SET detail = $2, updated_at = $3 WHERE fingerprint = $1 AND status <> 'resolved'")
        .bind(FINGERPRINT)
        .bind(Json(&detail))
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// A webhook whose text reached nobody.
#[derive(Clone, sqlx::FromRow)]
pub struct Unrouted {
    pub id: InboxId,
    pub provider: WebhookSource,
    /// The body.
    pub payload: String,
    pub received_at: Timestamp,
}

/// Returns the webhooks that arrived at or after `since` and before `until`, and whose texts reached nobody, oldest
/// first. Index: `routing_traces_unroutable`.
pub async fn unrouted(db: &Db, since: Timestamp, until: Option<Timestamp>) -> Result<Vec<Unrouted>> {
    // A text is routed after its webhook arrived.
    let found = db
        .read(
            "SELECT i.id, i.provider, i.payload, i.received_at
             FROM routing_traces r JOIN webhook_inbox i ON i.id = r.inbox_id
             WHERE r.outcome = 'unroutable' AND r.created_at >= $1 AND i.received_at >= $1
               AND (i.received_at < $2 OR $2 IS NULL)
               AND i.status = 'processed' AND i.org_id IS NULL AND i.payload IS NOT NULL
             ORDER BY i.id",
        )
        .bind(since)
        .bind(until)
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
             WHERE id = $1 AND status = 'processed' AND org_id IS NULL AND payload IS NOT NULL
               AND EXISTS (SELECT 1 FROM routing_traces r WHERE r.inbox_id = $1 AND r.outcome = 'unroutable')",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(reopened == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox() -> InboxId {
        InboxId::from("inbox".to_owned())
    }

    fn number(n: usize) -> Sender {
        Sender::of(&format!("+1555019{n:04}"))
    }

    #[test]
    fn a_number_is_listed_once_and_told_from_one_that_looks_the_same() {
        let (one, other) = (Sender::of("+15550199066"), Sender::of("+15550188066"));
        assert_eq!(one.shown(), other.shown());
        let mut unknown = Unknown::default();
        unknown.add(&one, &inbox());
        unknown.add(&one, &inbox());
        assert_eq!(unknown.numbers.len(), 1);
        assert!(!unknown.remove(&other) && !unknown.is_empty());
        assert!(unknown.remove(&one) && unknown.is_empty());
    }

    #[test]
    fn the_list_is_bounded_and_says_that_there_are_more() {
        let mut unknown = Unknown::default();
        for n in 0..=NUMBERS_MAX {
            unknown.add(&number(n), &inbox());
        }
        assert_eq!((unknown.numbers.len(), unknown.more), (NUMBERS_MAX, true));
        for n in 1..=NUMBERS_MAX {
            assert!(unknown.remove(&number(n)));
        }
        assert!(!unknown.is_empty(), "the first number is not listed any more");
    }
}
