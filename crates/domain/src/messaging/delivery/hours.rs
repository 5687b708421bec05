//! Texts that wait because of the hour: of the organisation's quiet hours, or of the recipient's hours as the carrier
//! knows them.

use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;
use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::outbound::{Outbound, find_by_sid, lock};
use super::take_back::unless_outdated;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::quiet_hours::QuietHours;
use crate::automations::{runs, zone_named};
use crate::ids::MessageId;
use crate::messaging::masking::WaitingText;
use crate::messaging::message::MessageStatus;
use crate::text_enum::text_enum;

/// How often a text is sent again that the carrier gives back because of the recipient's hours.
const CARRIER_HOLDS_MAX: i64 = 3;
/// The wait after the carrier has given a text back although the day has begun in the organisation's zone: the
/// recipient's day begins later.
const LATER: Duration = Duration::from_secs(3 * 3600);
/// The hours in which carriers let texts through, in the organisation's zone. The recipient's zone is not known.
const OPENS: (u32, u32) = (8, 0);
const CLOSES: (u32, u32) = (21, 0);

text_enum! {
    /// Why a text waits.
    pub enum HoldReason {
        /// The organisation sends no unexpected texts at this hour.
        QuietHours = "quiet_hours",
        /// The carrier lets no texts through to the recipient at this hour.
        CarrierHours = "carrier_hours",
    }
}

/// A text waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub until: Timestamp,
    pub reason: HoldReason,
}

/// Returns whether a queued text must wait because of the hour, and until when. The text's row says so too. A text that
/// is no longer queued does not wait. Locks the text until the transaction ends.
///
/// # Errors
/// An error of the database.
pub async fn held(tx: &mut Tx, text: &Outbound, now: Timestamp) -> Result<Option<Held>> {
    let text = lock(tx, &text.id).await?;
    if text.status != MessageStatus::Queued {
        return Ok(None);
    }
    let (stored, quiet_until): (Stored, Option<Timestamp>) = {
        let stored: Stored = tx
            .query(
                "SELECT m.may_disturb_until, m.held_until, m.hold_reason, o.timezone, o.settings
                 FROM message_events m JOIN organizations o ON o.id = m.org_id WHERE m.id = $1",
            )
            .bind(&text.id)
            .one()
            .await?;
        let quiet_until = stored.quiet_until(now);
        (stored, quiet_until)
    };
    let by_carrier = (stored.hold_reason == Some(HoldReason::CarrierHours))
        .then_some(stored.held_until)
        .flatten()
        .filter(|until| *until > now)
        .map(|until| Held { until, reason: HoldReason::CarrierHours });
    let by_organization = quiet_until.map(|until| Held { until, reason: HoldReason::QuietHours });
    let held = match (by_carrier, by_organization) {
        (Some(carrier), Some(own)) => Some(if own.until > carrier.until { own } else { carrier }),
        (carrier, own) => carrier.or(own),
    };
    match held {
        Some(held) if Some(held.until) != stored.held_until => hold(tx, &text, held, now).await?,
        Some(_) => {}
        None if stored.held_until.is_some() => release(tx, &text.id, now).await?,
        None => {}
    }
    Ok(held)
}

#[derive(sqlx::FromRow)]
struct Stored {
    may_disturb_until: Option<Timestamp>,
    held_until: Option<Timestamp>,
    hold_reason: Option<HoldReason>,
    timezone: String,
    settings: Json<Value>,
}

impl Stored {
    /// Returns the end of the quiet hours that hold the text, if they do.
    fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.may_disturb_until.is_some_and(|until| now < until) {
            return None;
        }
        QuietHours::from_settings(&self.settings.0, zone_named(&self.timezone))?.end_after(now)
    }
}

async fn hold(tx: &mut Tx, text: &Outbound, held: Held, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE message_events SET held_until = $2, hold_reason = $3, send_slot_at = NULL, updated_at = $4
         WHERE id = $1",
    )
    .bind(&text.id)
    .bind(held.until)
    .bind(held.reason)
    .bind(now)
    .execute()
    .await?;
    text.announce(tx, MessageStatus::Queued, now).await
}

