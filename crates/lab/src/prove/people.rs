//! The generated booking ids and phone numbers of a run. Each number belongs to one booking or call.

pub(super) fn booking_id(n: u32) -> String {
    format!("booking-{n}")
}

pub(super) fn client_phone(n: u32) -> String {
    format!("+1555{:07}", 2_000_000 + n)
}

pub(super) fn provider_phone(n: u32) -> String {
    format!("+1415{:07}", 5_000_000 + n)
}

pub(super) fn requester_phone(n: u32) -> String {
    format!("+1416{:07}", 5_000_000 + n)
}
