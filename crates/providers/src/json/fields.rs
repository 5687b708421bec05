//! Typed access to values by dotted paths. A value that does not have the requested type counts as absent.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Providers' ids and codes are far shorter. A longer one would not fit into an index.
const ID_CHARS_MAX: usize = 255;
/// 2^53. Beyond it, not every integer has an exact float.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

/// The fields of an object. Reading never fails: null, a value of the wrong type, and a path through something that is
/// not an object all count as absent.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    /// Returns the fields of `value`.
    #[must_use]
    pub fn of(value: &'a Value) -> Self {
        Self(value)
    }

    /// Returns the value at `path`, unless it is null.
    #[must_use]
    pub fn at(self, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(self.0, |value, name| value.as_object()?.get(name)).filter(|value| !value.is_null())
    }

    /// Returns the fields of the object at `path`, or no fields if there is no object.
    #[must_use]
    pub fn within(self, path: &str) -> Self {
        Self(self.at(path).unwrap_or(&Value::Null))
    }

    /// Returns the entries of the array at `path`.
    #[must_use]
    pub fn list(self, path: &str) -> Option<&'a [Value]> {
        self.at(path)?.as_array().map(Vec::as_slice)
    }

    /// Returns trimmed text. Blank text counts as absent, and a number becomes its digits. NUL, which PostgreSQL can't
    /// store in text, becomes U+FFFD.
    #[must_use]
    pub fn text(self, path: &str) -> Option<String> {
        let text = match self.at(path)? {
            Value::String(text) => text.replace('\0', "\u{fffd}"),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Returns text that can be an id or a code: at most 255 characters, without control characters and U+FFFD.
    #[must_use]
    pub fn id(self, path: &str) -> Option<String> {
        let odd = |character: char| character.is_control() || character == '\u{fffd}';
        self.text(path).filter(|text| text.chars().count() <= ID_CHARS_MAX && !text.contains(odd))
    }

    /// Returns the id of a linked object, which may be given as an id or as the expanded object.
    #[must_use]
    pub fn link(self, path: &str) -> Option<String> {
        if self.at(path)?.is_object() { self.within(path).id("id") } else { self.id(path) }
    }

    /// Returns an integer. It may be given as text, or with a fraction of zero.
    #[must_use]
    pub fn whole(self, path: &str) -> Option<i64> {
        match self.at(path)? {
            Value::Number(number) => number.as_i64().or_else(|| exact(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns an integer that is not negative.
    #[must_use]
    pub fn amount(self, path: &str) -> Option<i64> {
        self.whole(path).filter(|amount| *amount >= 0)
    }

    /// Returns a boolean, which may be given as text.
    #[must_use]
    pub fn flag(self, path: &str) -> Option<bool> {
        match self.at(path)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns an instant that is given in Unix seconds.
    #[must_use]
    pub fn time(self, path: &str) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.whole(path)?, 0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the float is whole and within the range in which that is exact")]
fn exact(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= EXACT_FLOAT_MAX).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_makes_sense_is_read_and_the_rest_is_absent() {
        let value = json!({
            "text": " a\0b ", "blank": " ", "number": 7, "float": 7.0, "half": 7.5, "digits": " 40 ", "minus": -1,
            "huge": u64::MAX, "yes": "true", "no": false, "null": null, "list": [1], "at": 1_795_168_800,
            "far": i64::MAX, "long": "x".repeat(256), "replaced": "a\u{fffd}",
            "link": {"id": "cus_1"}, "odd": {"id": [1]}, "in": {"ner": {"most": "x"}},
        });
        let fields = Fields::of(&value);
        assert_eq!(fields.text("text").as_deref(), Some("a\u{fffd}b"));
        assert_eq!((fields.text("number").as_deref(), fields.text("in.ner.most").as_deref()), (Some("7"), Some("x")));
        for absent in ["blank", "null", "none", "list", "link", "no", "text.deeper", "list.0", "in.ner.most.x"] {
            assert_eq!(fields.text(absent), None, "{absent}");
        }
        for no_id in ["text", "long", "replaced"] {
            assert!(fields.text(no_id).is_some() && fields.id(no_id).is_none(), "{no_id}");
        }
        assert_eq!((fields.link("link").as_deref(), fields.link("digits").as_deref()), (Some("cus_1"), Some("40")));
        assert_eq!((fields.link("odd"), fields.link("list")), (None, None));
        let wholes =
            ["number", "float", "digits", "minus", "half", "huge", "text", "yes"].map(|path| fields.whole(path));
        assert_eq!(wholes, [Some(7), Some(7), Some(40), Some(-1), None, None, None, None]);
        assert_eq!((fields.amount("minus"), fields.amount("digits")), (None, Some(40)));
        let flags = ["yes", "no", "number", "blank"].map(|path| fields.flag(path));
        assert_eq!(flags, [Some(true), Some(false), None, None]);
        assert!(fields.time("at").is_some() && fields.time("far").is_none());
        assert_eq!(fields.list("list").map(<[Value]>::len), Some(1));
        assert!(fields.within("text").at("x").is_none());
    }
}
