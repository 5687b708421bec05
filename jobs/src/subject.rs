//! The subjects of jobs, which name what a job is about.

use nightshift_domain::ids::{AutomationRunId, BookingId, CallId, InboxId, MessageId, OfferId, SitterId, ThreadId};
use nightshift_queue::Subject;

const BOOKING: &str = "booking";
const DELIVERY: &str = "delivery";

pub(crate) fn booking(id: &BookingId) -> Option<Subject> {
    subject(BOOKING, id.as_str())
}

pub(crate) fn call(id: &CallId) -> Option<Subject> {
    subject("call", id.as_str())
}

pub(crate) fn conversation(id: &ThreadId) -> Option<Subject> {
    subject("conversation", id.as_str())
}

pub(crate) fn delivery(id: &InboxId) -> Option<Subject> {
    subject(DELIVERY, id.as_str())
}

pub(crate) fn automation(id: &AutomationRunId) -> Option<Subject> {
    subject("automation", id.as_str())
}

pub(crate) fn text(id: &MessageId) -> Option<Subject> {
    subject("text", id.as_str())
}

pub(crate) fn sitter(id: &SitterId) -> Option<Subject> {
    subject("sitter", id.as_str())
}

pub(crate) fn offer(id: &OfferId) -> Option<Subject> {
    subject("offer", id.as_str())
}

fn subject(thing: &'static str, id: &str) -> Option<Subject> {
    Some(Subject { thing, id: id.to_owned() })
}

/// Returns the booking, if the subject is one.
pub(crate) fn as_booking(subject: &Subject) -> Option<BookingId> {
    (subject.thing == BOOKING).then(|| BookingId::from(subject.id.as_str()))
}

/// Returns the webhook event, if the subject is one.
pub(crate) fn as_delivery(subject: &Subject) -> Option<InboxId> {
    (subject.thing == DELIVERY).then(|| InboxId::from(subject.id.as_str()))
}
