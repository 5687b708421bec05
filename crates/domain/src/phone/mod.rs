//! Phone numbers: parsed once on input, stored as E.164, compared by their digits, never printed in full.
//!
//! Only [`PhoneNumber::read`] interprets what people write. Stored numbers are not interpreted again.

mod doubt;
mod reading;
mod written;

use std::fmt;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Postgres, Sqlite, Type};

pub use doubt::Doubt;

use crate::country::Country;

/// A number in international form, with or without its `+`.
#[derive(Clone)]
pub struct PhoneNumber(String);

/// The text means no phone number, or more than one. The error does not repeat the text, which may be somebody's
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", NotAPhoneNumber::ALLOWED)]
pub struct NotAPhoneNumber;

impl NotAPhoneNumber {
    /// Describes an acceptable number, for error messages.
    pub const ALLOWED: &str =
        "must be one phone number, best in international form such as +12125550123, without extension";
}

impl PhoneNumber {
    /// Parses a number as people write and paste it. Without a country code the number is one of `country`; a leading
    /// `+` always starts an international number. The number must be possible but need not be assigned.
    ///
    /// # Errors
    /// [`NotAPhoneNumber`] for everything else, and if the text may mean two different numbers.
    pub fn read(text: &str, country: Option<Country>) -> Result<Self, NotAPhoneNumber> {
        reading::read(text, country).map_or(Err(NotAPhoneNumber), |e164| Self::stored(&e164))
    }

    /// Takes a stored number: 7 to 15 digits that don't start with 0, with an optional `+` (ITU-T E.164). Does not
    /// interpret the digits, which were parsed before they were stored.
    ///
    /// # Errors
    /// [`NotAPhoneNumber`] for everything else.
    pub fn stored(text: &str) -> Result<Self, NotAPhoneNumber> {
        let kept: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-' | '.' | '/')).collect();
        let digits = kept.strip_prefix('+').unwrap_or(&kept);
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Self(kept)) } else { Err(NotAPhoneNumber) }
    }

    /// Returns the number as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digits, by which numbers are compared.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// Returns the number with `+`, for sending.
    #[must_use]
    pub fn e164(&self) -> String {
        format!("+{}", self.digits())
    }

    /// Returns the form that may be shown: the country code and the last two digits, `+1••••••••67`.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let country = country_code_length(digits);
        let hidden = digits.len().saturating_sub(country + 2);
        format!("+{}{}{}", &digits[..country], "•".repeat(hidden), &digits[digits.len() - 2..])
    }
}

/// Returns the number of digits of the country code. Zones 1 and 7 have one digit; of the others those in `TWO` have
/// two, the rest three (ITU-T list of assigned country codes).
fn country_code_length(digits: &str) -> usize {
    const TWO: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    match digits.as_bytes().first() {
        Some(b'1' | b'7') => 1,
        _ if TWO.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    }
}

impl PartialEq for PhoneNumber {
    fn eq(&self, other: &Self) -> bool {
        self.digits() == other.digits()
    }
}

impl Eq for PhoneNumber {}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Type<Postgres> for PhoneNumber {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }
}

impl Type<Sqlite> for PhoneNumber {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

// Stored numbers were parsed before they were stored, or an operator wrote them with SQL. They are not interpreted.
impl<'r> Decode<'r, Postgres> for PhoneNumber {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        stored(<String as Decode<Postgres>>::decode(value)?)
    }
}

impl<'r> Decode<'r, Sqlite> for PhoneNumber {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        stored(<String as Decode<Sqlite>>::decode(value)?)
    }
}

fn stored(text: String) -> Result<PhoneNumber, BoxDynError> {
    Ok(PhoneNumber::stored(&text)?)
}

#[cfg(test)]
mod tests;
