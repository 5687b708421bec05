//! A tolerant JSON parser for providers' messages.
//!
//! Only a few fields of a message are needed. A defect in another field (half a surrogate pair, invalid UTF-8, a number
//! that is too large, excessive nesting) must not reject the message, because the provider would send the same bytes
//! again for days. [`read`] parses the bytes, and [`Fields`] gives typed access.
//!
//! **Invariant:** no error contains a value, and no input overflows the stack.

mod fields;
mod parser;

use serde_json::Value;

pub use fields::Fields;
pub use parser::NotJson;

use parser::Parser;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Parses a document. Input that the standard forbids or leaves open is accepted:
/// - half a surrogate pair, an unknown escape and invalid UTF-8 become U+FFFD,
/// - a number that no type can represent becomes null, as do `NaN` and `Infinity`,
/// - if a name occurs twice in an object, the last value counts, as in the providers' own libraries,
/// - values that are nested too deeply become null,
/// - a leading byte order mark and trailing NULs are ignored.
///
/// # Errors
/// [`NotJson`] if the structure is invalid.
pub fn read(bytes: &[u8]) -> Result<Value, NotJson> {
    let body = bytes.strip_prefix(BOM).unwrap_or(bytes);
    // Nearly all documents are valid, and the strict parser is faster.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    Parser::new(body).document().map_err(|error| NotJson { at: error.at + (bytes.len() - body.len()) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn tolerant(body: &[u8]) -> Result<Value, NotJson> {
        Parser::new(body).document()
    }

    #[test]
    fn what_the_strict_reader_refuses_is_replaced() {
        let cases: [(&[u8], Value); 18] = [
            (br#""Rex \ud83d""#, json!("Rex \u{fffd}")),
            (br#""\udc36 x""#, json!("\u{fffd} x")),
            (br#""\ud83dx""#, json!("\u{fffd}x")),
            (br#""\ud83d\ud83d\udc36""#, json!("\u{fffd}🐶")),
            (br#""\ud83d\n""#, json!("\u{fffd}\n")),
            (br#""\u12""#, json!("\u{fffd}12")),
            (br#""\q""#, json!("\u{fffd}q")),
            (b"\"a\xff\xfeb\"", json!("a\u{fffd}\u{fffd}b")),
            (b"\"a\0b\nc\"", json!("a\0b\nc")),
            (b"1e400", Value::Null),
            (b"[-1e400, 7]", json!([null, 7])),
            (b"[NaN, Infinity, -Infinity, 007, 1.5, -0]", json!([null, null, null, 7, 1.5, -0.0])),
            (b"\xef\xbb\xbf {\"a\": 1}\r\n\0", json!({"a": 1})),
            (br#"{"a": 1e999, "a": 2}"#, json!({"a": 2})),
            (br#"{"a": 2, "a": 1e999}"#, json!({"a": null})),
            (b" \"x\" ", json!("x")),
            (br#"{"\ud800": 1}"#, json!({"\u{fffd}": 1})),
            (b"{}", json!({})),
        ];
        for (body, expected) in cases {
            assert_eq!(read(body), Ok(expected), "{}", String::from_utf8_lossy(body));
        }
        let digits = "9".repeat(400);
        assert_eq!(read(format!("[{digits}]").as_bytes()), Ok(json!([null])));
    }

    #[test]
    fn nesting_without_end_costs_only_itself() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [126, 200, 100_000] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let body = format!(r#"{{"before": 1, "deep": {deep}, "after": "\ud83d"}}"#);
                let value = read(body.as_bytes()).unwrap();
                assert_eq!((&value["before"], &value["after"]), (&json!(1), &json!("\u{fffd}")), "{depth}");
            }
        }
        assert!(read("[".repeat(200_000).as_bytes()).is_err());
        assert!(read(format!("{}{}", "[".repeat(300), "}".repeat(300)).as_bytes()).is_err());
    }

    #[test]
    fn a_broken_structure_is_no_document() {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"[1,",
            b"[1 2]",
            b"{\"a\" 1}",
            b"{a: 1}",
            b"\"open",
            b"\"\\",
            b"tru",
            b"{} {}",
            b"[1,]",
            b"\xff\xfe{\0",
            b"<html>",
            b"\x00",
        ] {
            assert!(read(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(read(b"[1, ?]").unwrap_err().at, 4);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_readers_agree_on_well_formed_documents(value in any_json(), indented in any::<bool>()) {
            let body = if indented { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(tolerant(body.as_bytes()), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&body);
        }

        /// Input that resembles JSON reaches further into the parser than random bytes.
        #[test]
        fn nearly_json_is_read_or_refused(body in "[\\[\\]{}\",:\\\\u0-9dDeE+. -]{0,80}") {
            let strict: Option<Value> = serde_json::from_str(&body).ok();
            let read = read(body.as_bytes());
            prop_assert!(strict.is_none() || read == Ok(strict.unwrap_or_default()));
        }
    }
}
