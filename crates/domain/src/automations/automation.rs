//! The automations of an organisation and the texts they start with.

use chrono_tz::Tz;
use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::Serialize;
use serde_json::Value;

use super::quiet_hours::QuietHours;
use crate::Result;
use crate::ids::{AutomationId, OrgId};
use crate::text_enum::text_enum;

text_enum! {
    /// What an automatic text is about.
    pub enum AutomationType {
        /// A booking was confirmed.
        BookingConfirmation = "bookingConfirmation",
        /// A booking is tomorrow.
        BookingReminder = "bookingReminder",
        /// A confirmed booking was cancelled.
        BookingCancelled = "bookingCancelled",
        /// A confirmed booking has moved.
        BookingRescheduled = "bookingRescheduled",
        /// A sitter got a booking.
        SitterAssignment = "sitterAssignment",
        /// A sitter is offered a booking.
        OfferNotification = "offerNotification",
        /// A called provider has given an appointment.
        ProviderBookingConfirmed = "providerBookingConfirmed",
    }
}

text_enum! {
    /// Who gets a text.
    pub enum Recipient {
        /// The client of a booking.
        Client = "client",
        /// A sitter.
        Sitter = "sitter",
        /// Who asked for an appointment elsewhere.
        Requester = "requester",
    }
}

impl AutomationType {
    /// Who gets this text.
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

    /// The text an organisation starts with.
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

    /// What a template of this kind may ask for.
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

    /// Whether the text waits for the end of quiet hours unless the organisation says otherwise. An answer to
    /// somebody who waits for it does not.
    const fn waits_for_quiet_hours(self) -> bool {
        !matches!(self, Self::OfferNotification | Self::ProviderBookingConfirmed)
    }
}

/// One kind of automatic text of an organisation.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    /// Its id.
    pub id: AutomationId,
    /// What it is about.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: AutomationType,
    /// Who gets it.
    pub recipient: Recipient,
    /// Whether it is sent at all.
    pub enabled: bool,
    /// Its text with variables.
    pub template: String,
    /// How long after its cause it is sent.
    pub delay_minutes: i64,
    /// Whether it waits for the end of quiet hours.
    pub quiet_hours: bool,
}

/// Gives an organisation the automations it lacks, with their default texts. Those it has stay as they are.
///
/// # Errors
/// When the database refuses.
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

/// An organisation's automation of a kind, if it has one.
///
/// # Errors
/// When the database can't be read.
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

/// All automations of an organisation.
///
/// # Errors
/// When the database can't be read.
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

/// An organisation's quiet hours, if its settings name any.
///
/// # Errors
/// When the database can't be read.
pub async fn quiet_hours_of(tx: &mut Tx, org: &OrgId) -> Result<Option<QuietHours>> {
    let row: Option<(String, Json<Value>)> =
        tx.query("SELECT timezone, settings FROM organizations WHERE id = $1").bind(org).optional().await?;
    Ok(row.and_then(|(zone, settings)| QuietHours::from_settings(&settings.0, zone_named(&zone))))
}

/// The zone by its IANA name. Names are checked when they are stored; should one have left the tables since, UTC stands
/// in rather than nothing.
pub(super) fn zone_named(name: &str) -> Tz {
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
