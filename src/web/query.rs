//! The extractor for query parameters. An error names every invalid parameter at once, and unknown ones where the type
//! denies them. An empty value counts as absent. Of several values with the same name the last one counts.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Result};
use super::routes::{Contract, Takes};
use super::state::Web;

pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        read(parts.uri.query().unwrap_or_default()).map(Self).map_err(refused)
    }
}

impl<T: IntoParams + ToSchema> Takes for Query<T> {
    fn describe(contract: &mut Contract) {
        contract.query::<T>();
    }
}

/// The parameters of a route that takes none.
#[derive(serde::Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// 422: for each invalid parameter, what is wrong with it.
pub fn refused(problems: BTreeMap<String, String>) -> ApiError {
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some parameters are not valid.");
    ApiError { fields: problems, ..error }
}

/// The message for a parameter that a route does not have.
pub const UNKNOWN: &str = "is not a parameter of this route";

/// Reads a query and ignores invalid parameters. It is for pages, whose forms only offer valid values. Parameters named
/// in `many` are read as lists that hold every given value.
pub fn lenient<T: DeserializeOwned + Default>(query: &str, many: &[&str]) -> T {
    let wrong = match read_with(query, many) {
        Ok(value) => return value,
        Err(wrong) => wrong,
    };
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !wrong.contains_key(name.as_ref()));
    let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    read_with(&rest, many).unwrap_or_default()
}

/// Reads a query. After an error the invalid parameter is removed and the rest is read again, until all errors are
/// known.
fn read<T: DeserializeOwned>(query: &str) -> Result<T, BTreeMap<String, String>> {
    read_with(query, &[])
}

fn read_with<T: DeserializeOwned>(query: &str, many: &[&str]) -> Result<T, BTreeMap<String, String>> {
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(_, value)| !value.is_empty()) {
        let has_many = many.contains(&name.as_str());
        let values = given.entry(name).or_default();
        if !has_many {
            values.clear();
        }
        values.push(value);
    }
    let mut problems = BTreeMap::new();
    loop {
        let mut fields = Fields { rest: given.iter(), values: &[], name: None };
        let wrong = match T::deserialize(&mut fields) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => return Err(problems),
            Err(wrong) => wrong,
        };
        let name = match (&wrong, fields.name) {
            (Wrong::Missing(name), _) => (*name).to_owned(),
            (_, Some(name)) => name.to_owned(),
            (_, None) => String::new(),
        };
        let left = given.remove(&name).is_some();
        problems.insert(name, wrong.to_string());
        if !left {
            return Err(problems);
        }
    }
}

#[derive(Debug)]
enum Wrong {
    Unknown,
    Missing(&'static str),
    Value(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(UNKNOWN),
            Self::Missing(_) => f.write_str("is required"),
            // The error of a type with `FromStr` reads "not an RFC 3339 time".
            Self::Value(sentence) => match sentence.strip_prefix("not ") {
                Some(expected) => write!(f, "must be {expected}"),
                None => f.write_str(sentence),
            },
        }
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(sentence: T) -> Self {
        Self::Value(sentence.to_string())
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown
    }

    fn missing_field(name: &'static str) -> Self {
        Self::Missing(name)
    }
}

/// The parameters as a map for serde. It remembers which one is being read.
struct Fields<'a> {
    rest: std::collections::btree_map::Iter<'a, String, Vec<String>>,
    values: &'a [String],
    name: Option<&'a str>,
}

impl<'de, 'a> Deserializer<'de> for &mut Fields<'a> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for &mut Fields<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((name, values)) = self.rest.next() else { return Ok(None) };
        (self.name, self.values) = (Some(name.as_str()), values.as_slice());
        let name: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        seed.deserialize(Text(self.values))
    }
}

/// The text values of one parameter. Scalars are parsed from the last one, lists take all.
struct Text<'a>(&'a [String]);

impl Text<'_> {
    fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.last())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.last().parse().map_err(|_| Wrong::Value("must be true or false".to_owned()))?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i64(self.last().parse().map_err(|_| Wrong::Value("must be a whole number".to_owned()))?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().map(String::as_str)))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use nightshift_db::Timestamp;
    use nightshift_domain::bookings::Status;
    use nightshift_domain::ids::BookingId;
    use nightshift_domain::page::Limit;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        limit: Limit,
        booking_id: Option<BookingId>,
        status: Option<Status>,
        from: Option<Timestamp>,
        unread: Option<bool>,
    }

    fn wrong(query: &str) -> Vec<(String, String)> {
        read::<Sample>(query).unwrap_err().into_iter().collect()
    }

    #[test]
    fn what_is_given_is_read_and_the_rest_is_missing() {
        let sample: Sample = read("bookingId=a%20b&status=confirmed&unread=true&limit=900&from=").unwrap();
        assert_eq!(sample.booking_id, Some("a b".into()));
        assert_eq!((sample.status, sample.unread, sample.from), (Some(Status::Confirmed), Some(true), None));
        assert_eq!(sample.limit, Limit::asked(Some(200)));
        assert_eq!(read::<Sample>("").unwrap().limit, Limit::default());
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let found = wrong("status=odd&unread=maybe&limit=0&from=tomorrow&page=2&q=x&bookingId=fine");
        let by_name: Vec<_> = found.iter().map(|(name, sentence)| (name.as_str(), sentence.as_str())).collect();
        assert_eq!(
            by_name,
            [
                ("from", "must be an RFC 3339 time such as 2024-12-31T10:00:00Z"),
                ("limit", "must be a number from 1 to 200"),
                ("page", UNKNOWN),
                ("q", UNKNOWN),
                ("status", "must be one of pending, confirmed, in_progress, completed, cancelled"),
                ("unread", "must be true or false"),
            ]
        );
        assert_eq!(wrong("limit=many"), [("limit".to_owned(), "must be a number from 1 to 200".to_owned())]);
    }
}
