//! The request body of a new booking, and its validation.

use std::time::Duration;

use nightshift_db::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Result;
use crate::country::Country;
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::SitterId;
use crate::phone::PhoneNumber;

const NAME: TextLimit = TextLimit { chars_max: 80 };
const CODE: TextLimit = TextLimit { chars_max: 64 };
const EMAIL: TextLimit = TextLimit { chars_max: 254 };
pub(super) const ADDRESS: TextLimit = TextLimit { chars_max: 500 };
pub(super) const NOTES: TextLimit = TextLimit { chars_max: 4000 };
/// Largest number of pets or visits in one booking.
const QUANTITY_MAX: i64 = 1000;
const ADD_ONS_MAX: usize = 50;
/// Longest booking, in days of 24 hours. A longer one is taken for a typing error.
const DAYS_MAX: u128 = 31;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Largest discount, in minor units. A larger one is taken for a typing error.
const DISCOUNT_MAX: i64 = 1_000_000_000;

/// A booking to be created.
// Every field is optional, so that the check can report all faults at once.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewBooking)]
#[serde(rename_all = "camelCase", default)]
pub struct Draft {
    #[schema(required = true, nullable = false)]
    pub first_name: Option<String>,
    #[schema(required = true, nullable = false)]
    pub last_name: Option<String>,
    #[schema(required = true, nullable = false)]
    pub phone: Option<String>,
    pub email: Option<String>,
    #[schema(required = true, nullable = false)]
    pub service: Option<String>,
    #[schema(required = true, nullable = false, format = DateTime)]
    pub start_at: Option<String>,
    #[schema(required = true, nullable = false, format = DateTime)]
    pub end_at: Option<String>,
    /// Pets or visits, 1 to 1000. The default is 1.
    pub quantity: Option<i64>,
    pub add_ons: Option<Vec<String>>,
    /// Discount on the price, in minor units. The default is 0.
    pub discount_minor: Option<i64>,
    pub address: Option<String>,
    pub notes: Option<String>,
    pub sitter_id: Option<SitterId>,
}

/// A validated booking. Whether its sitter exists is checked when it is created.
#[derive(Clone)]
pub struct NewBooking {
    pub first_name: String,
    pub last_name: String,
    /// The client is found or created by this number.
    pub phone: PhoneNumber,
    pub email: Option<String>,
    pub service: String,
    pub start_at: Timestamp,
    /// Later than `start_at`.
    pub end_at: Timestamp,
    /// Pets or visits, at least 1.
    pub quantity: i64,
    /// Codes of extra services.
    pub add_ons: Vec<String>,
    /// Discount on the price, in minor units.
    pub discount_minor: i64,
    pub address: Option<String>,
    /// Notes for the sitter.
    pub notes: Option<String>,
    pub sitter_id: Option<SitterId>,
}

impl Draft {
    /// Returns a draft with this client and no other fields.
    pub(crate) fn of_client(first_name: &str, last_name: &str, phone: &str, email: Option<String>) -> Self {
        Self {
            first_name: Some(first_name.to_owned()),
            last_name: Some(last_name.to_owned()),
            phone: Some(phone.to_owned()),
            email,
            ..Self::default()
        }
    }

    /// Validates the draft. A phone number without a country code is read as a number of `country`, the organisation's.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) with a message for every field that is missing or invalid.
    pub fn check(self, country: Option<Country>) -> Result<NewBooking> {
        let mut field_errors = FieldErrors::default();
        let first_name = field_errors.required("firstName", self.first_name, NAME);
        let last_name = field_errors.required("lastName", self.last_name, NAME);
        let service = field_errors.required("service", self.service, CODE);
        let phone = field_errors.phone("phone", self.phone.as_deref(), country);
        let email = field_errors.optional("email", self.email, EMAIL);
        if email.as_deref().is_some_and(|email| !email.contains('@')) {
            field_errors.add("email", "is not an email address");
        }
        let start_at = field_errors.moment("startAt", self.start_at.as_deref());
        let end_at = field_errors.moment("endAt", self.end_at.as_deref());
        let quantity = self.quantity.unwrap_or(1);
        let add_ons = self.add_ons.unwrap_or_default();
        check_span(&mut field_errors, start_at, end_at);
        check_quantity(&mut field_errors, quantity);
        check_add_ons(&mut field_errors, &add_ons);
        let discount_minor = self.discount_minor.unwrap_or(0);
        check_discount(&mut field_errors, discount_minor);
        let address = field_errors.optional("address", self.address, ADDRESS);
        let notes = field_errors.optional("notes", self.notes, NOTES);
        match (first_name, last_name, phone, service, start_at, end_at) {
            (Some(first_name), Some(last_name), Some(phone), Some(service), Some(start_at), Some(end_at))
                if field_errors.is_empty() =>
            {
                Ok(NewBooking {
                    first_name,
                    last_name,
                    phone,
                    email,
                    service,
                    start_at,
                    end_at,
                    quantity,
                    add_ons,
                    discount_minor,
                    address,
                    notes,
                    sitter_id: self.sitter_id,
                })
            }
            _ => Err(field_errors.into_error()),
        }
    }
}

