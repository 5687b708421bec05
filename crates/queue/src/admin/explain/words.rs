//! Durations, times and ordinals in readable form.

use std::time::Duration;

use nightshift_db::Timestamp;

/// Formats a duration in at most two units: `4 min 12 s`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Formats the time of day: `12:03:09 UTC`.
pub(super) fn time_of_day(at: Timestamp) -> String {
    at.to_datetime().format("%H:%M:%S UTC").to_string()
}

/// Formats an ordinal: `1st`, `2nd`, `3rd`, `4th`, `11th`, `21st`.
pub(super) fn ordinal(n: i64) -> String {
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_end_as_they_are_spoken() {
        let st = [1, 21, 31, 41, 51, 61, 71, 81, 91, 101];
        let nd = [2, 22, 32, 42, 52, 62, 72, 82, 92, 102];
        let rd = [3, 23, 33, 43, 53, 63, 73, 83, 93, 103];
        for n in 1..=113 {
            let ending = match n {
                n if st.contains(&n) => "st",
                n if nd.contains(&n) => "nd",
                n if rd.contains(&n) => "rd",
                _ => "th",
            };
            assert_eq!(ordinal(n), format!("{n}{ending}"));
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let told = [59, 60, 3_599, 3_600, 86_399, 90_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(told, ["59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "23 h 59 min", "1 d 1 h"]);
    }
}
