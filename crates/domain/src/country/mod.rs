//! Countries, used to read phone numbers without a country code.
//!
//! An organisation's country is the configured one, or else that of its time zone. There may be none (zone `UTC`); then
//! only international numbers can be read.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use chrono_tz::Tz;
use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

/// The zones of each country, one country per line.
const ZONES: &str = include_str!("zones.txt");

static BY_ZONE: LazyLock<HashMap<&'static str, Country>> = LazyLock::new(|| {
    let lines = ZONES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(code, zones)| Some((Country::parse(code)?, zones)))
        .flat_map(|(country, zones)| zones.split(' ').map(move |zone| (zone, country)))
        .collect()
});

/// A country that has phone numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(Region);

impl Country {
    /// Parses an ISO 3166 code of two capital letters. Returns `None` if the country is unknown or has no phone
    /// numbers.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let region = code.parse::<Region>().ok().filter(|region| region.to_string() == code)?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| Self(region))
    }

    /// Returns the country of a time zone, or `None` for zones without a country, such as `UTC`.
    #[must_use]
    pub fn of_zone(zone: Tz) -> Option<Self> {
        BY_ZONE.get(zone.name()).copied()
    }

    /// Returns the ISO 3166 code.
    #[must_use]
    pub fn code(self) -> String {
        self.0.to_string()
    }

    /// Returns the country as the type of the phone number library.
    pub(crate) fn region(self) -> Region {
        self.0
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_two_capital_letters_of_a_country_with_numbers() {
        for code in ["US", "GB", "DE", "AX"] {
            assert_eq!(Country::parse(code).map(Country::code).as_deref(), Some(code));
        }
        for code in ["", "us", "USA", "U", "ZZ", "AQ", "001", "Ü", "US "] {
            assert_eq!(Country::parse(code), None, "{code:?}");
        }
    }

    #[test]
    fn every_zone_has_the_country_in_which_it_lies() {
        for (zone, code) in [
            (Tz::America__New_York, Some("US")),
            (Tz::US__Eastern, Some("US")),
            (Tz::Europe__London, Some("GB")),
            (Tz::Asia__Calcutta, Some("IN")),
            (Tz::Iceland, Some("IS")),
            (Tz::America__Toronto, Some("CA")),
            (Tz::UTC, None),
            (Tz::EST, None),
        ] {
            assert_eq!(Country::of_zone(zone).map(Country::code).as_deref(), code, "{zone}");
        }
    }

    #[test]
    fn only_zones_of_no_country_have_none() {
        const NOBODYS: [&str; 8] = ["Etc/", "Antarctica/", "GMT", "EST", "CST6CDT", "MST", "PST8PDT", "HST"];
        const WORDS: [&str; 8] = ["CET", "EET", "MET", "WET", "UTC", "UCT", "Universal", "Zulu"];
        const LONELY: [&str; 5] =
            ["Greenwich", "Atlantic/South_Georgia", "Indian/Kerguelen", "Pacific/Pitcairn", "Factory"];
        for zone in chrono_tz::TZ_VARIANTS {
            if zone == Tz::Antarctica__Macquarie {
                continue;
            }
            let nobodys = NOBODYS.iter().any(|beginning| zone.name().starts_with(beginning))
                || WORDS.contains(&zone.name())
                || LONELY.contains(&zone.name());
            assert_eq!(Country::of_zone(zone).is_none(), nobodys, "{zone}");
        }
    }
}
