//! The routes of conversations, their numbers, and live updates.

use axum::http::StatusCode;

use super::who::{OWNER, OWNER_AND_OPS, READ_MESSAGES, WRITE_MESSAGES};
use crate::web::api::{dashboard, numbers, offers, threads, traces, windows};
use crate::web::auth::Access;
use crate::web::routes::{Area, Kind, Route};
use crate::web::stream;

const MESSAGES: Area = Area::of(Kind::Api, "Messages");
const OFFERS: Area = Area::of(Kind::Api, "Offers");
const NUMBERS: Area = Area::of(Kind::Api, "Numbers");
const LIVE: Area = Area::of(Kind::Api, "Live updates");

pub(super) fn routes() -> Vec<Route> {
    vec![
        MESSAGES.get("/api/messages/threads", OWNER.and_keys(READ_MESSAGES), "List conversations", threads::list),
        MESSAGES
            .get("/api/messages/threads/{id}", OWNER.and_sitter(), "Show a conversation", threads::show)
            .text("A sitter sees it while a window of theirs is open."),
        MESSAGES
            .get(
                "/api/messages/threads/{id}/messages",
                OWNER.and_sitter(),
                "List the texts of a conversation",
                threads::messages,
            )
            .text("The latest ones, or those before a text, oldest first."),
        MESSAGES
            .post(
                "/api/messages/threads/{id}/messages",
                OWNER.and_sitter().and_keys(WRITE_MESSAGES),
                "Send a text to a client",
                threads::send,
            )
            .error(StatusCode::FORBIDDEN, "`window_closed`: the sitter has no open window.")
            .error(StatusCode::CONFLICT, "The conversation is closed, has no number, or its person wants no texts."),
        MESSAGES
            .patch("/api/messages/threads/{id}", OWNER, "Change a conversation", threads::change)
            .text("Closes or opens it, assigns it to a sitter, puts it away, or marks it as unread.")
            .error(StatusCode::CONFLICT, "`already_open`: another one with this client is open on the number."),
        MESSAGES
            .post("/api/messages/threads/{id}/read", OWNER.and_sitter(), "Mark a conversation as read", threads::read)
            .text("Owners and sitters have a counter each. A sitter may while a window of theirs is open."),
        MESSAGES
            .get("/api/sitters/{id}/messages", OWNER.and_sitter(), "List a sitter's mailbox", threads::of_sitter)
            .text("The conversations with clients that are assigned to the sitter. Sitters list their own."),
        MESSAGES
            .post("/api/messages/threads/{id}/opt-out", OWNER, "Decide about a wish for no more texts", threads::decide_opt_out)
            .text("Accepting opts the person out of all texts of the organisation, also if no text asks for it. Only the person can lift it, by texting START.")
            .error(StatusCode::CONFLICT, "`opted_out`: there is nothing to dismiss, and the person wants no texts. `no_recipient`: the conversation is with nobody who gets texts."),
        MESSAGES.get(
            "/api/sitter/threads",
            Access::SITTER,
            "List conversations open to a sitter",
            threads::open_to_sitter,
        ),
        MESSAGES
            .get(
                "/api/messages/threads/{id}/routing-trace",
                OWNER_AND_OPS,
                "List why texts were routed to a conversation",
                traces::of_thread,
            )
            .text("Newest first. Each inbound text has one: what was checked, in order, and the reason in a sentence."),
        MESSAGES
            .get(
                "/api/messages/events/{eventId}/routing-trace",
                OWNER_AND_OPS,
                "Show why a text was routed where it was",
                traces::of_message,
            )
            .text("404 for a text that we sent."),
        MESSAGES.get("/api/sitter/dashboard", Access::SITTER, "Show a sitter's day", dashboard::show),
        NUMBERS.get("/api/messages/numbers", OWNER_AND_OPS, "List numbers", numbers::list),
        NUMBERS
            .post("/api/messages/numbers", OWNER, "Add a number", numbers::add)
            .error(StatusCode::CONFLICT, "`duplicate`."),
        NUMBERS
            .patch("/api/messages/numbers/{id}", OWNER, "Change a number", numbers::change)
            .error(StatusCode::CONFLICT, "`in_use`, `duplicate`."),
        MESSAGES.get("/api/assignments/windows", OWNER.and_sitter(), "List assignment windows", windows::list),
        OFFERS
            .post("/api/bookings/{id}/offers", OWNER, "Offer a booking to sitters", offers::create)
            .text("A sitter who is no longer active loses the booking.")
            .error(StatusCode::CONFLICT, "`booking_taken`, `booking_started`, `invalid_transition`."),
        OFFERS.get("/api/offers", OWNER.and_sitter(), "List offers", offers::list),
        OFFERS
            .post(
                "/api/sitter/{id}/bookings/{bookingId}/accept",
                OWNER.and_sitter(),
                "Accept an offer for a sitter",
                offers::accept,
            )
            .text("The booking becomes the sitter's, and its other offers end. Accepting again changes nothing.")
            .error(StatusCode::CONFLICT, "`booking_taken`, `offer_not_pending`."),
        OFFERS
            .post(
                "/api/sitter/{id}/bookings/{bookingId}/decline",
                OWNER.and_sitter(),
                "Decline an offer for a sitter",
                offers::decline,
            )
            .text("Declining again changes nothing.")
            .error(StatusCode::CONFLICT, "`booking_taken`, `offer_not_pending`."),
        OFFERS
            .post("/api/offers/{id}/withdraw", OWNER, "Take an offer back", offers::withdraw)
            .error(StatusCode::CONFLICT, "`booking_taken`, `offer_not_pending`."),
        LIVE.get("/api/events/stream", OWNER_AND_OPS.and_sitter().and_links(), "Stream events", stream::watch)
            .text("Server-sent events. Ids increase from event to event; `Last-Event-ID` resumes after one."),
    ]
}
