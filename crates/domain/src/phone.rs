//! Phone numbers: kept as received, compared by their digits, never printed in full.

use std::fmt;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Postgres, Sqlite, Type};

/// A number in international form, with or without its `+`.
#[derive(Clone)]
pub struct PhoneNumber(String);

/// The text is no international phone number. It is not repeated here: it may be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number in international form, for example +15551234567")]
pub struct NotAPhoneNumber;

impl PhoneNumber {
    /// Reads a number after dropping spaces and punctuation: 7 to 15 digits, the first not 0, an optional `+` in front
    /// (ITU-T E.164).
    ///
    /// # Errors
    /// [`NotAPhoneNumber`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotAPhoneNumber> {
        let kept: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-' | '.' | '/')).collect();
        let digits = kept.strip_prefix('+').unwrap_or(&kept);
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Self(kept)) } else { Err(NotAPhoneNumber) }
    }

    /// The number as it was received, without spaces and punctuation.
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
    Ok(PhoneNumber::parse(&text)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_with_and_without_plus_is_the_same() {
        let (with, without) =
            (PhoneNumber::parse("+44 7900 000001").unwrap(), PhoneNumber::parse("447900000001").unwrap());
        assert_eq!(with, without);
        assert_eq!(without.e164(), "+447900000001");
        assert_eq!(without.as_str(), "447900000001");
    }

    #[test]
    fn the_masked_form_keeps_the_country_code_and_two_digits() {
        for (number, masked) in
            [("+15551234567", "+1••••••••67"), ("+447900000001", "+44••••••••01"), ("+353871234567", "+353•••••••67")]
        {
            let number = PhoneNumber::parse(number).unwrap();
            assert_eq!((number.masked(), format!("{number:?}")), (masked.to_owned(), masked.to_owned()));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "12345", "0123456789", "+1555abc4567", "call me", "+1234567890123456", "++15551234567"] {
            assert_eq!(PhoneNumber::parse(text).unwrap_err(), NotAPhoneNumber, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_masking_never_shows_the_middle(text in "\\PC{0,24}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                prop_assert!(number.masked().contains('•'));
                prop_assert_eq!(PhoneNumber::parse(&number.e164()).unwrap(), number);
            }
        }
    }
}