/// Checks that a booking ends after it starts and lasts at most 31 days.
pub(super) fn check_span(field_errors: &mut FieldErrors, start_at: Option<Timestamp>, end_at: Option<Timestamp>) {
    let (Some(start_at), Some(end_at)) = (start_at, end_at) else { return };
    if end_at <= start_at {
        field_errors.add("endAt", "must be later than startAt");
        return;
    }
    let days = end_at.since(start_at).as_millis().div_ceil(DAY.as_millis());
    if days > DAYS_MAX {
        field_errors
            .add("endAt", format!("must be at most {DAYS_MAX} days after startAt; the booking would last {days} days"));
    }
}

pub(super) fn check_quantity(field_errors: &mut FieldErrors, quantity: i64) {
    if !(1..=QUANTITY_MAX).contains(&quantity) {
        field_errors.add("quantity", "must be between 1 and 1000");
    }
}

pub(super) fn check_add_ons(field_errors: &mut FieldErrors, add_ons: &[String]) {
    if add_ons.len() > ADD_ONS_MAX {
        field_errors.add("addOns", "must be at most 50 codes");
    }
    if add_ons.iter().any(|code| !CODE.allows(code)) {
        field_errors.add("addOns", "must be codes of 1 to 64 characters");
    }
}

pub(super) fn check_discount(field_errors: &mut FieldErrors, discount_minor: i64) {
    if !(0..=DISCOUNT_MAX).contains(&discount_minor) {
        field_errors.add("discountMinor", "must be between 0 and 1000000000");
    }
}

/// Checks a service code that replaces another.
pub(super) fn check_service(field_errors: &mut FieldErrors, service: String) -> Option<String> {
    field_errors.required("service", Some(service), CODE)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::Error;

    fn wrong_fields(draft: serde_json::Value) -> Vec<String> {
        match serde_json::from_value::<Draft>(draft).unwrap().check(None) {
            Ok(_) => Vec::new(),
            Err(Error::Invalid(fields)) => fields.keys().map(ToString::to_string).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(
            wrong_fields(serde_json::json!({})),
            ["endAt", "firstName", "lastName", "phone", "service", "startAt"]
        );
        let draft = serde_json::json!({
            "firstName": " ", "lastName": "C", "phone": "call me", "email": "nobody", "service": "dog_walking",
            "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T10:00:00Z", "quantity": 0, "addOns": [""],
            "discountMinor": -1,
            "notes": "a\u{0}b",
        });
        assert_eq!(
            wrong_fields(draft),
            ["addOns", "discountMinor", "email", "endAt", "firstName", "notes", "phone", "quantity"]
        );
    }

    #[test]
    fn a_good_draft_is_trimmed_and_parsed() {
        let draft = serde_json::json!({
            "firstName": " Test ", "lastName": "Client", "phone": "(555) 123-4567", "service": "dog_walking",
            "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T12:00:00+01:00", "notes": "",
        });
        let booking = serde_json::from_value::<Draft>(draft).unwrap().check(Country::parse("US")).unwrap();
        assert_eq!(booking.first_name, "Test");
        assert_eq!(booking.phone.e164(), "+15551234567");
        assert_eq!(booking.end_at.to_string(), "2024-12-31T11:00:00.000Z");
        assert_eq!((booking.quantity, booking.notes), (1, None));
    }
}
