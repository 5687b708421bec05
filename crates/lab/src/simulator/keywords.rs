//! The words with which a person opts out of Twilio's texts and in again.
//!
//! Twilio acts only on a text that consists of the word, in any case. It blocks one number for one person, and answers
//! by itself.

use std::collections::HashSet;

/// A recognised word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Stop,
    Start,
    Help,
}

fn keyword(body: &str) -> Option<Keyword> {
    Some(match body.trim().to_ascii_uppercase().as_str() {
        "STOP" | "STOPALL" | "UNSUBSCRIBE" | "END" | "QUIT" | "CANCEL" | "REVOKE" | "OPTOUT" => Keyword::Stop,
        "START" | "YES" | "UNSTOP" => Keyword::Start,
        "HELP" | "INFO" => Keyword::Help,
        _ => return None,
    })
}

/// Who has opted out of which number.
#[derive(Debug, Clone, Default)]
pub(super) struct OptOuts(HashSet<(String, String)>);

impl OptOuts {
    /// Returns whether Twilio refuses texts from `number` to `person`.
    pub(super) fn blocks(&self, number: &str, person: &str) -> bool {
        self.0.contains(&(number.to_owned(), person.to_owned()))
    }

    /// Takes in a text of `person` to `number`. Returns what Twilio answers by itself. A STOP of somebody who has opted
    /// out and a START of somebody who has not change nothing and are not answered.
    pub(super) fn heard(&mut self, number: &str, person: &str, body: &str) -> Option<&'static str> {
        let pair = (number.to_owned(), person.to_owned());
        match keyword(body)? {
            Keyword::Stop => self.0.insert(pair).then_some(
                "You have successfully been unsubscribed. You will not receive any more messages from this number. \
                 Reply START to resubscribe.",
            ),
            Keyword::Start => self.0.remove(&pair).then_some(
                "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply \
                 STOP to unsubscribe. Msg&Data Rates May Apply.",
            ),
            Keyword::Help => Some("Reply STOP to unsubscribe. Msg&Data Rates May Apply."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OptOuts;

    #[test]
    fn only_the_single_word_counts_and_only_for_one_number() {
        let mut opt_outs = OptOuts::default();
        assert_eq!(opt_outs.heard("+1", "+2", "Stop please"), None);
        assert!(!opt_outs.blocks("+1", "+2"));
        assert!(opt_outs.heard("+1", "+2", " stop ").is_some());
        assert!(opt_outs.blocks("+1", "+2") && !opt_outs.blocks("+9", "+2") && !opt_outs.blocks("+1", "+9"));
        assert_eq!(opt_outs.heard("+1", "+2", "QUIT"), None, "a second confirmation");
        assert!(opt_outs.heard("+1", "+2", "yes").is_some());
        assert!(!opt_outs.blocks("+1", "+2"));
        assert_eq!(opt_outs.heard("+1", "+2", "YES"), None);
        assert!(opt_outs.heard("+1", "+2", "help").is_some());
    }
}
