//! Phone numbers: read once, where they come in, kept as E.164, compared by their digits, never printed in full.
//!
//! What people write is read by [`PhoneNumber::read`] and by nothing else; what is stored is taken as it is.

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

/// The text means no phone number, or more than one. It is not repeated here: it may be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", NotAPhoneNumber::ALLOWED)]
pub struct NotAPhoneNumber;

impl NotAPhoneNumber {
    /// What would be one, for messages.
    pub const ALLOWED: &str =
        "must be one phone number, best in international form such as +12125550123, without extension";
}

impl PhoneNumber {
    /// Reads a number as people write and paste it. One without its country is read as in `country`; a `+` always begins
    /// an international one. The number must be possible, it need not be assigned.
    ///
    /// # Errors
    /// [`NotAPhoneNumber`] for anything else, and when it can't be told which of two numbers is meant.
    pub fn read(text: &str, country: Option<Country>) -> Result<Self, NotAPhoneNumber> {
        reading::read(text, country).map_or(Err(NotAPhoneNumber), |e164| Self::stored(&e164))
    }

    /// Takes a number as it is stored: 7 to 15 digits, the first not 0, an optional `+` in front (ITU-T E.164). Nothing
    /// is interpreted, for it was read before it was stored.
    ///
    /// # Errors
    /// [`NotAPhoneNumber`] for anything else.
    pub fn stored(text: &str) -> Result<Self, NotAPhoneNumber> {
        let kept: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-' | '.' | '/')).collect();
        let digits = kept.strip_prefix('+').unwrap_or(&kept);
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Self(kept)) } else { Err(NotAPhoneNumber) }
    }

    /// The number as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits, by which numbers are compared.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// The form in which it is sent to: with `+`.
    #[must_use]
    pub fn e164(&self) -> String {
        format!("+{}", self.digits())
    }

    /// The form in which it may be shown: country code and last two digits, `+1••••••••67`.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let country = country_code_length(digits);
        let hidden = digits.len().saturating_sub(country + 2);
        format!("+{}{}{}", &digits[..country], "•".repeat(hidden), &digits[digits.len() - 2..])
    }
}

/// How many digits the country code has. Zones 1 and 7 have one; of the others these have two, all else three
/// (ITU-T list of assigned country codes).
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

// What is stored was parsed before it was stored, or put there by an operator's own statement: it is taken as it is.
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
