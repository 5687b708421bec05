//! Phone numbers as people write them are read correctly or refused, in every country.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use proptest::prelude::*;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};

use super::*;

fn country(code: &str) -> Option<Country> {
    Some(Country::parse(code).expect("a country"))
}

fn read(text: &str, code: &str) -> Option<String> {
    PhoneNumber::read(text, country(code)).ok().map(|number| number.e164())
}

#[test]
fn a_national_number_is_one_of_the_organisations_country() {
    for (text, code, e164) in [
        ("(212) 555-0123", "US", "+12125550123"),
        ("2125550123", "US", "+12125550123"),
        ("5551234567", "US", "+15551234567"),
        ("1-555-123-4567", "US", "+15551234567"),
        ("(646) 555-0123", "US", "+16465550123"),
        ("011 44 7911 123456", "US", "+447911123456"),
        ("(416) 555-0123", "US", "+14165550123"),
        ("07911 123456", "GB", "+447911123456"),
        ("(0)7911 123456", "GB", "+447911123456"),
        ("7911 123456", "GB", "+447911123456"),
        ("00 1 212 555 0123", "GB", "+12125550123"),
        ("01512 3456789", "DE", "+4915123456789"),
        ("030/1234567", "DE", "+49301234567"),
        ("8 (916) 123-45-67", "RU", "+79161234567"),
        ("9161234567", "RU", "+79161234567"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("312 345 6789", "IT", "+393123456789"),
        ("12 34 56 78", "DK", "+4512345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("(11) 91234-5678", "BR", "+5511912345678"),
        ("010-1234-5678", "KR", "+821012345678"),
    ] {
        assert_eq!(read(text, code).as_deref(), Some(e164), "{text} in {code}");
    }
}

#[test]
fn an_international_number_is_the_same_everywhere() {
    for (text, e164) in [
        ("+44 (0)7911 123456", "+447911123456"),
        ("+44 07911 123456", "+447911123456"),
        ("+49 (0) 1512 3456789", "+4915123456789"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("tel:+1-555-123-4567", "+15551234567"),
        ("＋４４ ７９１１ １２３４５６", "+447911123456"),
        ("\u{200e}+44\u{a0}7911\u{2011}123456\u{202c}", "+447911123456"),
        ("447900000001", "+447900000001"),
        ("+39 06 1234 5678", "+390612345678"),
    ] {
        for code in ["US", "GB", "CA"] {
            assert_eq!(read(text, code).as_deref(), Some(e164), "{text} in {code}");
        }
        assert_eq!(PhoneNumber::read(text, None).map(|number| number.e164()).as_deref(), Ok(e164), "{text}");
    }
}

#[test]
fn what_is_no_number_or_may_be_two_is_refused() {
    for (text, code) in [
        ("", "US"),
        ("call me", "US"),
        ("555-0123", "US"),
        ("+1 555 123 456", "US"),
        ("+1 (555) 123-4567 x12", "US"),
        ("00 44 7911 123456", "US"),
        ("07911 123456", "US"),
        ("55512345678", "US"),
        ("(212) 555-01234", "US"),
        ("+2125550123", "US"),
        ("+999 123456789", "US"),
        // Singapore without its `+`, or an unassigned number of Alabama.
        ("6591234567", "US"),
        // Rome with or without its 0: both are valid numbers.
        ("+39 (0)6 1234567", "IT"),
        // A German mobile number without its 0, or a number in Texas.
        ("15123456789", "DE"),
        ("212 555 0123", "GB"),
        // An international prefix with a carrier's code, or without.
        ("00 509 80 01 2345", "HK"),
        ("00 687 75.12.34", "HK"),
        ("085-123-4567", "KR"),
        // Azerbaijan without its `+`, or Poland with an international prefix.
        ("994881234567", "KP"),
        // An unassigned Nepalese number, or a number in Missouri.
        ("1660-21-01234", "NP"),
        ("+12345", "US"),
        ("+1234567890123456", "US"),
    ] {
        assert_eq!(read(text, code), None, "{text} in {code}");
    }
    // Without a country, only international forms are read.
    for text in ["(212) 555-0123", "6465550123", "07911 123456", "00447911123456", "5551234567"] {
        assert!(PhoneNumber::read(text, None).is_err(), "{text}");
    }
}

#[test]
fn what_is_stored_is_taken_as_it_is() {
    for (text, e164) in [
        ("+4407911123456", "+4407911123456"),
        ("+2125550123", "+2125550123"),
        ("447900000001", "+447900000001"),
        ("+44 7900 000001", "+447900000001"),
    ] {
        assert_eq!(PhoneNumber::stored(text).unwrap().e164(), e164);
    }
    for text in ["", "12345", "0123456789", "+1555abc4567", "call me", "+1234567890123456", "++15551234567"] {
        assert_eq!(PhoneNumber::stored(text).unwrap_err(), NotAPhoneNumber, "{text}");
    }
    let (with, without) = (PhoneNumber::stored("+447900000001"), PhoneNumber::stored("447900000001"));
    assert_eq!(with, without);
    assert_eq!(without.unwrap().as_str(), "447900000001");
}

#[test]
fn a_stored_number_that_may_be_somebody_elses_is_doubted() {
    for (stored, code, doubt) in [
        ("+4407911123456", "US", Some(Doubt::Impossible)),
        ("+49015123456789", "US", Some(Doubt::Impossible)),
        ("+2125550123", "US", Some(Doubt::Impossible)),
        ("+1555123456", "US", Some(Doubt::Impossible)),
        ("+6465550123", "US", Some(Doubt::National)),
        ("+5551234567", "US", Some(Doubt::National)),
        ("+15551234567", "US", None),
        ("447900000001", "US", None),
        ("+4512345678", "GB", None),
    ] {
        let number = PhoneNumber::stored(stored).unwrap();
        assert_eq!(number.doubt(country(code)), doubt, "{stored} in {code}");
    }
}

#[test]
fn the_masked_form_keeps_the_country_code_and_two_digits() {
    for (number, masked) in
        [("+15551234567", "+1••••••••67"), ("+447900000001", "+44••••••••01"), ("+353871234567", "+353•••••••67")]
    {
        let number = PhoneNumber::stored(number).unwrap();
        assert_eq!((number.masked(), format!("{number:?}")), (masked.to_owned(), masked.to_owned()));
    }
}

fn regions() -> Vec<Region> {
    let mut regions: Vec<Region> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
    regions.sort_by_key(ToString::to_string);
    regions
}

/// A number that somebody may have: a region's example number with some digits changed, so it need not be assigned.
#[derive(Debug, Clone)]
struct Sample {
    region: Region,
    number: rlibphonenumber::PhoneNumber,
}

impl Sample {
    fn e164(&self) -> String {
        self.number.format_as(PhoneNumberFormat::E164).into_owned()
    }

    fn code(&self) -> String {
        self.number.country_code.to_string()
    }

    fn subscriber(&self) -> String {
        self.number.get_national_significant_number()
    }
}

/// Samples that are read as themselves if they have a `+`; digits that make no possible number are filtered out.
fn samples() -> impl Strategy<Value = Sample> {
    let kinds = [PhoneNumberType::Mobile, PhoneNumberType::FixedLine, PhoneNumberType::TollFree];
    let picked = (prop::sample::select(regions()), prop::sample::select(kinds.to_vec()));
    let changed = prop::collection::vec((0usize..15, 0u8..10), 0..4);
    (picked, changed).prop_filter_map("no possible number", |((region, kind), changed)| {
        let example = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind).ok()?;
        let mut digits = example.get_national_significant_number().into_bytes();
        let length = digits.len();
        for (place, digit) in changed {
            // The first digits decide the kind of the number, so only the last eight are changed.
            digits[length - 1 - place % length.min(8)] = b'0' + digit;
        }
        let text = format!("+{}{}", example.country_code, String::from_utf8(digits).ok()?);
        let e164 = PhoneNumber::read(&text, None).ok()?.e164();
        let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
        Some(Sample { region, number })
    })
}

const BETWEEN: [&str; 12] =
    ["", " ", "-", "\u{a0}", "\u{2011}", "\u{2013}", "\u{200b}", ".", "\u{202f}", "\u{ad}", " - ", "\u{2212}"];

/// Puts separators between some of the digits.
fn spread(digits: &str, between: &[usize]) -> String {
    let gaps = between.iter().cycle();
    digits.chars().zip(gaps).map(|(digit, gap)| format!("{digit}{}", BETWEEN[gap % BETWEEN.len()])).collect()
}

fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap_or(c),
            other => other,
        })
        .collect()
}

