//! The providers seen from outside: recorded vectors and samples, and the clients against the simulator.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod data;
mod openphone_client;
mod openphone_event;
mod openphone_signature;
mod sms;
mod stripe_event;
mod stripe_signature;
mod tolerance;
mod twilio_client;
mod twilio_signature;
mod twilio_webhook;
mod vapi_client;
