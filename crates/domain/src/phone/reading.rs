//! Which number is meant by the digits that somebody wrote, in a country.
//!
//! Digits behind a `+` are international. Others may be the country's own form, its prefix for calls abroad with an
//! international number behind it, or an international number without its `+`. Where two of these are numbers and none
//! is clearly meant, there is no answer: a text must not go to a stranger.
//!
//! A number must be possible, by its country's lengths; it need not be assigned, except where nothing but that says
//! which of two numbers is meant.

use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberFormat, PhoneNumberType,
};

use super::written::Written;
use crate::country::Country;

/// Digits without a `+` and without a country are an international number only from this length on: shorter ones may be
/// the national number of some country.
const WITHOUT_COUNTRY_MIN: usize = 11;

/// The longest prefix that is dialled in front of all numbers within a country has two digits (Hungary's 06).
const NATIONAL_PREFIX_MAX: usize = 2;

/// A possible number.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// With `+`.
    pub(super) e164: String,
    /// Its country's calling code.
    pub(super) calling_code: i32,
    /// Whether numbers like it are assigned.
    pub(super) valid: bool,
    /// Its digits as they are dialled within its country.
    national: String,
    /// The same without what is dialled in front of all numbers within the country.
    subscriber: String,
}

/// The number that `text` means, E.164. None when it means none, or more than one.
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

/// The number with these digits behind a `+`.
pub(super) fn international(digits: &str) -> Option<Reading> {
    let parsed = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()?;
    let reading = possible(&parsed)?;
    // What is stored must be read as itself ever after.
    let again = PHONE_NUMBER_UTIL.parse(&reading.e164, None).ok()?;
    (again.format_as(PhoneNumberFormat::E164) == reading.e164).then_some(reading)
}

/// The number of `country` with these digits, as its people write it.
pub(super) fn national(digits: &str, country: Country) -> Option<Reading> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region())?;
    let reading = international(&format!("{code}{digits}"))?;
    // What was taken away is a carrier's code, or the beginning of a number that nobody has.
    let taken_away = digits.len().saturating_sub(reading.subscriber.len());
    Some(reading).filter(|reading| reading.valid || taken_away <= NATIONAL_PREFIX_MAX)
}

/// The number meant by digits without a `+`.
fn local(digits: &str, country: Option<Country>) -> Option<Reading> {
    let abroad = if digits.starts_with('0') { None } else { international(digits) };
    let Some(country) = country else {
        return abroad.filter(|_| digits.len() >= WITHOUT_COUNTRY_MIN);
    };
    let parsed = PHONE_NUMBER_UTIL.parse_and_keep_raw_input(digits, Some(country.region())).ok();
    if let Some(parsed) = parsed.filter(|parsed| parsed.country_code_source() == CountryCodeSource::FromNumberWithIdd) {
        let e164 = parsed.format_as(PhoneNumberFormat::E164).into_owned();
        let behind_prefix = international(e164.strip_prefix('+')?)?;
        // Some prefixes name a carrier as well, and some begin as numbers do: then the digits may mean another number.
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
    /// Whether the people of `country` write this number of theirs so: as they dial it, or behind what they dial in front
    /// of all numbers, which reading it has taken away.
    pub(super) fn is_written_as(&self, digits: &str, country: Country) -> bool {
        // How a number that nobody has would be dialled is not known where others are dialled with a prefix.
        digits != self.subscriber || digits == self.national && (self.valid || !has_prefix(country))
    }
}

/// Whether numbers are dialled within the country with something in front that is not part of them.
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
