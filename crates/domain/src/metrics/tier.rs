//! Tiers: which figures earn which, and how fast a tier may fall.

use super::figures::Figures;
use crate::text_enum::text_enum;

text_enum! {
    /// The grade of a sitter, worst first.
    pub enum Tier {
        /// Too few texts and offers to tell.
        Unrated = "unrated",
        Bronze = "bronze",
        Silver = "silver",
        Gold = "gold",
        Platinum = "platinum",
    }
}

/// What a tier asks for. All of it must hold.
struct Requirement {
    tier: Tier,
    median_seconds_max: i64,
    /// In percent of the required responses.
    response_percent_min: i64,
    /// In percent of the received offers.
    accept_percent_min: i64,
    sample_min: i64,
}

/// The fewest texts and offers that earn a tier at all.
const SAMPLE_MIN: i64 = 5;

/// Best first.
const REQUIREMENTS: [Requirement; 3] = [
    Requirement {
        tier: Tier::Platinum,
        median_seconds_max: 600,
        response_percent_min: 95,
        accept_percent_min: 80,
        sample_min: 20,
    },
    Requirement {
        tier: Tier::Gold,
        median_seconds_max: 1800,
        response_percent_min: 90,
        accept_percent_min: 65,
        sample_min: 10,
    },
    Requirement {
        tier: Tier::Silver,
        median_seconds_max: 7200,
        response_percent_min: 75,
        accept_percent_min: 50,
        sample_min: SAMPLE_MIN,
    },
];

impl Requirement {
    /// Whether the figures meet all conditions. Without texts the conditions about responses are left out, without
    /// offers the one about offers.
    fn is_met(&self, figures: &Figures) -> bool {
        let (required, offers) = (figures.responses_required, figures.offers_received());
        let fast = figures.median_response_seconds.is_some_and(|median| median <= self.median_seconds_max);
        // Compared as whole numbers, so that a share that is exactly the limit meets it.
        let reliable = figures.responses_given * 100 >= self.response_percent_min * required;
        let willing = figures.offers_accepted * 100 >= self.accept_percent_min * offers;
        figures.sample() >= self.sample_min && (required == 0 || (fast && reliable)) && (offers == 0 || willing)
    }
}

/// Returns the best tier whose conditions the figures of 28 days meet.
#[must_use]
pub fn earned(figures: &Figures) -> Tier {
    if figures.sample() < SAMPLE_MIN {
        return Tier::Unrated;
    }
    REQUIREMENTS.iter().find(|requirement| requirement.is_met(figures)).map_or(Tier::Bronze, |found| found.tier)
}

/// Returns the tier that follows `current`. A tier rises at once. It falls by one step, and not if it `fell_today`.
/// For want of a sample it becomes [`Tier::Unrated`] at once, which is no step.
#[must_use]
pub fn next(current: Tier, earned: Tier, fell_today: bool) -> Tier {
    if earned >= current || earned == Tier::Unrated {
        return earned;
    }
    if fell_today { current } else { one_lower(current) }
}

/// Whether a change is a step down, of which there is one a day.
#[must_use]
pub fn is_step_down(from: Tier, to: Tier) -> bool {
    to < from && to != Tier::Unrated
}

const fn one_lower(tier: Tier) -> Tier {
    match tier {
        Tier::Platinum => Tier::Gold,
        Tier::Gold => Tier::Silver,
        Tier::Silver | Tier::Bronze => Tier::Bronze,
        Tier::Unrated => Tier::Unrated,
    }
}

/// Returns a sentence for people: why the tier changed.
#[must_use]
pub fn reason(from: Tier, to: Tier, earned: Tier) -> String {
    match to {
        Tier::Unrated => "Fewer than 5 texts and offers in 28 days.".to_owned(),
        _ if to == earned => format!("The figures of 28 days earn {earned}."),
        _ => format!("The figures of 28 days earn {earned}; a tier falls one step a day, here from {from} to {to}."),
    }
}

#[cfg(test)]
mod tests;
