//! The texts by which a sitter answers offers.

/// An answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    pub accepts: bool,
    /// Which offer, if the text says so.
    pub code: Option<i64>,
}

/// The most digits that a code has.
const CODE_DIGITS_MAX: usize = 9;

/// Reads a text as an answer to an offer: `YES`, `Y`, `ACCEPT`, `NO`, `N` or `DECLINE`, then perhaps a code, whatever the
/// case and the punctuation. A text with anything else in it is an ordinary one.
#[must_use]
pub fn command(body: &str) -> Option<Command> {
    let mut parts = body.split(|char: char| !char.is_alphanumeric()).filter(|part| !part.is_empty());
    let (first, second) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (word, attached) = first.split_at(first.find(|char: char| char.is_ascii_digit()).unwrap_or(first.len()));
    let accepts = match word.to_uppercase().as_str() {
        "YES" | "Y" | "ACCEPT" => true,
        "NO" | "N" | "DECLINE" => false,
        _ => return None,
    };
    let code = match (attached, second) {
        ("", None) => None,
        ("", Some(digits)) | (digits, None) => Some(code(digits)?),
        (_, Some(_)) => return None,
    };
    Some(Command { accepts, code })
}

fn code(digits: &str) -> Option<i64> {
    let is_code = digits.len() <= CODE_DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_code { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn yes(code: Option<i64>) -> Option<Command> {
        Some(Command { accepts: true, code })
    }

    fn no(code: Option<i64>) -> Option<Command> {
        Some(Command { accepts: false, code })
    }

    #[test]
    fn whole_texts_answer_whatever_their_case_and_punctuation() {
        for text in ["YES", "yes", " Yes! ", "y", "Y.", "accept", "\"ACCEPT\"", "Yes…", "yes 👍\u{fe0f}", "\n(yes)\n"]
        {
            assert_eq!(command(text), yes(None), "{text:?}");
        }
        for text in ["NO", "no.", "n", "Decline", "- no -", "«No»"] {
            assert_eq!(command(text), no(None), "{text:?}");
        }
        for text in ["yes 2", "YES#2", "Yes2", "y - 2", "accept (2)", "yes: 02", "YES 2."] {
            assert_eq!(command(text), yes(Some(2)), "{text:?}");
        }
        assert_eq!(command("No 13"), no(Some(13)));
    }

    #[test]
    fn other_texts_are_ordinary() {
        for text in [
            "",
            "!",
            "Yes I can come",
            "yes yes",
            "yes 1 2",
            "yes2 3",
            "2 yes",
            "2",
            "yes two",
            "yes 2nd",
            "yes ²",
            "yes 1234567890",
            "yeah",
            "nope",
            "y'all",
            "not today",
            "yesterday",
            "YES-NO",
            "да",
        ] {
            assert_eq!(command(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = command(&text);
        }

        #[test]
        fn case_and_punctuation_around_the_words_change_nothing(
            word in "(yes|y|accept|no|n|decline)",
            upper in any::<bool>(),
            code in proptest::option::of(0_i64..1_000_000_000),
            before in "[ .,!?#()\\-\"'\n\t]{0,4}",
            between in "[ .,!?#()\\-\"'\n\t]{1,4}",
            after in "[ .,!?#()\\-\"'\n\t]{0,4}",
        ) {
            let word = if upper { word.to_uppercase() } else { word };
            let accepts = matches!(word.to_lowercase().as_str(), "yes" | "y" | "accept");
            let code_text = code.map_or(String::new(), |code| format!("{between}{code}"));
            let text = format!("{before}{word}{code_text}{after}");
            prop_assert_eq!(command(&text), Some(Command { accepts, code }));
        }
    }
}
