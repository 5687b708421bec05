//! The message list of the fake Twilio, in both directions: newest first, filtered and paged as at Twilio.
//!
//! A text that is still queued has no `date_sent`, so a filter by `DateSent` excludes it, as at Twilio. A page with a
//! `PageToken` starts after the last message of the previous page, even if texts were sent in between.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use serde_json::json;

use super::faults::{Fault, Stage};
use super::ledger::{Ledger, StoredMessage};
use super::twilio::FakeTwilio;
use super::twilio_wire::{ApiError, authorization, resource};

/// Prefix of a page token. The SID of the last message of the previous page follows.
const TOKEN: &str = "PA";

/// A filter value for `date_sent`: a day or an instant.
#[derive(Clone, Copy)]
enum When {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
}

impl When {
    fn parse(text: &str) -> Option<Self> {
        let day = text.parse().map(Self::Day);
        day.or_else(|_| text.parse::<DateTime<Utc>>().map(Self::Instant)).ok()
    }

    /// Returns whether the message was sent on this day. For an instant, the day that contains it counts.
    fn is_day_of(self, sent_at: DateTime<Utc>) -> bool {
        match self {
            Self::Day(day) => sent_at.date_naive() == day,
            Self::Instant(instant) => sent_at.date_naive() == instant.date_naive(),
        }
    }

    /// Compares the message's time with this value, in days or in whole seconds.
    fn compare(self, sent_at: DateTime<Utc>) -> std::cmp::Ordering {
        match self {
            Self::Day(day) => sent_at.date_naive().cmp(&day),
            Self::Instant(instant) => sent_at.trunc_subsecs(0).cmp(&instant.trunc_subsecs(0)),
        }
    }
}

/// The filters of a list, and the requested page.
#[derive(Default)]
struct Filter {
    to: Option<String>,
    from: Option<String>,
    sent_on: Option<When>,
    sent_until: Option<When>,
    sent_since: Option<When>,
    page: usize,
    page_size: usize,
    after: Option<String>,
    /// The filters as the client sent them, for the URLs of other pages.
    given: Vec<(String, String)>,
}

impl Filter {
    fn parse(query: &str) -> Option<Self> {
        let mut filter = Self { page_size: 50, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "To" => filter.to = Some(value.to_string()),
                "From" => filter.from = Some(value.to_string()),
                // The query is `DateSent>=2026-11-20`, and the name ends at the first equals sign.
                "DateSent" => filter.sent_on = Some(When::parse(&value)?),
                "DateSent<" => filter.sent_until = Some(When::parse(&value)?),
                "DateSent>" => filter.sent_since = Some(When::parse(&value)?),
                "Page" => filter.page = value.parse().ok()?,
                "PageSize" => filter.page_size = value.parse::<usize>().ok()?.clamp(1, 1000),
                "PageToken" => filter.after = Some(value.strip_prefix(TOKEN)?.to_owned()),
                _ => continue,
            }
            if !name.starts_with("Page") {
                filter.given.push((name.into_owned(), value.into_owned()));
            }
        }
        Some(filter)
    }

    fn lets_through(&self, message: &StoredMessage) -> bool {
        let sent = |when: Option<When>, fits: fn(When, DateTime<Utc>) -> bool| {
            when.is_none_or(|when| message.sent_at.is_some_and(|at| fits(when, at)))
        };
        !message.deleted
            && self.to.as_ref().is_none_or(|to| *to == message.to)
            && self.from.as_ref().is_none_or(|from| *from == message.from)
            && sent(self.sent_on, When::is_day_of)
            && sent(self.sent_until, |when, at| when.compare(at).is_le())
            && sent(self.sent_since, |when, at| when.compare(at).is_ge())
    }

    /// Returns the URL of a page of this list.
    fn uri(&self, path: &str, page: usize, after: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.given);
        query.append_pair("PageSize", &self.page_size.to_string()).append_pair("Page", &page.to_string());
        if let Some(sid) = after {
            query.append_pair("PageToken", &format!("{TOKEN}{sid}"));
        }
        format!("{path}?{}", query.finish())
    }

    /// Returns the messages of the requested page, and one more if there is a next page.
    fn page_of(&self, ledger: &Ledger) -> Vec<StoredMessage> {
        let newest_first = ledger.newest_first();
        let wanted = self.page_size + 1;
        match &self.after {
            Some(sid) => {
                let rest = newest_first.skip_while(|message| message.sid != *sid).skip(1);
                rest.filter(|message| self.lets_through(message)).take(wanted).cloned().collect()
            }
            None => {
                let before = self.page.saturating_mul(self.page_size);
                newest_first.filter(|message| self.lets_through(message)).skip(before).take(wanted).cloned().collect()
            }
        }
    }
}

pub(super) async fn list(
    State(twilio): State<Arc<FakeTwilio>>,
    Path(account_sid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    twilio.change(|ledger| ledger.count().list += 1);
    let _slot = twilio.admit(&account_sid, authorization(&headers))?;
    let filter = Filter::parse(&query.unwrap_or_default()).ok_or(ApiError::new(400, 20001))?;
    let fault = twilio.faults().take(Stage::List, filter.to.as_deref(), None);
    let mut page = match &fault {
        Some(rule) if rule.fault == Fault::ListError => return Err(ApiError::new(500, 20500)),
        Some(rule) if rule.fault == Fault::ListRateLimit => {
            return Err(ApiError::new(429, 20429).retry_after(rule));
        }
        Some(_) => Vec::new(),
        None => twilio.read(|ledger| filter.page_of(ledger)),
    };
    let more = page.len() > filter.page_size;
    page.truncate(filter.page_size);
    let path = format!("/2010-04-01/Accounts/{account_sid}/Messages.json");
    let start = filter.page.saturating_mul(filter.page_size);
    let last = page.last().map(|message| message.sid.as_str());
    Ok(Json(json!({
        "messages": page.iter().map(|message| resource(&account_sid, message)).collect::<Vec<_>>(),
        "page": filter.page,
        "page_size": filter.page_size,
        "start": start,
        "end": (start + page.len()).saturating_sub(1),
        "uri": filter.uri(&path, filter.page, filter.after.as_deref()),
        "first_page_uri": filter.uri(&path, 0, None),
        "previous_page_uri": (filter.page > 0).then(|| filter.uri(&path, filter.page - 1, None)),
        "next_page_uri": more.then(|| filter.uri(&path, filter.page + 1, last)),
    }))
    .into_response())
}
