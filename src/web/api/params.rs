//! Parameters of lists: read by name, every wrong one named at once, unknown ones too.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use nightshift_db::Timestamp;
use nightshift_domain::page::Limit;

use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// The query of a request, taken apart piece by piece; what is left at the end was not known.
pub struct Params {
    given: BTreeMap<String, String>,
    problems: BTreeMap<String, String>,
}

impl FromRequestParts<Web> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let given =
            form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(_, value)| !value.is_empty()).collect();
        Ok(Self { given, problems: BTreeMap::new() })
    }
}

impl Params {
    /// A text; empty counts as missing.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.given.remove(name)
    }

    /// An id.
    pub fn id<T: From<String>>(&mut self, name: &str) -> Option<T> {
        self.text(name).map(T::from)
    }

    /// One of a few words, or whatever else reads itself; `allowed` says what it may be.
    pub fn parsed<T: FromStr>(&mut self, name: &str, allowed: impl Into<String>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problems.insert(name.to_owned(), format!("must be {}", allowed.into()));
        }
        parsed
    }

    /// A word of an enum whose error lists them all.
    pub fn word<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        match self.text(name)?.parse() {
            Ok(word) => Some(word),
            Err(error) => {
                self.problems.insert(name.to_owned(), error.to_string());
                None
            }
        }
    }

    /// An RFC 3339 time.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, "an RFC 3339 time such as 2024-12-31T10:00:00Z")
    }

    /// `limit` and `cursor`.
    pub fn page(&mut self) -> (Limit, Option<String>) {
        (self.limit(), self.text("cursor"))
    }

    /// `limit`. More than a page may hold is taken for as much as it may.
    pub fn limit(&mut self) -> Limit {
        const ALLOWED: &str = "a number from 1 to 200";
        let asked = self.parsed::<i64>("limit", ALLOWED);
        if asked.is_some_and(|limit| limit < 1) {
            self.problems.insert("limit".to_owned(), format!("must be {ALLOWED}"));
        }
        Limit::asked(asked)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 that names every parameter that is wrong or not known here.
    pub fn finish(mut self) -> Result<()> {
        for name in self.given.into_keys() {
            self.problems.insert(name, "is not a parameter of this list".to_owned());
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some parameters are not valid.");
        error.fields = self.problems;
        Err(error)
    }
}
