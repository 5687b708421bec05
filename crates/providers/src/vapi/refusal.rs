//! Makes VAPI's refusals safe to show.
//!
//! An operator can't correct a problem from "HTTP 400" alone. VAPI's messages name the field and the rule, but may
//! quote a phone number or a name. So only words that are names of sent fields or are in a short list are kept. All
//! other words and all numbers are replaced by an ellipsis.

use std::collections::HashSet;

use serde_json::Value;

use crate::json::{self, Fields};

const MESSAGES_MAX: usize = 5;
const CHARS_MAX: usize = 300;
const LEFT_OUT: &str = "…";

/// Words of validation rules, and names of VAPI's own concepts.
const PLAIN: &str = "
    a access account add address allowed already an and any api are array as assistant at authorization available bad
    balance be been between body boolean call calls cannot card characters concurrency contain contains correct could
    country credential credentials credits customer daily date default disabled does each element elements empty enabled
    enough enum equal error exceeded exist exists expired failed field following for format found free frozen greater
    greater has have header headers https id identifier in insufficient integer international invalid is iso it json key
    least length less limit list long longer match maximum minimum missing more most must need needs no not null number
    numbers object of one only or organization outbound out over payment permission phone plan please private property
    provided public reached request required resource schema secret server shorter should string subscription such than
    that the there this timeout to token too twilio type unauthorized unknown unsupported upgrade url use used uuid valid
    value values vapi wallet was webhook with without you your e.164";

/// Returns the safe part of a refusal's body, or `None` if there is none. `asked` is the request.
pub(super) fn told(body: &[u8], asked: &Value) -> Option<String> {
    let answer = json::read(body).ok()?;
    let fields = Fields::of(&answer);
    let sentences: Vec<String> = match fields.list("message") {
        Some(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => fields.text("message").or_else(|| fields.text("error")).into_iter().collect(),
    };
    let mut known: HashSet<String> = PLAIN.split_whitespace().map(str::to_owned).collect();
    add_names(asked, &mut known);
    let safe: Vec<String> =
        sentences.iter().take(MESSAGES_MAX).map(|sentence| without_quotes(sentence, &known)).collect();
    let text: String = safe.join("; ").chars().take(CHARS_MAX).collect();
    text.contains(char::is_alphabetic).then_some(text)
}

fn without_quotes(sentence: &str, known: &HashSet<String>) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in sentence.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        // A path such as assistantOverrides.server.url is safe if all of its parts are.
        let path = bare.split(['.', '[', ']']).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let is_known = |part: &str| known.contains(&part.to_lowercase());
        if is_known(bare) || (!path.is_empty() && path.into_iter().all(is_known)) {
            kept.push(bare);
        } else if kept.last() != Some(&LEFT_OUT) {
            kept.push(LEFT_OUT);
        }
    }
    kept.join(" ")
}

/// Adds the names of all fields. They are ours or VAPI's, so they never contain personal data.
fn add_names(value: &Value, known: &mut HashSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                known.insert(name.to_lowercase());
                add_names(inner, known);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| add_names(inner, known)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn asked() -> Value {
        json!({"customer": {"number": "+14155550177"},
               "assistantOverrides": {"server": {"url": "x"}, "variableValues": {"customerName": "Anna Smith"}}})
    }

    fn of(message: Value) -> Option<String> {
        told(json!({"message": message, "error": "Bad Request", "statusCode": 400}).to_string().as_bytes(), &asked())
    }

    #[test]
    fn the_field_and_the_rule_are_kept_and_quotes_are_not() {
        let cases = [
            (
                "assistantOverrides.server.property secret should not exist",
                "assistantOverrides.server.property secret should not exist",
            ),
            (
                "customer.number must be a valid phone number in the E.164 format, not +1 415 555 01 77",
                "customer.number must be a valid phone number in the E.164 format not …",
            ),
            (
                "assistantOverrides.variableValues.customerName: 'Anna Smith' is too long",
                "assistantOverrides.variableValues.customerName … is too long",
            ),
            ("Wallet balance is insufficient.", "Wallet balance is insufficient"),
            ("Anna.Smith owes 14155550177", "…"),
        ];
        for (message, expected) in cases {
            assert_eq!(of(json!(message)).as_deref(), Some(expected).filter(|text| *text != "…"), "{message}");
        }
        assert_eq!(of(json!(["property url should not exist", 7])).as_deref(), Some("property url should not exist"));
        assert_eq!(of(json!([])), None);
        assert_eq!(told(b"<html>", &asked()), None);
    }

    proptest! {
        #[test]
        fn no_number_is_ever_kept(message in "[+(]?[0-9]{3}[) -]?[0-9]{3}[ .-][0-9]{4}( [a-z]{1,8}){0,3}") {
            let text = of(json!(message)).unwrap_or_default();
            prop_assert!(!text.contains(|c: char| c.is_ascii_digit()), "{}", text);
        }
    }
}
