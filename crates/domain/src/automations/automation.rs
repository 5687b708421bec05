//! The automations of an organisation and their default texts.

use chrono_tz::Tz;
use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::Serialize;
use serde_json::Value;

use super::quiet_hours::QuietHours;
use crate::Result;
use crate::ids::{AutomationId, OrgId};
use crate::text_enum::text_enum;

text_enum! {
    pub enum AutomationType {
        BookingConfirmation = "bookingConfirmation",
        /// Sent the day before the booking.
        BookingReminder = "bookingReminder",
        /// A confirmed booking was cancelled.
        BookingCancelled = "bookingCancelled",
        /// A confirmed booking has moved.
        BookingRescheduled = "bookingRescheduled",
        /// A sitter was assigned to a booking.
        SitterAssignment = "sitterAssignment",
        OfferNotification = "offerNotification",
        /// A call to a service provider ended with an appointment.
        ProviderBookingConfirmed = "providerBookingConfirmed",
    }
}

text_enum! {
    pub enum Recipient {
        /// The client of a booking.
        Client = "client",
        Sitter = "sitter",
        /// Whoever made a service request, by phone number.
        Requester = "requester",
    }
}

impl AutomationType {
    #[must_use]
    pub const fn recipient(self) -> Recipient {
        match self {
            Self::BookingConfirmation | Self::BookingReminder | Self::BookingCancelled | Self::BookingRescheduled => {
                Recipient::Client
            }
            Self::SitterAssignment | Self::OfferNotification => Recipient::Sitter,
            Self::ProviderBookingConfirmed => Recipient::Requester,
        }
    }

    /// Returns the text that an organisation starts with.
    #[must_use]
    pub const fn default_template(self) -> &'static str {
        match self {
            Self::BookingConfirmation => {
                "Hi {firstName}, your {service} on {date} at {time} is confirmed. Reply to this number with any questions."
            }
            Self::BookingReminder => "Reminder: your {service} is tomorrow, {date} at {time}.",
            Self::BookingCancelled => "Your {service} on {date} at {time} has been cancelled.",
            Self::BookingRescheduled => "Your {service} has moved to {date} at {time}.",
            Self::SitterAssignment => "You are assigned: {service}, {date} {time}.",
            Self::OfferNotification => {
                "New booking: {service}, {date} {time}. Reply YES to accept or NO to decline. Offer {code}, expires {expiry}."
            }
            Self::ProviderBookingConfirmed => {
                "Your appointment with {providerName} is confirmed for {date} at {time}. Confirmation: {confirmationNumber}"
            }
        }
    }

    /// Returns the variables that a template of this type may use.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::BookingConfirmation
            | Self::BookingReminder
            | Self::BookingCancelled
            | Self::BookingRescheduled
            | Self::SitterAssignment => &["firstName", "service", "date", "time", "business"],
            Self::OfferNotification => &["service", "date", "time", "code", "expiry", "business"],
            Self::ProviderBookingConfirmed => &["providerName", "date", "time", "confirmationNumber", "business"],
        }
    }

    /// Returns whether the text waits for the end of quiet hours by default. A text that somebody waits for does not.
    const fn waits_for_quiet_hours(self) -> bool {
        !matches!(self, Self::OfferNotification | Self::ProviderBookingConfirmed)
    }
}

/// The template and settings of one type of automatic text in an organisation.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    pub id: AutomationId,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: AutomationType,
    pub recipient: Recipient,
    pub enabled: bool,
    /// The text with `{variables}`.
    pub template: String,
    /// Delay after the cause of the text.
    pub delay_minutes: i64,
    /// Whether the text waits for the end of quiet hours.
    pub quiet_hours: bool,
}

/// Inserts the automations that an organisation lacks, with their default texts. Existing ones stay unchanged.
pub async fn seed_defaults(tx: &mut Tx, org: &OrgId, now: Timestamp) -> Result<()> {
    for kind in AutomationType::ALL {
        tx.query(
            "INSERT INTO automations (id, org_id, type, recipient, template, quiet_hours, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (org_id, type) DO NOTHING",
        )
        .bind(AutomationId::new(now))
        .bind(org)
        .bind(*kind)
        .bind(kind.recipient())
        .bind(kind.default_template())
        .bind(kind.waits_for_quiet_hours())
        .bind(now)
        .execute()
        .await?;
    }
    Ok(())
}

/// Returns an organisation's automation of a type, or `None` if it has none.
pub async fn load(tx: &mut Tx, org: &OrgId, kind: AutomationType) -> Result<Option<Automation>> {
    let automation = tx
        .query(
            "SELECT id, type, recipient, enabled, template, delay_minutes, quiet_hours
             FROM automations WHERE org_id = $1 AND type = $2",
        )
        .bind(org)
        .bind(kind)
        .optional()
        .await?;
    Ok(automation)
}

/// Returns all automations of an organisation, ordered by type.
pub async fn list(db: &Db, org: &OrgId) -> Result<Vec<Automation>> {
    let automations = db
        .read(
            "SELECT id, type, recipient, enabled, template, delay_minutes, quiet_hours
             FROM automations WHERE org_id = $1 ORDER BY type",
        )
        .bind(org)
        .all()
        .await?;
    Ok(automations)
}

/// Returns an organisation's quiet hours, or `None` if its settings contain none.
pub async fn quiet_hours_of(tx: &mut Tx, org: &OrgId) -> Result<Option<QuietHours>> {
    let row: Option<(String, Json<Value>)> =
        tx.query("SELECT timezone, settings FROM organizations WHERE id = $1").bind(org).optional().await?;
    Ok(row.and_then(|(zone, settings)| QuietHours::from_settings(&settings.0, zone_named(&zone))))
}

/// Returns the zone with this IANA name. Names are checked when they are stored; if a later version of the time zone
/// database lacks the name, the result is UTC.
pub(crate) fn zone_named(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automations::template;

    #[test]
    fn every_default_text_uses_only_what_its_kind_offers() {
        for kind in AutomationType::ALL {
            assert_eq!(template::check(kind.default_template(), kind.variables()), Ok(()), "{kind}");
        }
    }
}