/// Forms that contain the country code.
fn international_forms(sample: &Sample, between: &[usize]) -> Vec<String> {
    let (code, subscriber) = (sample.code(), sample.subscriber());
    let e164 = sample.e164();
    vec![
        e164.clone(),
        format!("+{}", spread(&e164[1..], between)),
        format!("tel:{e164}"),
        format!("\u{202a}{e164}\u{202c}"),
        full_width(&e164),
        format!("(+{code}) {subscriber}"),
        format!("+{code} (0) {subscriber}"),
        format!("+{code}(0){}", spread(&subscriber, between)),
        format!("+ {code} / {subscriber}"),
        sample.number.format_as(PhoneNumberFormat::International).into_owned(),
        sample.number.format_as(PhoneNumberFormat::RFC3966).into_owned(),
    ]
}

/// Forms that are used only within the country.
fn national_forms(sample: &Sample, between: &[usize]) -> Vec<String> {
    let national = sample.number.format_as(PhoneNumberFormat::National).into_owned();
    let digits: String = national.chars().filter(char::is_ascii_digit).collect();
    vec![
        full_width(&national),
        spread(&digits, between),
        digits,
        national,
        sample.number.format_out_of_country_calling_number(sample.region).into_owned(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("NIGHTSHIFT_TEST_PHONES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
    ))]

    /// In its own country and elsewhere, every form of a number is read as that number or refused.
    #[test]
    fn no_form_of_a_number_is_read_as_another(
        sample in samples(),
        reader in prop::sample::select(regions()),
        between in prop::collection::vec(0usize..BETWEEN.len(), 1..15),
    ) {
        let e164 = sample.e164();
        let (home, elsewhere) = (Some(Country::parse(&sample.region.to_string()).unwrap()), Country::parse(&reader.to_string()));
        for text in international_forms(&sample, &between) {
            for country in [None, home, elsewhere] {
                if let Ok(read) = PhoneNumber::read(&text, country) {
                    prop_assert_eq!(read.e164(), e164.clone(), "{} in {:?}", text, country);
                }
            }
        }
        for country in [None, home, elsewhere] {
            prop_assert_eq!(PhoneNumber::read(&e164, country).map(|read| read.e164()), Ok(e164.clone()));
        }
        for text in national_forms(&sample, &between) {
            if let Ok(read) = PhoneNumber::read(&text, home) {
                prop_assert_eq!(read.e164(), e164.clone(), "{} in {:?}", text, home);
            }
        }
        // As dialled from the reader's country, with its international prefix.
        let abroad = sample.number.format_out_of_country_calling_number(reader);
        if abroad.starts_with('0') && sample.number.country_code != PHONE_NUMBER_UTIL.get_country_code_for_region(reader).unwrap_or(0)
            && let Ok(read) = PhoneNumber::read(&abroad, elsewhere)
        {
            prop_assert_eq!(read.e164(), e164.clone(), "{} in {:?}", abroad, elsewhere);
        }
        // Without its `+` it may be a national number of the reader's country, but never a number of a third country.
        if let Ok(read) = PhoneNumber::read(&e164[1..], elsewhere)
            && read.e164() != e164
        {
            let code = PHONE_NUMBER_UTIL.get_country_code_for_region(reader).unwrap_or(0);
prop_assert!(read.e164().starts_with(&format!("+{code}")), "{} in {:?}: {:?}", &e164[1..], elsewhere, read);
        }
    }

    #[test]
    fn whatever_is_sent_is_read_or_refused_without_panic(
        text in prop_oneof!["\\PC{0,40}", "[-+()/. 0-9０-９\u{200b}x]{0,30}", ".{0,200}"],
        reader in prop::option::of(prop::sample::select(regions())),
    ) {
        let country = reader.and_then(|reader| Country::parse(&reader.to_string()));
        if let Ok(number) = PhoneNumber::read(&text, country) {
            prop_assert!(number.masked().contains('•'));
            prop_assert_eq!(number.doubt(None), None);
            let again = PhoneNumber::read(&number.e164(), country).unwrap();
            prop_assert_eq!(again.as_str(), number.as_str());
            prop_assert_eq!(PhoneNumber::stored(number.as_str()).unwrap(), number);
        }
        let _ = PhoneNumber::stored(&text);
    }
}
