//! Lists: the query of a list page, and the list that it selects.
//!
//! [`Asked`] reads the filters and the position from the URL. [`List`] holds the rows, or the error with which loading
//! them failed, and creates the links to the next page, the previous page, and the list without one of its filters. The
//! macros `filters`, `chips`, `states` and `pager` of `parts.html` render it.

use std::collections::BTreeSet;

use askama::{DynTemplate, Template};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use nightshift_domain::page::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::render::page_or_block;
use crate::web::error::{ApiError, Result};
use crate::web::query;
use crate::web::request_id;
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

/// The template block of a list that live updates replace.
const BLOCK: &str = "list";
/// The maximum number of previous pages in the URL, for the link `Newer`.
const BACK_MAX: usize = 20;
/// Stands for the first page among the previous pages in the URL.
const FIRST: &str = "-";
/// From this number on a count is not exact.
const COUNT_MAX: i64 = 10_000;

/// The filters of a list. They are read from the query and written into links. A field with its default value does not
/// filter and is left out of links.
pub(in crate::web::pages) trait Filters: Serialize + DeserializeOwned + Default {
    /// Parameters that links keep but that are no filters, such as a tab. They have no chip, and clearing the filters
    /// keeps them.
    const KEPT: &'static [&'static str] = &[];
    /// Filters with several values, whose fields are lists of strings. Each value has its own parameter and its own
    /// chip.
    const MANY: &'static [&'static str] = &[];

    /// Returns the text of an active filter's chip.
    fn words(&self, name: &str, value: &str) -> String {
        format!("{name}: {}", value.replace('_', " "))
    }
}

/// The position in a list, and the requested part of its page.
#[derive(Debug, Default, serde::Deserialize, IntoParams, ToSchema)]
#[schema(as = ListPlace)]
pub(super) struct Place {
    /// Where the page starts, as given by the previous page. The first page by default.
    pub(super) cursor: Option<String>,
    /// Where the previous pages start.
    pub(super) back: Option<String>,
    /// `list` for the list alone.
    pub(super) fragment: Option<String>,
}

/// The query of a list page. Invalid filter values are ignored.
pub(in crate::web::pages) struct Asked<F> {
    pub(in crate::web::pages) filters: F,
    pub(super) path: String,
    pub(super) place: Place,
    /// The error of a query that can't be parsed.
    pub(super) refused: Option<ApiError>,
}

impl<F: Filters> FromRequestParts<Web> for Asked<F> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        Ok(Self::read(parts))
    }
}

impl<F: Filters> Asked<F> {
    fn read(parts: &Parts) -> Self {
        let text = parts.uri.query().unwrap_or_default();
        let mut names = BTreeSet::new();
        let mut single = form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| !F::MANY.contains(&name.as_ref()));
        let refused = (!single.all(|(name, _)| names.insert(name)))
            .then(|| ApiError::bad_request("bad_query", "The URL of this list sets a filter twice."));
        let path = parts.uri.path().to_owned();
        Self { filters: query::lenient(text, F::MANY), place: query::lenient(text, &[]), path, refused }
    }
}

impl<F: IntoParams + ToSchema> Takes for Asked<F> {
    fn describe(contract: &mut Contract) {
        contract.query::<F>();
        contract.query::<Place>();
    }
}

impl<F: Filters> Asked<F> {
    pub(in crate::web::pages) fn cursor(&self) -> Option<&str> {
        self.place.cursor.as_deref()
    }

    /// Creates the list from the rows that were found, or from the error. `total` is the number of matching rows on all
    /// pages.
    ///
    /// # Errors
    /// Returns client errors other than 400, such as 403. Other errors are shown in the list.
    pub(in crate::web::pages) fn list<T>(mut self, found: Result<Page<T>>, total: i64) -> Result<List<F, T>> {
        let found = self.refused.take().map_or(found, Err);
        let (page, failure) = match found {
            Ok(page) => (page, None),
            Err(error) if error.status.is_server_error() || error.status == StatusCode::BAD_REQUEST => {
                (Page { items: Vec::new(), next_cursor: None }, Some(error))
            }
            Err(error) => return Err(error),
        };
        Ok(List { asked: self, items: page.items, next: page.next_cursor, total, failure })
    }
}

