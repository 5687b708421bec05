//! Whether a text that Twilio lists is the one that we sent.
//!
//! Twilio does not show every text as it was given: line ends differ, accents may be composed otherwise, and a trial
//! account puts words of its own in front. What merely looks alike counts as another text, for a caller that is not sure
//! must not send again anyway.

use unicode_normalization::UnicodeNormalization;

/// How the words end that a service puts in front of a text: `Sent from your Twilio trial account - `.
const ENDS_OF_PREFIX: [char; 3] = ['-', ':', '\n'];

/// Whether `shown` is `ours`, as it is or behind words that the service put in front.
pub(super) fn is_same_text(shown: &str, ours: &str) -> bool {
    let (shown, ours) = (normalized(shown), normalized(ours));
    match shown.strip_suffix(&ours) {
        Some("") => true,
        Some(prefix) => !ours.is_empty() && prefix.trim_end_matches([' ', '\t']).ends_with(ENDS_OF_PREFIX),
        None => false,
    }
}

/// The text with `\n` as its only line end, nothing blank at the end of lines and around all, and composed accents.
fn normalized(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    lines.join("\n").trim().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_again_as_the_service_shows_it() {
        let ours = "Hi Zoë,\nsee you at 10:00 \nBye";
        for shown in [
            ours.to_owned(),
            ours.replace('\n', "\r\n"),
            ours.replace(" \n", "\n"),
            format!("{ours}\r\n"),
            ours.replace('ë', "e\u{308}"),
            format!("Sent from your Twilio trial account - {}", ours.replace('\n', "\r\n")),
        ] {
            assert!(is_same_text(&shown, ours), "{shown:?}");
            assert!(is_same_text(ours, &shown) || shown.len() > ours.len() + 4, "{shown:?}");
        }
    }

    #[test]
    fn another_text_is_another() {
        for (shown, ours) in [
            ("Is that OK", "OK"),
            ("See you at 10:00", "See you at 11:00"),
            ("See you", "See you at 10:00"),
            ("See you at 10:00", "See you"),
            ("Something", ""),
            ("", "OK"),
        ] {
            assert!(!is_same_text(shown, ours), "{shown:?} {ours:?}");
        }
    }
}
