//! Extractors for request bodies: JSON and forms. Errors name the field, and never repeat its content.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::error::Category;
use utoipa::ToSchema;

use super::error::{ApiError, Result};
use super::limits;
use super::routes::{Contract, Takes};
use super::state::Web;

/// A required JSON body.
pub struct JsonBody<T>(pub T);

/// An optional JSON body. An empty body stands for the default.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Web> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self> {
        let (headers, body) = read(request, web.settings.http.body_bytes_max).await?;
        if body.trim_ascii().is_empty() {
            return Err(ApiError::bad_request("missing_body", "The request needs a JSON body."));
        }
        expect_json(&headers)?;
        Ok(Self(parse(&body)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Web> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self> {
        let (headers, body) = read(request, web.settings.http.body_bytes_max).await?;
        if body.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        expect_json(&headers)?;
        Ok(Self(parse(&body)?))
    }
}

impl<T: ToSchema> Takes for JsonBody<T> {
    fn describe(contract: &mut Contract) {
        contract.body::<T>(&["application/json"], true);
    }
}

impl<T: ToSchema> Takes for OptionalJson<T> {
    fn describe(contract: &mut Contract) {
        contract.body::<T>(&["application/json"], false);
    }
}

impl<T: ToSchema> Takes for JsonOrForm<T> {
    fn describe(contract: &mut Contract) {
        contract.body::<T>(&["application/json", "application/x-www-form-urlencoded"], true);
    }
}

/// A body as JSON or as a form, according to its media type.
pub struct JsonOrForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Web> for JsonOrForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self> {
        let (headers, body) = read(request, web.settings.http.body_bytes_max).await?;
        if limits::media_type(&headers).as_deref() != Some("application/x-www-form-urlencoded") {
            expect_json(&headers)?;
            return Ok(Self(parse(&body)?));
        }
        Ok(Self(parse_fields(form_urlencoded::parse(&body).into_owned().collect())?))
    }
}

/// Reads the fields of a body that must be a form. Of several fields with the same name the last one counts.
///
/// # Errors
/// Returns 400 for an incomplete body, 413 for one over `bytes_max`, and 415 for another media type.
pub async fn form_fields(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<BTreeMap<String, String>> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let body = limits::read_body(headers, body, bytes_max).await?;
    if limits::media_type(headers).as_deref() != Some(FORM) {
        return Err(limits::unsupported(FORM));
    }
    Ok(form_urlencoded::parse(&body).into_owned().collect())
}

/// Deserializes a type from form fields, whose values are all strings.
///
/// # Errors
/// Returns 422 that names the field.
pub fn parse_fields<T: DeserializeOwned>(fields: BTreeMap<String, String>) -> Result<T> {
    let fields: serde_json::Map<_, _> = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
    parse(serde_json::Value::from(fields).to_string().as_bytes())
}

async fn read(request: Request, bytes_max: usize) -> Result<(HeaderMap, Bytes)> {
    let (parts, body) = request.into_parts();
    let body = limits::read_body(&parts.headers, body, bytes_max).await?;
    Ok((parts.headers, body))
}

fn expect_json(headers: &HeaderMap) -> Result<()> {
    match limits::media_type(headers) {
        Some(given) if given == "application/json" || given.ends_with("+json") => Ok(()),
        _ => Err(limits::unsupported("application/json")),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut read = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Object(&mut read)).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.inner())
    })?;
    read.end().map_err(|error| describe(".", &error))?;
    // No text in the database may contain NUL, so no field of the body may.
    if holds_nul(body) {
        return Err(ApiError::invalid("body", "must not contain NUL characters"));
    }
    Ok(value)
}

/// A deserializer for which a struct is an object only. Serde would also read a struct from a list of its values, so an
/// empty list would be a change of nothing.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Returns whether a string of this JSON document contains NUL, which JSON can only write as an escape. The byte after
/// a backslash is skipped, so an escaped backslash before `u0000` does not count.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at..];
        if rest.starts_with(b"\\u0000") {
            return true;
        }
        rest = rest.get(2..).unwrap_or_default();
    }
    false
}

/// Describes a parse error. Serde's own message repeats the input, so only the expected value is taken from it.
fn describe(path: &str, error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let sentence = error.to_string();
            let expected = sentence.split_once("expected ").and_then(|(_, rest)| rest.rsplit_once(" at line "));
            let missing = sentence.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            // Messages of our own enums list the allowed values and nothing else.
            let own = sentence.strip_prefix("must be ").and_then(|rest| rest.rsplit_once(" at line "));
            let (field, message) = match (missing, own.or(expected)) {
                (Some(field), _) => (field, "is required".to_owned()),
                (None, _) if sentence.starts_with("unknown field ") => {
                    (path, "is not a field of this request".to_owned())
                }
                (None, Some((allowed, _))) => (path, format!("must be {}", plainly(allowed))),
                (None, None) => (path, "is not valid".to_owned()),
            };
            ApiError::invalid(if field == "." { "body" } else { field }, message)
        }
        Category::Eof | Category::Syntax | Category::Io => {
            ApiError::bad_request("bad_json", format!("The body is not JSON: line {line}, column {column}."))
        }
    }
}

/// Returns what serde expected in the words of JSON rather than of Rust.
fn plainly(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        rust if rust.starts_with("struct ") => "an object",
        words => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        #[expect(dead_code, reason = "only the errors matter")]
        first_name: String,
        #[expect(dead_code, reason = "only the errors matter")]
        quantity: Option<i64>,
    }
    use serde::Deserialize;

    fn refusal(body: &str) -> (u16, String) {
        match parse::<Sample>(body.as_bytes()) {
            Ok(_) => (200, String::new()),
            Err(error) => (error.status.as_u16(), format!("{} {:?}", error.message, error.fields)),
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_what_was_sent_is_not_repeated() {
        assert_eq!(refusal(r#"{"firstName":"a"}"#).0, 200);
        let (status, text) = refusal(r#"{"firstName":"a","quantity":"+15550001111"}"#);
        assert_eq!(status, 422);
        assert!(
            text.contains("quantity") && text.contains("must be a whole number") && !text.contains("1555"),
            "{text}"
        );
        let (status, text) = refusal("{}");
        assert!(status == 422 && text.contains("firstName") && text.contains("is required"), "{text}");
        let (status, text) = refusal("{\n\"firstName\": +15550001111}");
        assert!(status == 400 && text.contains("line 2") && !text.contains("1555"), "{text}");
        assert_eq!(refusal("").0, 400);
        assert_eq!(refusal(r#"{"firstName":"a"} x"#).0, 400);
        assert_eq!(refusal(r#"{"firstName":"a\u0000"}"#).0, 422);
        assert_eq!(refusal(r#"{"firstName":"a\\\u0000"}"#).0, 422);
        assert_eq!(refusal(r#"{"firstName":"a\\u0000\n\\"}"#).0, 200, "six visible characters are no NUL");
        for not_an_object in ["[]", r#"["a", 1]"#, r#""a""#, "null", "5"] {
            let (status, text) = refusal(not_an_object);
            assert!(status == 422 && text.contains("must be an object"), "{not_an_object}: {status} {text}");
        }
    }
}
