//! What providers told.

pub mod stripe_process;
pub mod twilio_status;
pub mod vapi_process;