/// A list as its page shows it.
pub(in crate::web::pages) struct List<F, T> {
    asked: Asked<F>,
    pub(in crate::web::pages) items: Vec<T>,
    next: Option<String>,
    total: i64,
    failure: Option<ApiError>,
}

/// An active filter.
pub(in crate::web::pages) struct Chip {
    pub(in crate::web::pages) text: String,
    /// The link to the list without this filter.
    pub(in crate::web::pages) without: String,
}

impl<F: Filters, T> List<F, T> {
    /// Renders the page, or only its block `list`. The status is that of the error if the rows could not be loaded.
    pub(in crate::web::pages) fn answer(&self, page: &impl Template, block: &dyn DynTemplate) -> Response {
        let status = self.failure.as_ref().map_or(StatusCode::OK, |error| error.status);
        let mut response = page_or_block(status, page, self.asked.place.fragment.as_deref(), &[(BLOCK, block)]);
        if let Some(error) = &self.failure {
            error.clone().mark(&mut response);
        }
        response
    }

    pub(in crate::web::pages) fn filters(&self) -> &F {
        &self.asked.filters
    }

    /// Returns the link to the list without filters.
    pub(in crate::web::pages) fn clear(&self) -> String {
        address(&self.asked.path, self.on().iter().filter(|(name, _)| is_kept::<F>(name)))
    }

    /// Returns the link to the first page.
    pub(in crate::web::pages) fn first(&self) -> String {
        self.link(None, None)
    }

    /// Returns the link to this page.
    pub(in crate::web::pages) fn here(&self) -> String {
        self.link(self.asked.place.cursor.as_deref(), self.asked.place.back.as_deref())
    }

    /// Returns the request id if the rows could not be loaded. The log has the cause under this id.
    pub(in crate::web::pages) fn failed(&self) -> Option<String> {
        self.failure.as_ref().map(|_| request_id::current())
    }

    /// Returns what is wrong with the query if that is why there are no rows.
    pub(in crate::web::pages) fn misread(&self) -> Option<&str> {
        let error = self.failure.as_ref().filter(|error| error.status.is_client_error())?;
        match error.code {
            "bad_cursor" => Some("This page of the list no longer exists."),
            _ => Some(&error.message),
        }
    }

    /// Returns the active filters, each with the link that removes it.
    pub(in crate::web::pages) fn chips(&self) -> Vec<Chip> {
        let on = self.on();
        let chip = |filter: &(String, String)| {
            let rest = on.iter().filter(|other| *other != filter);
            Chip { text: self.filters().words(&filter.0, &filter.1), without: address(&self.asked.path, rest) }
        };
        on.iter().filter(|(name, _)| !is_kept::<F>(name)).map(chip).collect()
    }

    /// Returns the link to the next page.
    pub(in crate::web::pages) fn older(&self) -> Option<String> {
        let next = self.next.as_deref()?;
        let here = self.asked.place.cursor.as_deref().unwrap_or(FIRST);
        let back = self.back().into_iter().chain([here]).collect::<Vec<_>>();
        let back = back[back.len().saturating_sub(BACK_MAX)..].join(".");
        Some(self.link(Some(next), Some(&back)))
    }

    /// Returns the link to the previous page.
    pub(in crate::web::pages) fn newer(&self) -> Option<String> {
        self.asked.place.cursor.as_ref()?;
        let mut back = self.back();
        let cursor = back.pop().filter(|cursor| *cursor != FIRST);
        let back = Some(back.join(".")).filter(|back| !back.is_empty());
        Some(self.link(cursor, back.as_deref()))
    }

    /// Returns the number of rows on the page and in total: `20 of 1,234`.
    pub(in crate::web::pages) fn shown(&self) -> String {
        let total = i64::try_from(self.items.len()).unwrap_or(i64::MAX).max(self.total);
        format!("{} of {}", self.items.len(), count(&total))
    }

