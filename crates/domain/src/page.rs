//! Pages of a list. A page starts after the sort key of the last row shown, not at a count of rows, so new rows do not
//! shift it and every page costs the same.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nightshift_db::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::{Error, Result};

/// The position of a page: after this row, in the order newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub at: Timestamp,
    pub id: String,
}

impl Cursor {
    /// Parses what [`Cursor::to_text`] wrote.
    pub(crate) fn parse(text: Option<&str>) -> Result<Option<Self>> {
        let Some(text) = text else { return Ok(None) };
        let read = || {
            let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (at, id) = plain.split_once('|')?;
            Some(Self { at: Timestamp::from_unix_ms(at.parse().ok()?), id: id.to_owned() })
        };
        match read() {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(Error::BadCursor),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}|{}", self.at.unix_ms(), self.id))
    }
}

/// The number of rows of a page: 50 by default, at most 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(i64);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Limit {
    /// Clamps the number that a caller asked for to 1 to 200.
    #[must_use]
    pub fn asked(rows: Option<i64>) -> Self {
        rows.map_or_else(Self::default, |rows| Self(rows.clamp(1, 200)))
    }

    pub(crate) fn rows(self) -> i64 {
        self.0
    }

    /// Returns the number of rows to read: one more than is shown, which tells whether there is a next page.
    pub(crate) fn rows_wanted(self) -> i64 {
        self.0 + 1
    }

    /// Returns the rows to show, and the cursor of the next page if there is one.
    pub(crate) fn cut<T>(self, mut rows: Vec<T>, cursor: impl Fn(&T) -> Cursor) -> (Vec<T>, Option<String>) {
        let shown = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let next = rows.last().filter(|_| more).map(|row| cursor(row).to_text());
        (rows, next)
    }
}

impl<'de> Deserialize<'de> for Limit {
    /// Reduces a number above the maximum to the maximum.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let asked = i64::deserialize(deserializer).ok().filter(|rows| *rows >= 1);
        let asked = asked.ok_or_else(|| serde::de::Error::custom("must be a number from 1 to 200"))?;
        Ok(Self::asked(Some(asked)))
    }
}

impl utoipa::PartialSchema for Limit {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .description(Some("Rows of a page. More than 200 are taken for 200."))
            .minimum(Some(1))
            .default(Some(50.into()))
            .into()
    }
}

impl utoipa::ToSchema for Limit {}

#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Converts each row of the page.
    pub(crate) fn map<U>(self, shown: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(shown).collect(), next_cursor: self.next_cursor }
    }
}

/// Returns a `LIKE ... ESCAPE '\'` pattern, in lower case, that matches texts containing `typed`.
pub(crate) fn contains_pattern(typed: &str) -> String {
    let mut pattern = String::with_capacity(typed.len() + 2);
    pattern.push('%');
    for letter in typed.trim().to_lowercase().chars().filter(|letter| *letter != '\0') {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Returns the page after the row that the cursor names, of a list that is short enough to be read as a whole.
///
/// # Errors
/// [`Error::BadCursor`] if the list has no such row.
pub fn page_of<T>(
    mut rows: Vec<T>,
    cursor: Option<&str>,
    limit: Limit,
    id: impl Fn(&T) -> String,
) -> Result<Page<T>, Error> {
    if let Some(cursor) = Cursor::parse(cursor)? {
        let last = rows.iter().position(|row| id(row) == cursor.id).ok_or(Error::BadCursor)?;
        rows.drain(..=last);
    }
    let (items, next_cursor) = limit.cut(rows, |row| Cursor { at: Timestamp::from_unix_ms(0), id: id(row) });
    Ok(Page { items, next_cursor })
}

/// What somebody typed to find people by: two `LIKE ... ESCAPE '\'` patterns in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// For names and other texts.
    pub text: String,
    /// For the digits of phone numbers, in whatever form a number is typed.
    pub digits: String,
}

impl Search {
    pub(crate) fn of(typed: &str) -> Self {
        let digits = typed_digits(typed);
        Self { text: contains_pattern(typed), digits: contains_pattern(digits.as_deref().unwrap_or(typed)) }
    }
}

/// Returns the digits of a text that looks like a part of a phone number. A leading zero is left out, because numbers
/// are stored in international form, which has none.
fn typed_digits(typed: &str) -> Option<String> {
    let is_number = typed.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-–()./".contains(c));
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    (is_number && !digits.is_empty()).then(|| digits.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cursors_read_back(ms in 0i64..4_000_000_000_000, id in ".{0,64}") {
            let cursor = Cursor { at: Timestamp::from_unix_ms(ms), id };
            prop_assert_eq!(Cursor::parse(Some(&cursor.to_text())).unwrap(), Some(cursor));
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in ".{0,64}") {
            let _ = Cursor::parse(Some(&text));
        }
    }

    #[test]
    fn a_page_knows_whether_another_follows() {
        let limit = Limit::asked(Some(2));
        let cursor = |row: &i64| Cursor { at: Timestamp::from_unix_ms(*row), id: row.to_string() };
        assert_eq!(limit.cut(vec![3, 2], cursor), (vec![3, 2], None));
        let (rows, next) = limit.cut(vec![3, 2, 1], cursor);
        assert_eq!((rows, Cursor::parse(next.as_deref()).unwrap().unwrap().id), (vec![3, 2], "2".to_owned()));
        assert_eq!((Limit::asked(Some(0)), Limit::asked(Some(900))), (Limit(1), Limit(200)));
    }

    #[test]
    fn typed_wildcards_are_ordinary_letters() {
        assert_eq!(contains_pattern(" 50%_A\\ "), "%50\\%\\_a\\\\%");
    }

    #[test]
    fn a_number_is_found_in_whatever_form_it_is_typed() {
        for typed in ["07700 900123", "7700-900123", "(0)7700.900123", "+7700 900 123"] {
            assert_eq!(Search::of(typed).digits, "%7700900123%", "{typed}");
        }
        for typed in ["", "  ", "0", "Ada", "Ada 2", "+", "route 66"] {
            assert_eq!(typed_digits(typed), None, "{typed}");
        }
        assert_eq!(Search::of(" Ada ").digits, "%ada%", "a sender may be a name");
    }

    #[test]
    fn a_short_list_is_paged_by_its_rows() {
        let page =
            |cursor: Option<&str>| page_of(vec!["c", "a", "b"], cursor, Limit::asked(Some(2)), |row| (*row).to_owned());
        let first = page(None).unwrap();
        assert_eq!(first.items, ["c", "a"]);
        let second = page(first.next_cursor.as_deref()).unwrap();
        assert_eq!((second.items, second.next_cursor), (vec!["b"], None));
        let elsewhere = Cursor { at: Timestamp::from_unix_ms(0), id: "x".to_owned() }.to_text();
        assert!(matches!(page(Some(&elsewhere)), Err(Error::BadCursor)));
    }
}
