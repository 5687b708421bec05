//! The filters of VAPI's list of calls.

use chrono::{DateTime, Utc};

use super::vapi::FakeVapi;
use super::vapi_call::PlacedCall;

/// Default maximum number of calls in a list.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

#[derive(Debug, Clone)]
pub(super) struct ListFilter {
    id: Option<String>,
    assistant_id: Option<String>,
    phone_number_id: Option<String>,
    times: Vec<(Bound, DateTime<Utc>)>,
    limit: usize,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Gt,
    Lt,
    Ge,
    Le,
}

impl ListFilter {
    /// Parses a query string.
    ///
    /// # Errors
    /// VAPI's error messages about an invalid query.
    pub(super) fn parse(query: &str) -> Result<Self, Vec<String>> {
        let mut filter = Self { id: None, assistant_id: None, phone_number_id: None, times: Vec::new(), limit: LIMIT };
        let mut problems = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "id" => filter.id = Some(value.into_owned()),
                "assistantId" => filter.assistant_id = Some(value.into_owned()),
                "phoneNumberId" => filter.phone_number_id = Some(value.into_owned()),
                // Some clients write a number with a fraction, such as `100.0`.
                "limit" => match value.trim_end_matches(".0").parse() {
                    Ok(limit) if limit <= LIMIT_MAX => filter.limit = limit,
                    _ => problems.push(format!("limit must not be greater than {LIMIT_MAX}")),
                },
                // `updatedAt` filters use the creation time, because the simulator never changes `updatedAt`.
                timed => match (bound(timed), DateTime::parse_from_rfc3339(&value)) {
                    (None, _) => problems.push(format!("property {timed} should not exist")),
                    (Some(bound), Ok(at)) => filter.times.push((bound, at.to_utc())),
                    (Some(_), Err(_)) => problems.push(format!("{timed} must be a valid ISO 8601 date string")),
                },
            }
        }
        if problems.is_empty() { Ok(filter) } else { Err(problems) }
    }

    /// Returns the newest calls that match all filters.
    pub(super) fn of(&self, vapi: &FakeVapi) -> Vec<PlacedCall> {
        let account = &vapi.account;
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        if !is(&self.assistant_id, &account.assistant_id) || !is(&self.phone_number_id, &account.phone_number_id) {
            return Vec::new();
        }
        vapi.newest(self.limit, |call| is(&self.id, &call.id) && self.is_in_time(call.created_at))
    }

    fn is_in_time(&self, created_at: DateTime<Utc>) -> bool {
        self.times.iter().all(|(bound, at)| match bound {
            Bound::Gt => created_at > *at,
            Bound::Lt => created_at < *at,
            Bound::Ge => created_at >= *at,
            Bound::Le => created_at <= *at,
        })
    }
}

fn bound(name: &str) -> Option<Bound> {
    match name.strip_prefix("createdAt").or_else(|| name.strip_prefix("updatedAt"))? {
        "Gt" => Some(Bound::Gt),
        "Lt" => Some(Bound::Lt),
        "Ge" => Some(Bound::Ge),
        "Le" => Some(Bound::Le),
        _ => None,
    }
}