    fn back(&self) -> Vec<&str> {
        self.asked.place.back.iter().flat_map(|back| back.split('.')).filter(|cursor| !cursor.is_empty()).collect()
    }

    fn on(&self) -> Vec<(String, String)> {
        let (mut on, default) = (pairs(self.filters()), pairs(&F::default()));
        on.retain(|filter| !default.contains(filter));
        on
    }

    fn link(&self, cursor: Option<&str>, back: Option<&str>) -> String {
        let place = [("cursor", cursor), ("back", back)];
        let place = place.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let all: Vec<_> = self.on().into_iter().chain(place).collect();
        address(&self.asked.path, all.iter())
    }
}

/// Formats a count with a thousands separator: `1,234`, or `10,000+` from 10,000 on.
pub(in crate::web::pages) fn count(rows: &i64) -> String {
    let (thousands, rest) = (rows.clamp(&0, &COUNT_MAX) / 1000, rows % 1000);
    match rows {
        COUNT_MAX.. => "10,000+".to_owned(),
        1000.. => format!("{thousands},{rest:03}"),
        _ => rows.to_string(),
    }
}

/// Returns the names and values of the filters that are set.
fn pairs<F: Filters>(filters: &F) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(filters) else { return Vec::new() };
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    let values = fields.into_iter().flat_map(|(name, value)| match value {
        Value::Array(values) => values.into_iter().map(|value| (name.clone(), value)).collect(),
        value => vec![(name, value)],
    });
    values.filter_map(|(name, value)| Some((name, text(value)?))).collect()
}

fn is_kept<F: Filters>(name: &str) -> bool {
    F::KEPT.contains(&name)
}

fn address<'a>(path: &str, pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let pairs = pairs.map(|(name, value)| (name, value));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, serde::Deserialize)]
    #[serde(default)]
    struct Sample {
        tab: Option<String>,
        tag: Vec<String>,
        q: Option<String>,
    }

    impl Filters for Sample {
        const KEPT: &'static [&'static str] = &["tab"];
        const MANY: &'static [&'static str] = &["tag"];
    }

    fn list(query: &str) -> List<Sample, i32> {
        let request = Request::get(format!("/things?{query}")).body(()).map(Request::into_parts);
        let asked = request.map(|(parts, ())| Asked::read(&parts));
        let found = Ok(Page { items: vec![1], next_cursor: Some("c".to_owned()) });
        match asked.map(|asked: Asked<Sample>| asked.list(found, 1)) {
            Ok(Ok(list)) => list,
            _ => panic!("{query} is no list"),
        }
    }

    #[test]
    fn a_filter_may_have_several_values_and_what_is_no_filter_stays_without_a_chip() {
        let list = list("tab=mine&tag=a%26b&tag=c&q=x");
        assert_eq!(list.filters().tag, ["a&b", "c"]);
        assert_eq!(list.older().as_deref(), Some("/things?q=x&tab=mine&tag=a%26b&tag=c&cursor=c&back=-"));
        assert_eq!(list.clear(), "/things?tab=mine");
        let chips: Vec<_> = list.chips().into_iter().map(|chip| (chip.text, chip.without)).collect();
        let chip = |text: &str, without: &str| (text.to_owned(), format!("/things?{without}"));
        assert_eq!(
            chips,
            [
                chip("q: x", "tab=mine&tag=a%26b&tag=c"),
                chip("tag: a&b", "q=x&tab=mine&tag=c"),
                chip("tag: c", "q=x&tab=mine&tag=a%26b"),
            ]
        );
    }

    #[test]
    fn only_a_filter_with_one_value_must_not_be_given_twice() {
        assert_eq!(list("tag=a&tag=a&q=x").misread(), None);
        assert_eq!(list("q=x&q=y").misread(), Some("The URL of this list sets a filter twice."));
    }

    #[test]
    fn counts_are_told_exactly_up_to_ten_thousand() {
        let told = [0, 999, 1_000, 9_999, 10_000, 3_000_000].map(|rows| count(&rows));
        assert_eq!(told, ["0", "999", "1,000", "9,999", "10,000+", "10,000+"]);
    }
}
