//! Which number the digits that somebody wrote mean in a country.
//!
//! Digits after a `+` are international. Other digits may be the country's national form, its international prefix with
//! an international number, or an international number without its `+`. If two of these are numbers and neither is
//! clearly meant, there is no result, because a text must not reach a stranger. A number must have a possible length
//! for its country. It need not be assigned, except where only that decides between two numbers.

use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberFormat, PhoneNumberType,
};

use super::written::Written;
use crate::country::Country;

/// The least number of digits for which an international number is recognised without `+` and without a country.
/// Shorter ones may be the national number of some country.
const WITHOUT_COUNTRY_MIN: usize = 11;

/// The longest national (trunk) prefix has two digits: Hungary's 06.
const NATIONAL_PREFIX_MAX: usize = 2;

#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// With `+`.
    pub(super) e164: String,
    pub(super) calling_code: i32,
    /// Whether the number is in a range that is assigned.
    pub(super) valid: bool,
    /// The digits as dialled within the country.
    national: String,
    /// The same without the national prefix.
    subscriber: String,
}

/// Returns the number that `text` means as E.164, or `None` if it means none or several.
pub(super) fn read(text: &str, country: Option<Country>) -> Option<String> {
    let written = Written::parse(text)?;
    let mut readings: Vec<String> = written
        .meanings()
        .iter()
        .filter_map(|digits| if written.plus { international(digits) } else { local(digits, country) })
        .map(|reading| reading.e164)
        .collect();
    readings.dedup();
    if readings.len() == 1 { readings.pop() } else { None }
}

/// Parses the digits that follow a `+`.
pub(super) fn international(digits: &str) -> Option<Reading> {
    let parsed = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()?;
    let reading = possible(&parsed)?;
    // A stored number must be read as itself again.
    let again = PHONE_NUMBER_UTIL.parse(&reading.e164, None).ok()?;
    (again.format_as(PhoneNumberFormat::E164) == reading.e164).then_some(reading)
}

/// Parses digits in the national form of `country`.
pub(super) fn national(digits: &str, country: Country) -> Option<Reading> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region())?;
    let reading = international(&format!("{code}{digits}"))?;
    // The digits that parsing removed are a carrier's code, or the beginning of an unassigned number.
    let taken_away = digits.len().saturating_sub(reading.subscriber.len());
    Some(reading).filter(|reading| reading.valid || taken_away <= NATIONAL_PREFIX_MAX)
}

/// Parses digits without a `+`.
fn local(digits: &str, country: Option<Country>) -> Option<Reading> {
    let abroad = if digits.starts_with('0') { None } else { international(digits) };
    let Some(country) = country else {
        return abroad.filter(|_| digits.len() >= WITHOUT_COUNTRY_MIN);
    };
    let parsed = PHONE_NUMBER_UTIL.parse_and_keep_raw_input(digits, Some(country.region())).ok();
    if let Some(parsed) = parsed.filter(|parsed| parsed.country_code_source() == CountryCodeSource::FromNumberWithIdd) {
        let e164 = parsed.format_as(PhoneNumberFormat::E164).into_owned();
        let behind_prefix = international(e164.strip_prefix('+')?)?;
        // Some international prefixes contain a carrier's code and some look like the beginning of a number, so the
        // digits may mean another number.
        let behind_zeros = digits.strip_prefix("00").and_then(international);
        let home = national(digits, country).filter(|home| home.valid);
        let others = [behind_zeros, abroad, home];
        let is_clear = others.iter().flatten().all(|other| other.e164 == behind_prefix.e164);
        return Some(behind_prefix).filter(|_| is_clear);
    }
    if digits.starts_with("00") {
        return None;
    }
    let own_code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region());
    let is_own = |reading: &Reading| Some(reading.calling_code) == own_code;
    match (national(digits, country), abroad) {
        (Some(home), Some(abroad)) if home.e164 == abroad.e164 => Some(home),
        (Some(home), Some(abroad)) if home.is_written_as(digits, country) => match (home.valid, abroad.valid) {
            (true, _) | (false, false) => Some(home),
            (false, true) => Some(abroad).filter(is_own),
        },
        (Some(home), Some(abroad)) => match (home.valid, abroad.valid) {
            (true, false) => Some(home),
            (false, true) => Some(abroad).filter(|abroad| is_own(abroad) || digits != home.national),
            _ => None,
        },
        (Some(home), None) => Some(home).filter(|home| home.valid || home.is_written_as(digits, country)),
        (None, Some(abroad)) => Some(abroad).filter(|abroad| abroad.valid || is_own(abroad)),
        (None, None) => None,
    }
}

impl Reading {
    /// Whether `digits` are how this number is written in `country`: as it is dialled there, or with a national prefix,
    /// which parsing has removed.
    pub(super) fn is_written_as(&self, digits: &str, country: Country) -> bool {
        // For an unassigned number it is unknown how it would be dialled if the country uses a national prefix.
        digits != self.subscriber || digits == self.national && (self.valid || !has_prefix(country))
    }
}

/// Whether the country uses a national prefix.
fn has_prefix(country: Country) -> bool {
    [PhoneNumberType::FixedLine, PhoneNumberType::Mobile].into_iter().any(|kind| {
        let example = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(country.region(), kind).ok();
        example.and_then(|example| possible(&example)).is_some_and(|example| example.national != example.subscriber)
    })
}

fn possible(parsed: &Parsed) -> Option<Reading> {
    if parsed.extension.is_some() || parsed.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
        return None;
    }
    let digits_of = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    Some(Reading {
        e164: parsed.format_as(PhoneNumberFormat::E164).into_owned(),
        calling_code: parsed.country_code,
        valid: parsed.is_valid(),
        national: digits_of(&parsed.format_as(PhoneNumberFormat::National)),
        subscriber: parsed.get_national_significant_number(),
    })
}
