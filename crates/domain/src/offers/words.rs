//! What sitters read in reply to the texts by which they answer offers.

use chrono_tz::Tz;
use nightshift_db::Timestamp;

use crate::automations::template::{date, readable_service, time};

pub(super) const NONE: &str = "You have no open offers.";
pub(super) const EXPIRED: &str = "That offer has expired.";
pub(super) const TAKEN: &str = "That booking was already taken.";

/// The most offers that a reply lists. Their words must fit into one text.
const LISTED_MAX: usize = 12;

/// Returns a local date and time: `Tue 31 Dec 2024 10:00`.
pub(super) fn moment(at: Timestamp, zone: Tz) -> String {
    format!("{} {}", date(at, zone), time(at, zone))
}

/// What an offer is about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub code: i64,
    /// The code of the service.
    pub service: String,
    pub start_at: Timestamp,
}

impl Subject {
    fn words(&self, zone: Tz) -> String {
        format!("{} on {}", readable_service(&self.service), moment(self.start_at, zone))
    }
}

/// Confirms an answer.
pub(super) fn confirmation(accepts: bool, subject: &Subject, zone: Tz) -> String {
    let answer = if accepts { "Accepted" } else { "Declined" };
    format!("{answer}: {}.", subject.words(zone))
}

/// Lists the open offers, in the order of their codes, and says how to answer one of them.
pub(super) fn list(open: &[Subject], zone: Tz) -> String {
    let Some(first) = open.first() else { return NONE.to_owned() };
    let count = if open.len() == 1 { "1 offer".to_owned() } else { format!("{} offers", open.len()) };
    let mut text = format!("You have {count}:");
    for subject in open.iter().take(LISTED_MAX) {
        text.push_str(&format!(" {}) {}.", subject.code, subject.words(zone)));
    }
    if open.len() > LISTED_MAX {
        text.push_str(&format!(" And {} more.", open.len() - LISTED_MAX));
    }
    text.push_str(&format!(" Reply YES {0} or NO {0}.", first.code));
    text
}

/// Says that there is no open offer with this code, and lists those that there are.
pub(super) fn no_such(code: i64, open: &[Subject], zone: Tz) -> String {
    format!("There is no open offer {code}. {}", list(open, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(code: i64, start_at: &str) -> Subject {
        let start_at = start_at.parse().unwrap_or(Timestamp::from_unix_ms(0));
        Subject { code, service: "dog_walking".to_owned(), start_at }
    }

    #[test]
    fn replies_are_in_the_words_and_the_zone_of_the_organisation() {
        let zone = chrono_tz::America::New_York;
        let one = subject(1, "2024-12-31T15:00:00Z");
        assert_eq!(confirmation(true, &one, zone), "Accepted: dog walking on Tue 31 Dec 2024 10:00.");
        assert_eq!(confirmation(false, &one, zone), "Declined: dog walking on Tue 31 Dec 2024 10:00.");
        let two = subject(3, "2025-01-01T03:30:00Z");
        assert_eq!(
            list(&[one.clone(), two.clone()], zone),
            "You have 2 offers: 1) dog walking on Tue 31 Dec 2024 10:00. 3) dog walking on Tue 31 Dec 2024 22:30. \
             Reply YES 1 or NO 1."
        );
        assert_eq!(
            no_such(2, &[two], zone),
            "There is no open offer 2. You have 1 offer: 3) dog walking on Tue 31 Dec 2024 22:30. Reply YES 3 or NO 3."
        );
        assert_eq!(no_such(9, &[], zone), "There is no open offer 9. You have no open offers.");
    }

    #[test]
    fn a_long_list_fits_into_one_text() {
        let many: Vec<Subject> = (1..=300)
            .map(|code| Subject { service: "a".repeat(64), ..subject(code, "2024-12-31T15:00:00Z") })
            .collect();
        let text = no_such(999_999_999, &many, chrono_tz::UTC);
        assert!(text.chars().count() <= 1600, "{}", text.len());
        assert!(text.contains("You have 300 offers: 1) ") && text.contains(" And 288 more. Reply YES 1"), "{text}");
    }
}
