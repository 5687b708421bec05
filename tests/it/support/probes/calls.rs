//! Requests for an appointment, the service providers that may give one, and the calls that ask for it.

use nightshift_db::{Json, Timestamp};
use serde_json::Value;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct ServiceRequest {
    pub user_phone: Option<String>,
}

#[derive(Debug, FromRow)]
pub struct ServiceProvider {
    pub id: String,
    pub phone: String,
    pub booking_confirmed: bool,
    pub booking_date: Option<String>,
    pub booking_time: Option<String>,
    pub confirmation_number: Option<String>,
    pub last_call_at: Option<Timestamp>,
    pub call_transcript: Option<String>,
}

#[derive(Debug, FromRow)]
pub struct Call {
    pub status: String,
    pub mode: String,
    pub original_phone: String,
    pub phone_to_call: String,
    pub request_body: Json<Value>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub poll_count: i64,
    pub transcript: Option<String>,
    pub failure_reason: Option<String>,
}

impl Probes {
    pub fn service_requests(&self) -> Rows<'_, ServiceRequest> {
        self.ask(table!("service_requests"))
    }

    pub fn service_providers(&self) -> Rows<'_, ServiceProvider> {
        self.ask(table!("providers"))
    }

    pub fn calls(&self) -> Rows<'_, Call> {
        self.ask(table!("booking_calls"))
    }
}

impl Rows<'_, ServiceRequest> {
    /// Requests that have an appointment.
    pub fn completed(self) -> Self {
        self.only("status = 'COMPLETED'")
    }

    /// Requests with service providers to choose from, and no call under way.
    pub fn recommended(self) -> Self {
        self.only("status = 'RECOMMENDED'")
    }
}

impl Rows<'_, ServiceProvider> {
    pub fn named(self, name: &str) -> Self {
        self.with("name = $1", name)
    }

    /// Service providers that gave an appointment.
    pub fn booked(self) -> Self {
        self.only("booking_confirmed")
    }

    /// Service providers with the time or the transcript of a call.
    pub fn called(self) -> Self {
        self.only("last_call_at IS NOT NULL OR call_transcript IS NOT NULL")
    }

    pub fn with_a_transcript(self) -> Self {
        self.only("call_transcript IS NOT NULL")
    }
}

impl Rows<'_, Call> {
    pub fn in_status(self, status: &str) -> Self {
        self.with("status = $1", status)
    }

    pub fn with_a_transcript(self) -> Self {
        self.only("transcript IS NOT NULL")
    }

    /// Calls with the data that VAPI's analysis found.
    pub fn with_a_result(self) -> Self {
        self.only("result IS NOT NULL")
    }
}
