//! Wishes for no more texts in free words.
//!
//! A text is cut into sentences and these into words, without case, quotes and typing errors ([`words`]). A small grammar
//! reads them ([`pattern`]): its [`rules`] say what ends or refuses, what is sent, who gets it, and what a number leaves; a
//! phrase puts them together ([`english`], [`rights`], [`strangers`], [`foreign`]). A sentence with a phrase is a wish,
//! unless what is around the phrase says otherwise ([`context`]): a time, another channel, a question. What is stopped
//! decides, not the word "stop": a walk, a car and a collar are no texts. Nothing is learned from data and nothing is
//! looked up, so the same text always gets the same answer.
//!
//! The answer is a guess. It is put before a person.

mod bare;
mod context;
mod english;
mod foreign;
mod model;
mod pattern;
mod phrase;
mod rights;
mod rules;
mod strangers;
mod vocabulary;
mod words;

use self::words::sentences;

/// No person writes more before they come to the point. The rest of a longer text is not looked at.
const CHARS_READ: usize = 1600;

/// Whether a text seems to ask for no more texts. It is put before a person, and nobody is opted out by it.
#[must_use]
pub fn is_wish(body: &str) -> bool {
    let body: String = body.chars().take(CHARS_READ).collect();
    let sentences = sentences(&body);
    bare::is_bare_stop(&sentences)
        || sentences.iter().any(|sentence| model::is_wish(sentence))
        || sentences.windows(2).any(|pair| model::is_wish_of_number(&pair[0], &pair[1]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::keyword::{Keyword, keyword};
    use super::*;

    fn lines(list: &'static str) -> Vec<&'static str> {
        list.lines().filter(|line| !line.starts_with('#')).collect()
    }

    fn wishes() -> Vec<&'static str> {
        lines(include_str!("../../../tests/data/opt_out_wishes.txt"))
    }

    fn ordinary() -> Vec<&'static str> {
        lines(include_str!("../../../tests/data/ordinary_texts.txt"))
    }

    #[test]
    fn wishes_are_found() {
        let wishes = wishes();
        let missed: Vec<_> = wishes.iter().filter(|text| !is_wish(text)).collect();
        assert!(wishes.len() >= 2600 && missed.len() * 50 <= wishes.len(), "{missed:#?}");
    }

    #[test]
    fn ordinary_texts_are_left_alone() {
        let ordinary = ordinary();
        let flagged: Vec<_> = ordinary.iter().filter(|text| is_wish(text)).collect();
        assert!(ordinary.len() >= 4700 && flagged.len() * 200 <= ordinary.len(), "{flagged:#?}");
        for text in ordinary {
            assert!(!matches!(keyword(text), Some(Keyword::Stop | Keyword::Start)), "{text}");
        }
    }

    #[test]
    fn a_wish_is_found_among_other_sentences() {
        assert!(is_wish("Hi there. Bella moved out in May. Please stop texting me. Thanks, Robin"));
    }

    #[test]
    fn one_typing_error_in_a_long_word_is_forgiven() {
        for text in
            ["stop textng me", "stop mesaging me", "no more mesages", "unsubcribe me", "please remvoe my number"]
        {
            assert!(is_wish(text), "{text}");
        }
        for text in ["no more massages", "stop testing me", "please stop the car at the gate"] {
            assert!(!is_wish(text), "{text}");
        }
    }

    /// Words that begin, fill and end phrases, in any order: the texts with the most ways to read them.
    fn of_the_grammar(words: std::ops::Range<usize>) -> impl Strategy<Value = String> {
        let word = "(stop|no|more|me|us|texts|texting|please|the|any|of|my|number|off|from|your|list|not|want|to|you|\
                    dont|send|wrong|this|is|walk|today|i|and|in|how|it|remove)";
        proptest::collection::vec((word, "[ ,.!?]{0,2}"), words)
            .prop_map(|words| words.into_iter().map(|(word, between)| format!("{word}{between} ")).collect::<String>())
    }

    /// A wish of the list as somebody else would type it.
    fn typed_otherwise() -> impl Strategy<Value = (&'static str, String)> {
        let long = wishes().into_iter().filter(|text| text.split_whitespace().count() > 2).collect::<Vec<_>>();
        (proptest::sample::select(long), 0..3).prop_map(|(text, how)| match how {
            0 => (text, text.to_uppercase()),
            1 => (text, format!("“{text}”")),
            _ => (text, text.replace('\'', "’")),
        })
    }

    proptest! {
        #[test]
        fn a_wish_is_found_in_capitals_and_in_quotes((text, typed) in typed_otherwise()) {
            prop_assert_eq!(is_wish(&typed), is_wish(text));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,200}|.{0,200}|(stop|no|more|me|,|texts|texting| ){0,60}") {
            let _ = is_wish(&text);
        }

        #[test]
        fn case_space_and_marks_at_the_end_change_nothing(text in of_the_grammar(1..12), how in 0..4) {
            let typed = match how {
                0 => text.to_uppercase(),
                1 => text.replace(' ', "  "),
                2 => format!("  {text}!!"),
                _ => format!("“{text}”"),
            };
            prop_assert_eq!(is_wish(&typed), is_wish(&text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// A reader that tries every way to read a sentence does not come to an end here.
        #[test]
        fn a_sentence_of_1600_characters_is_read_to_the_end(text in of_the_grammar(400..600)) {
            let text = text.replace(['.', '!', '?', ','], "");
            prop_assert!(text.len() >= CHARS_READ);
            let _ = is_wish(&text);
        }
    }
}
