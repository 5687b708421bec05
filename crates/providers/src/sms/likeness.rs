//! Decides whether a text that a carrier lists is the one that we sent.
//!
//! A carrier may show a text in another form: line breaks differ, accents may be composed differently, and Twilio's trial
//! accounts get a prefix. A text that is only similar counts as a different one. That is safe, because a caller that is not sure
//! does not send again.

use unicode_normalization::UnicodeNormalization;

/// The last characters of prefixes such as `Sent from your Twilio trial account - `.
const ENDS_OF_PREFIX: [char; 3] = ['-', ':', '\n'];

/// Returns whether `shown` is `ours`, perhaps with a prefix that the service added.
pub(crate) fn is_same_text(shown: &str, ours: &str) -> bool {
    let (shown, ours) = (normalized(shown), normalized(ours));
    match shown.strip_suffix(&ours) {
        Some("") => true,
        Some(prefix) => !ours.is_empty() && prefix.trim_end_matches([' ', '\t']).ends_with(ENDS_OF_PREFIX),
        None => false,
    }
}

/// Returns the text with `\n` as line break, without white space at the ends of lines and of the text, in Unicode NFC.
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
