//! The keywords by which people opt out and in.
//!
//! A keyword is the whole text, in any case, with space and invisible characters around it. That is exactly what
//! carriers take as one. Beyond it:
//! - `STOP.`, `Stop!` and `"stop"` leave no doubt about what the person wants, so punctuation and emoji around a word of
//!   [`PLAIN`] are ignored. A question mark is not: `Stop?` asks something.
//! - `CANCEL`, `END` and `QUIT` are also what people say about a booking, so only the bare word counts. With a full stop
//!   such a text is [put before the owner](super::is_wish).
//! - `opt out` and `stop all` may be written in two words. The first is a word that US rules name.
//! - `YES`, `HELP` and `INFO` are ordinary answers as well, and a carrier acts on the bare word only. So do we.
//!
//! [`heard`] combines it with what the carrier makes of the text.

/// A keyword, which is the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    Stop,
    Start,
    /// Means "start" to the carrier, which lifts its own block; else an ordinary text or an answer to an offer.
    Yes,
    Help,
}

/// Words that mean nothing else, whatever punctuation is around them.
const PLAIN: [(&str, Keyword); 7] = [
    ("STOP", Keyword::Stop),
    ("STOPALL", Keyword::Stop),
    ("UNSUBSCRIBE", Keyword::Stop),
    ("REVOKE", Keyword::Stop),
    ("OPTOUT", Keyword::Stop),
    ("START", Keyword::Start),
    ("UNSTOP", Keyword::Start),
];

/// Words that count only if the text holds nothing else.
const BARE: [(&str, Keyword); 6] = [
    ("CANCEL", Keyword::Stop),
    ("END", Keyword::Stop),
    ("QUIT", Keyword::Stop),
    ("YES", Keyword::Yes),
    ("HELP", Keyword::Help),
    ("INFO", Keyword::Help),
];

/// No keyword is longer, with whatever may be around it. Longer texts are not looked at.
const LONGEST: usize = 200;

/// Returns the keyword that a text consists of.
#[must_use]
pub fn keyword(body: &str) -> Option<Keyword> {
    if body.len() > LONGEST {
        return None;
    }
    let visible: String = body.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_uppercase).collect();
    let bare = visible.trim();
    if let Some((_, keyword)) = BARE.iter().chain(&PLAIN).find(|(word, _)| *word == bare) {
        return Some(*keyword);
    }
    if bare.contains(['?', '¿', '？']) {
        return None;
    }
    let word = match bare.trim_matches(|c: char| !c.is_alphanumeric()) {
        "OPT OUT" | "OPT-OUT" => "OPTOUT",
        "STOP ALL" | "STOP-ALL" => "STOPALL",
        word => word,
    };
    PLAIN.iter().find(|(plain, _)| *plain == word).map(|(_, keyword)| *keyword)
}

/// What a text says as a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub keyword: Option<Keyword>,
    /// Whether the carrier acts on the text as a keyword, and answers it.
    pub by_carrier: bool,
}

/// Returns what a text says as a keyword. `recognised` is the keyword that the carrier has reported, and
/// `carrier_acts` whether this carrier acts on keywords at all.
///
/// Such a carrier acts on the bare words only, unless it reports another. So a `STOP.` is obeyed and answered by us, and
/// a `Start!` is an ordinary text: it lifts no block of the carrier, and so must not lift ours.
///
/// Twilio's lists may count YES as a start word, which it is for Twilio's own block only.
#[must_use]
pub fn heard(body: &str, recognised: Option<Keyword>, carrier_acts: bool) -> Heard {
    let own = keyword(body);
    let by_carrier = carrier_acts && (recognised.is_some() || is_bare(body));
    let keyword = match (recognised, own) {
        (Some(Keyword::Start), _) if is_yes(body) => Some(Keyword::Yes),
        (Some(recognised), _) => Some(recognised),
        (None, Some(Keyword::Start)) if carrier_acts && !by_carrier => None,
        (None, own) => own,
    };
    Heard { keyword, by_carrier }
}

/// Whether a text is one of the words on which a carrier acts, with nothing but space around it.
fn is_bare(body: &str) -> bool {
    let bare = body.trim();
    BARE.iter().chain(&PLAIN).any(|(word, _)| word.eq_ignore_ascii_case(bare))
}

