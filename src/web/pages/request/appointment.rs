//! The appointment that a call booked, for the confirmation on the page and for `GET /request/{id}/appointment.ics`.
//!
//! Date and time are text that a language model reported. The page shows the text unchanged. An instant, and so a
//! calendar file, exists only if both texts can be parsed.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono_tz::Tz;
use nightshift_db::Timestamp;
use nightshift_domain::calls::{self, ServiceProviderView, ServiceRequestStatus, ServiceRequestView};
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::people::organizations;

use super::viewer::viewer_for;
use crate::web::auth::Caller;
use crate::web::error::{ApiError, Result};
use crate::web::path::Path;
use crate::web::routes::{Contract, Gives};
use crate::web::state::Web;

const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";
/// Shown for a date or a time that was not reported.
const UNKNOWN: &str = "TBD";
/// The maximum length of a line in a calendar file, in bytes without the line break (RFC 5545, section 3.1).
const LINE_BYTES_MAX: usize = 75;

/// A confirmed appointment.
pub(super) struct Appointment<'a> {
    pub(super) provider: &'a str,
    pub(super) date: &'a str,
    pub(super) time: &'a str,
    pub(super) number: Option<&'a str>,
    /// The start, if date and time can be parsed.
    pub(super) at: Option<Timestamp>,
    zone: Tz,
}

impl<'a> Appointment<'a> {
    /// Returns the appointment of a completed request whose selected provider confirmed it.
    pub(super) fn of(request: &ServiceRequestView, providers: &'a [ServiceProviderView], zone: Tz) -> Option<Self> {
        let chosen =
            request.selected_provider_id.as_ref().filter(|_| request.status == ServiceRequestStatus::Completed)?;
        let provider = providers.iter().find(|provider| provider.id == *chosen && provider.booking_confirmed)?;
        let (date, time) = (provider.booking_date.as_deref(), provider.booking_time.as_deref());
        Some(Self {
            provider: &provider.name,
            date: date.unwrap_or(UNKNOWN),
            time: time.unwrap_or(UNKNOWN),
            number: provider.confirmation_number.as_deref(),
            at: date.zip(time).and_then(|(date, time)| calls::appointment_at(date, time, zone)),
            zone,
        })
    }

    /// Formats an instant in the organisation's zone: `Monday 30 December 2024, 10:00 EST`.
    pub(super) fn in_words(&self, at: &Timestamp) -> String {
        at.to_datetime().with_timezone(&self.zone).format("%A %-d %B %Y, %H:%M %Z").to_string()
    }

    /// Returns a calendar event that starts at `at`. It has no end, because the duration is not known.
    fn to_calendar(&self, request: &ServiceRequestView, at: Timestamp, now: Timestamp) -> String {
        let utc = |at: Timestamp| at.to_datetime().format("%Y%m%dT%H%M%SZ").to_string();
        let mut fields = vec![
            ("BEGIN", "VCALENDAR".to_owned()),
            ("VERSION", "2.0".to_owned()),
            ("PRODID", "-//Nightshift//Appointments//EN".to_owned()),
            ("BEGIN", "VEVENT".to_owned()),
            ("UID", format!("{}@nightshift", request.id)),
            ("DTSTAMP", utc(now)),
            ("DTSTART", utc(at)),
            ("SUMMARY", escaped(&format!("{}: {}", request.title, self.provider))),
        ];
        fields.extend(self.number.map(|number| ("DESCRIPTION", escaped(&format!("Confirmation number {number}")))));
        fields.extend([("END", "VEVENT".to_owned()), ("END", "VCALENDAR".to_owned())]);
        fields.iter().map(|(name, value)| folded(&format!("{name}:{value}"))).collect()
    }
}

/// Escapes a text for a calendar file (RFC 5545, section 3.3.11).
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => written.extend(['\\', c]),
            '\n' => written.push_str("\\n"),
            c if c.is_control() => {}
            c => written.push(c),
        }
    }
    written
}

/// Folds a line into pieces of the maximum length. Each piece but the first starts with a space.
fn folded(line: &str) -> String {
    let mut written = String::with_capacity(line.len() + 2);
    let mut bytes = 0;
    for c in line.chars() {
        if bytes + c.len_utf8() > LINE_BYTES_MAX {
            written.push_str("\r\n ");
            bytes = 1;
        }
        written.push(c);
        bytes += c.len_utf8();
    }
    written + "\r\n"
}

pub(in crate::web::pages) struct Calendar(String);

impl IntoResponse for Calendar {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, MEDIA_TYPE),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"appointment.ics\""),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, self.0).into_response()
    }
}

impl Gives for Calendar {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/calendar");
    }
}

/// `GET /request/{id}/appointment.ics`
pub(in crate::web::pages) async fn show(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ServiceRequestId>,
) -> Result<Calendar> {
    let viewer = viewer_for(&web, &caller, &id)?;
    let mut request = calls::view(&web.db, &viewer, &id).await?;
    let zone = organizations::zone(&web.db, &calls::org_of_request(&web.db, &viewer, &id).await?).await?;
    let providers = request.providers.take().unwrap_or_default();
    let appointment = Appointment::of(&request, &providers, zone).ok_or_else(ApiError::not_found)?;
    let at = appointment.at.ok_or_else(ApiError::not_found)?;
    Ok(Calendar(appointment.to_calendar(&request, at, web.clock.now())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_neither_end_its_line_nor_outgrow_it() {
        assert_eq!(escaped("a; b, c\\d\r\nEND:VEVENT"), "a\\; b\\, c\\\\d\\nEND:VEVENT");
        let long = folded(&"é".repeat(100));
        assert!(long.ends_with("\r\n") && long.matches("\r\n ").count() == 2, "{long:?}");
        assert!(long.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX), "{long:?}");
    }
}
