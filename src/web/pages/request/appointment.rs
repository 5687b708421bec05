//! The appointment that a call made: what the confirmation shows, and `GET /request/{id}/appointment.ics` for calendars.
//!
//! Date and time are what a language model reported. They are shown to the letter; an instant, and with it the calendar
//! file, exists only when both can be read.

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
/// The longest line of a calendar file in bytes, without its end (RFC 5545, section 3.1).
const LINE_BYTES_MAX: usize = 75;

/// A confirmed appointment.
pub(super) struct Appointment<'a> {
    pub(super) provider: &'a str,
    pub(super) date: &'a str,
    pub(super) time: &'a str,
    pub(super) number: Option<&'a str>,
    /// When it is, if its words can be read.
    pub(super) at: Option<Timestamp>,
    zone: Tz,
}

impl<'a> Appointment<'a> {
    /// The appointment of a completed request whose chosen provider confirmed it.
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

    /// Day and time in words, with the zone.
    pub(super) fn in_words(&self, at: &Timestamp) -> String {
        at.to_datetime().with_timezone(&self.zone).format("%A %-d %B %Y, %H:%M %Z").to_string()
    }

    /// An event that begins at `at`. How long it takes nobody has said, so it has no end.
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

/// A text as a calendar file writes it.
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

/// A line in pieces that are short enough, each but the first begun by a space.
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

/// A calendar file.
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
