//! `/exceptions`: the exceptions that operators and owners handle.

mod compared;
pub(super) mod detail;
pub(super) mod list;

use nightshift_domain::exceptions::{ExceptionKind, ExceptionView};
use nightshift_domain::people::users::User;

use super::kit::Choice;

/// The number of characters of an id in a list. The page of an exception shows the whole id.
const ID_CHARS: usize = 6;

/// Returns the end of an id. It suffices to tell neighbouring rows apart.
fn short(id: &str) -> &str {
    id.char_indices().nth_back(ID_CHARS - 1).map_or(id, |(at, _)| &id[at..])
}

/// Returns the kind and the id of what an exception is about.
fn subject(item: &ExceptionView) -> Option<(&'static str, &str)> {
    let booking = item.booking_id.as_ref().map(|id| ("Booking", id.as_str()));
    let thread = || item.thread_id.as_ref().map(|id| ("Conversation", id.as_str()));
    let client = || item.client_id.as_ref().map(|id| ("Client", id.as_str()));
    let job = || item.job_id.as_ref().map(|id| ("Job", id.as_str()));
    let webhook = || item.inbox_id.as_ref().map(|id| ("Webhook", id.as_str()));
    booking.or_else(thread).or_else(client).or_else(job).or_else(webhook)
}

/// Returns the name of a user who handles exceptions, or their id if they no longer do.
fn person<'a>(id: &'a Option<String>, workers: &'a [User]) -> Option<&'a str> {
    let id = id.as_deref()?;
    Some(workers.iter().find(|user| user.id.as_str() == id).map_or(id, |user| user.name.as_str()))
}

/// Returns the types as options, and the chosen type even if only another version of the program knows it.
fn kinds(chosen: Option<&str>) -> Vec<Choice> {
    let choice = |value: &str, text: &str| Choice {
        value: value.to_owned(),
        text: text.to_owned(),
        chosen: chosen == Some(value),
    };
    let known = ExceptionKind::ALL.iter().map(|kind| choice(kind.as_str(), kind.label()));
    let other = chosen.filter(|kind| kind.parse::<ExceptionKind>().is_err()).map(|kind| choice(kind, kind));
    known.chain(other).collect()
}
