//! A phone number as people write and paste it, reduced to its digits.
//!
//! Spaces, dashes, dots, brackets and invisible characters are ignored; digits of every script count as digits.
//! Everything that may have a meaning of its own (letters, an extension, a second number) makes the text unreadable.

/// A longer text is not a phone number.
const CHARS_MAX: usize = 100;
/// An international prefix and the 15 digits of E.164.
const DIGITS_MAX: usize = 21;

/// The zero of each script with decimal digits; the other nine follow it in Unicode.
const ZEROS: [char; 20] = [
    '0', '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}', '\u{1810}', '\u{ff10}',
];

/// The digits of a number, and the marks among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether the text starts with `+`.
    pub(super) plus: bool,
    /// ASCII digits.
    pub(super) digits: String,
    /// Index of the 0 of a `(0)`, which is left out when dialling from abroad.
    trunk: Option<usize>,
}

impl Written {
    /// Returns `None` unless the text is a single number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > CHARS_MAX {
            return None;
        }
        let mut written = Self { plus: false, digits: String::new(), trunk: None };
        let mut bracket = None;
        let (mut slash, mut dots) = (None, Vec::new());
        for c in without_scheme(text).chars().filter(|c| !is_invisible(*c)) {
            let here = written.digits.len();
            if let Some(digit) = digit(c) {
                written.digits.push(digit);
            } else if c.is_whitespace() || is_dash(c) {
            } else if matches!(c, '+' | '\u{ff0b}' | '\u{fe62}') {
                if written.plus || here > 0 {
                    return None;
                }
                written.plus = true;
            } else if matches!(c, '(' | '[' | '\u{ff08}' | '\u{ff3b}') {
                if bracket.replace(here).is_some() {
                    return None;
                }
            } else if matches!(c, ')' | ']' | '\u{ff09}' | '\u{ff3d}') {
                let opened = bracket.take()?;
                if written.digits[opened..] == *"0" && written.trunk.replace(opened).is_some() {
                    return None;
                }
            } else if matches!(c, '/' | '\u{ff0f}') {
                if slash.replace(here).is_some() {
                    return None;
                }
            } else if matches!(c, '.' | '\u{ff0e}' | '\u{b7}') {
                dots.push(here);
            } else {
                return None;
            }
        }
        let length = written.digits.len();
        // "123456/57" is two numbers, and "2125550123.0" comes from a table of decimal numbers.
        let is_end = |at: usize, digits| length - at < digits;
        let ends_oddly = slash.is_some_and(|at| is_end(at, 4)) || matches!(dots[..], [at] if is_end(at, 3));
        (bracket.is_none() && !ends_oddly && (1..=DIGITS_MAX).contains(&length)).then_some(written)
    }

    /// Returns the digits in each form that may be meant: all of them, and those without the `(0)`.
    pub(super) fn meanings(&self) -> Vec<String> {
        let mut meanings = vec![self.digits.clone()];
        if let Some(at) = self.trunk {
            let mut without = self.digits.clone();
            without.remove(at);
            meanings.push(without);
        }
        meanings
    }
}

/// Removes a leading `tel:`.
fn without_scheme(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c));
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &text[4..],
        _ => text,
    }
}

fn digit(c: char) -> Option<char> {
    let value = ZEROS.iter().find_map(|zero| (c as u32).checked_sub(*zero as u32).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// Direction marks, joiners, soft hyphens and similar characters, which are copied along with a number.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{30fc}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Option<(bool, Vec<String>)> {
        Written::parse(text).map(|written| (written.plus, written.meanings()))
    }

    #[test]
    fn what_means_nothing_is_dropped() {
        for text in [
            "+12125550123",
            " +1 (212) 555-0123\n",
            "(+1) 212.555.0123",
            "tel:+1-212-555-0123",
            "TEL: +1 212 555 0123",
            "\u{202a}+1\u{a0}212\u{2011}555\u{2013}0123\u{202c}",
            "＋１（２１２）５５５－０１２３",
            "+١٢١٢٥٥٥٠١٢٣",
            "+1 212/5550123",
        ] {
            assert_eq!(digits(text), Some((true, vec!["12125550123".to_owned()])), "{text}");
        }
        let meanings = vec!["4407911123456".to_owned(), "447911123456".to_owned()];
        assert_eq!(digits("+44 ( 0 ) 7911 123456"), Some((true, meanings)));
    }

    #[test]
    fn what_may_mean_something_is_not_dropped() {
        for text in [
            "",
            "+",
            "call me",
            "+1 212 555 0123 x12",
            "+1 212 555 0123 ext. 12",
            "+1 212 555 0123;ext=12",
            "+1 212 555 0123#12",
            "+1 212 555 0123,,12",
            "++12125550123",
            "1+2125550123",
            "+1 212 555 0123 +1 212 555 0124",
            "030 123456/57",
            "030/123456/7890",
            "2125550123.0",
            "2.125550123E9",
            "(212 555 0123",
            "((212)) 5550123",
            "+44 (0)79(0)11",
            "1-800-FLOWERS",
            "=2125550123",
            "'2125550123",
            "%2B12125550123",
            "+1\u{0}2125550123",
            "1234567890123456789012",
            "²125550123",
        ] {
            assert_eq!(digits(text), None, "{text}");
        }
    }
}