async fn release(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    tx.query("UPDATE message_events SET held_until = NULL, hold_reason = NULL, updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Lets a text leave at any hour until `until` that has not been sent. Returns `None` for any other, also for one that
/// the carrier lets through only at another hour.
pub(in crate::messaging) async fn free(
    tx: &mut Tx,
    id: &MessageId,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<WaitingText>> {
    let freed = tx
        .query(
            "UPDATE message_events
             SET may_disturb_until = $2, held_until = NULL, hold_reason = NULL, updated_at = $3
             WHERE id = $1 AND status = 'queued' AND COALESCE(hold_reason, $4) = $4 RETURNING id, resends",
        )
        .bind(id)
        .bind(until)
        .bind(now)
        .bind(HoldReason::QuietHours)
        .optional()
        .await?;
    Ok(freed)
}

/// Returns when to send a text again that the carrier has given back because of the recipient's hours.
///
/// At night that is the morning in the organisation's zone. In the daytime the recipient's zone must be another one, so
/// it is some hours later.
#[must_use]
pub fn next_window(zone: Tz, now: Timestamp) -> Timestamp {
    let time = |(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0);
    let night = time(CLOSES).zip(time(OPENS)).and_then(|(from, to)| QuietHours::new(from, to, zone));
    night.and_then(|night| night.end_after(now)).unwrap_or(now + LATER)
}

/// Keeps a text that the carrier did not accept because of the recipient's hours. Returns until when, or `None` if that
/// has happened too often, and the text must be given up. The caller has put the text back into the queue.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn hold_for_carrier(tx: &mut Tx, id: &MessageId, by: &Actor, now: Timestamp) -> Result<Option<Held>> {
    let text = lock(tx, id).await?;
    let (zone, before): (String, i64) = tx
        .query(
            "SELECT o.timezone, m.carrier_holds FROM message_events m JOIN organizations o ON o.id = m.org_id
             WHERE m.id = $1",
        )
        .bind(id)
        .one()
        .await?;
    if before >= CARRIER_HOLDS_MAX {
        return Ok(None);
    }
    let held = Held { until: next_window(zone_named(&zone), now), reason: HoldReason::CarrierHours };
    tx.query("UPDATE message_events SET carrier_holds = carrier_holds + 1 WHERE id = $1").bind(id).execute().await?;
    hold(tx, &text, held, now).await?;
    let metadata = json!({"messageId": id, "until": held.until, "reason": held.reason});
    audit::record(tx, text.entry(Event::MessageHeld, "info", by).metadata(metadata), now).await?;
    Ok(Some(held))
}

/// A text that the carrier accepted and gave back. It is queued again.
#[derive(Clone)]
#[must_use = "enqueue `sms.send` for it"]
pub struct GivenBack {
    pub text: Outbound,
    pub held: Held,
}

/// Puts a text back into the queue that the carrier accepted under the id `sid` and then did not deliver because of the
/// recipient's hours. The automation run that wrote it waits again too. Returns `None` if no text has this id, or if it has another final status, or if that has happened
/// too often: then the report must be applied as any other.
///
/// # Errors
/// An error of the database.
pub async fn given_back(tx: &mut Tx, sid: &str, by: &Actor, now: Timestamp) -> Result<Option<GivenBack>> {
    let Some(found) = find_by_sid(tx, sid).await? else { return Ok(None) };
    let text = lock(tx, &found.id).await?;
    if text.provider_message_sid.as_deref() != Some(sid) || text.status != MessageStatus::Sent {
        return Ok(None);
    }
    let Some(held) = hold_for_carrier(tx, &text.id, by, now).await? else { return Ok(None) };
    tx.query(
        "UPDATE message_events
         SET status = 'queued', provider_message_sid = NULL, sent_at = NULL, resends = resends + 1,
             given_back = given_back + 1, updated_at = $2
         WHERE id = $1",
    )
    .bind(&text.id)
    .bind(now)
    .execute()
    .await?;
    if let Some(run) = &text.automation_run_id {
        runs::reopen_given_back(tx, run, held.reason.as_str(), now).await?;
    }
    unless_outdated(tx, &text.id, now).await?;
    let text = lock(tx, &text.id).await?;
    Ok(Some(GivenBack { text, held }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_text_given_back_at_night_waits_for_the_morning_and_in_the_daytime_for_some_hours() {
        let zone = chrono_tz::America::New_York;
        assert_eq!(next_window(zone, at("2026-11-30T02:30:00.000Z")), at("2026-11-30T13:00:00.000Z"));
        assert_eq!(next_window(zone, at("2026-11-30T12:59:59.999Z")), at("2026-11-30T13:00:00.000Z"));
        assert_eq!(next_window(zone, at("2026-11-30T13:00:00.000Z")), at("2026-11-30T16:00:00.000Z"));
    }
}