/// Whether a text is a YES, in whatever way a carrier may have read it.
fn is_yes(body: &str) -> bool {
    body.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("YES")
}

/// Whether a character shows nothing: zero-width spaces and joiners, marks of direction, selectors of variants, and what
/// stands for bytes that could not be read.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\0' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffc}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_keywords_are_known_in_any_case_and_with_space_around_them() {
        for (word, expected) in BARE.iter().chain(&PLAIN) {
            let lower = word.to_lowercase();
            let mut capital = lower.clone();
            capital[..1].make_ascii_uppercase();
            for text in [
                (*word).to_owned(),
                lower.clone(),
                capital,
                format!("  {lower}\r\n"),
                format!("\u{feff}{word}\u{200b}"),
                format!("\u{a0}{word}\u{a0}"),
            ] {
                assert_eq!(keyword(&text), Some(*expected), "{text:?}");
            }
        }
    }

    #[test]
    fn a_person_who_writes_stop_with_a_full_stop_is_understood() {
        for text in
            ["STOP.", "Stop!", "stop!!!", "\"STOP\"", "“Stop”", "'stop'", "(stop)", "🛑 STOP 🛑", "STOP 🙏", "Stop..."]
        {
            assert_eq!(keyword(text), Some(Keyword::Stop), "{text}");
        }
        for text in ["opt out", "Opt-Out.", "OPT OUT", "stop all", "Unsubscribe!"] {
            assert_eq!(keyword(text), Some(Keyword::Stop), "{text}");
        }
        for text in ["Start!", "start.", "UNSTOP."] {
            assert_eq!(keyword(text), Some(Keyword::Start), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_keyword() {
        for text in [
            "",
            " ",
            ".",
            "STOP PLEASE",
            "please stop",
            "stop it",
            "Stop?",
            "¿stop?",
            "stop by",
            "st op",
            "s t o p",
            "Cancel.",
            "cancel!",
            "End.",
            "Quit!",
            "Cancel Tuesday",
            "the end",
            "YES!",
            "yes.",
            "yes please",
            "Help!",
            "help?",
            "info.",
            "stopp",
            "starts",
            "restart",
            "opt",
            "out",
            "opt  in",
            "unsubscribed",
        ] {
            assert_eq!(keyword(text), None, "{text}");
        }
    }

    #[test]
    fn a_carrier_acts_on_the_bare_word_and_on_what_it_reports() {
        use Keyword::{Help, Start, Stop, Yes};
        for (body, recognised, expected, by_carrier) in [
            (" stop ", None, Some(Stop), true),
            ("OptOut", None, Some(Stop), true),
            ("STOP.", None, Some(Stop), false),
            ("STOP.", Some(Stop), Some(Stop), true),
            ("opt out", None, Some(Stop), false),
            ("basta", Some(Stop), Some(Stop), true),
            ("start", None, Some(Start), true),
            ("Start!", None, None, false),
            ("\u{feff}START", None, None, false),
            ("Start!", Some(Start), Some(Start), true),
            ("YES", None, Some(Yes), true),
            ("yes", Some(Start), Some(Yes), true),
            ("Yes!", Some(Start), Some(Yes), true),
            ("YES", Some(Stop), Some(Stop), true),
            ("help", None, Some(Help), true),
            ("hello", None, None, false),
        ] {
            assert_eq!(heard(body, recognised, true), Heard { keyword: expected, by_carrier }, "{body:?}");
        }
        for (body, expected) in [("stop", Some(Stop)), ("Start!", Some(Start)), ("YES", Some(Yes)), ("hello", None)] {
            assert_eq!(heard(body, None, false), Heard { keyword: expected, by_carrier: false }, "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_two_words_is_no_keyword(one in "[a-zA-Z]{1,12}", other in "[a-zA-Z]{1,12}") {
            let (first, second) = (one.to_uppercase(), other.to_uppercase());
            prop_assume!((first.as_str(), second.as_str()) != ("OPT", "OUT"));
            prop_assume!((first.as_str(), second.as_str()) != ("STOP", "ALL"));
            let text = format!("{one} {other}");
            prop_assert_eq!(keyword(&text), None);
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,300}|.{0,300}") {
            let _ = keyword(&text);
        }
    }
}
