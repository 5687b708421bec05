//! The third part of the demo: clients text back. During a visit the sitter gets the text and answers it, outside of a
//! visit the owner gets it, and after STOP nobody texts the client.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::day::{Cast, PATIENCE, Paid, text_at};
use super::session::Session;
use super::trail::Trail;
use crate::simulator::InboundSpec;

const LOOK_EVERY: Duration = Duration::from_millis(20);
const SITTER: &str = "sam@happy-paws.example";

/// A client whose dog is being walked now.
struct Visit {
    booking: String,
    client: String,
    number: String,
    thread: String,
}

/// Runs this part. `paid` is a booking whose window begins later.
pub(super) async fn play(cast: &Cast<'_>, trail: &mut Trail<'_>, paid: &Paid) -> anyhow::Result<()> {
    trail.gap();
    let owner = cast.owner().await?;
    let visit = begin(cast, trail, &owner).await?;

    let asks = InboundSpec::new(&visit.client, &visit.number, "Is Sam there yet?");
    receive(cast, trail, &owner, &visit.thread, asks, "sitter").await?;
    reply(cast, trail, &visit).await?;

    let later = thread_of(&owner, &paid.booking).await?;
    let asks = InboundSpec::new(&paid.client, &paid.number, "Can we make it half an hour later?");
    receive(cast, trail, &owner, &later, asks, "owner").await?;

    stop(cast, trail, &owner, &visit).await
}

/// Has a client book a visit by Sam that begins now, and pay for it.
async fn begin(cast: &Cast<'_>, trail: &mut Trail<'_>, owner: &Session) -> anyhow::Result<Visit> {
    let client = format!("+1212558{:04}", Utc::now().timestamp_micros() % 10_000);
    let rfc3339 = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = json!({
        "firstName": "Rosa", "lastName": "Marsh", "phone": client, "service": "dog_walking", "sitterId": "sitter-sam",
        "startAt": rfc3339(Utc::now()), "endAt": rfc3339(Utc::now() + TimeDelta::hours(1)),
    });
    let booking = text_at(&cast.website.post("/api/bookings", &body).await?, "/booking/id")?;
    cast.pay(&booking).await?;
    let twilio = cast.simulator.twilio();
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(&client).next().is_some()).await {
        bail!("the confirmation did not arrive within {} s", PATIENCE.as_secs());
    }
    let number = twilio.read(|ledger| ledger.to(&client).next().map(|text| text.from.clone()));
    let number = number.context("the text is gone")?;
    let thread = thread_of(owner, &booking).await?;
    trail.tell("visit", format_args!("Rosa paid for a walk with Sam that begins now; Sam's number is {number}"));
    Ok(Visit { booking, client, number, thread })
}

/// Returns the thread of a booking.
async fn thread_of(owner: &Session, booking: &str) -> anyhow::Result<String> {
    let threads = owner.get(&format!("/api/messages/threads?mailbox=all&bookingId={booking}")).await?;
    text_at(&threads, "/threads/0/id")
}

/// Has a client text, and checks in which mailbox the text arrives.
async fn receive(
    cast: &Cast<'_>,
    trail: &mut Trail<'_>,
    owner: &Session,
    thread: &str,
    text: InboundSpec,
    mailbox: &str,
) -> anyhow::Result<()> {
    let body = text.body.clone();
    let report = cast.simulator.twilio().receive(text).await;
    let answer = report.answer().unwrap_or("not taken").to_owned();
    trail.expect("text", &format!("\"{body}\" is answered with"), &answer, &"<Response/>".to_owned());
    let message = message_in(owner, thread, &body).await?;
    trail.expect("routing", "it goes to the", &text_at(&message, "/routedTo")?, &mailbox.to_owned());
    let trace = owner.get(&format!("/api/messages/events/{}/routing-trace", text_at(&message, "/id")?)).await?;
    trail.tell("why here?", text_at(&trace, "/trace/summary")?);
    Ok(())
}

/// Waits until a thread shows a text of a person.
async fn message_in(owner: &Session, thread: &str, body: &str) -> anyhow::Result<Value> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let shown = owner.get(&format!("/api/messages/threads/{thread}/messages")).await?;
        let messages = shown["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = messages.iter().find(|message| message["direction"] == "inbound" && message["body"] == body);
        if let Some(found) = found {
            return Ok(found.clone());
        }
        if tokio::time::Instant::now() > until {
            bail!("\"{body}\" is in no conversation after {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Has the sitter answer from their page.
async fn reply(cast: &Cast<'_>, trail: &mut Trail<'_>, visit: &Visit) -> anyhow::Result<()> {
    let sitter = cast.sign_in(SITTER).await?;
    let body = "On the way, two minutes!";
    sitter.post(&format!("/api/messages/threads/{}/messages", visit.thread), &json!({"body": body})).await?;
    let twilio = cast.simulator.twilio();
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(&visit.client).any(|text| text.body == body)).await {
        bail!("the sitter's answer did not arrive within {} s", PATIENCE.as_secs());
    }
    let from =
        twilio.read(|ledger| ledger.to(&visit.client).find(|text| text.body == body).map(|text| text.from.clone()));
    trail.expect("text", "Sam answers from", &from.context("the text is gone")?, &visit.number);
    Ok(())
}

/// Has the client say STOP. The text about the cancelled booking is then not sent.
async fn stop(cast: &Cast<'_>, trail: &mut Trail<'_>, owner: &Session, visit: &Visit) -> anyhow::Result<()> {
    let twilio = cast.simulator.twilio();
    let texts = twilio.read(|ledger| ledger.to(&visit.client).count());
    let says = InboundSpec::new(&visit.client, &visit.number, "STOP").opt_out_type("STOP");
    receive(cast, trail, owner, &visit.thread, says, "sitter").await?;
    owner.post(&format!("/api/bookings/{}/cancel", visit.booking), &json!({"reason": "the client moved"})).await?;
    let path = format!("/api/automations/ledger?bookingId={}&type=bookingCancelled", visit.booking);
    let until = tokio::time::Instant::now() + PATIENCE;
    let (status, reason) = loop {
        let runs = owner.get(&path).await?;
        let run = &runs["runs"][0];
        match run["status"].as_str() {
            Some(status @ ("success" | "skipped" | "failed")) => {
                break (status.to_owned(), run["error"].as_str().unwrap_or("no reason").to_owned());
            }
            _ if tokio::time::Instant::now() > until => {
                bail!("the text about the cancellation was not decided on within {} s", PATIENCE.as_secs());
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    trail.expect("automation", "the text about a cancellation", &status, &"skipped".to_owned());
    trail.tell("automation", format_args!("because {reason}"));
    let more = twilio.read(|ledger| ledger.to(&visit.client).count()) - texts;
    trail.expect("text", "texts to the client after STOP", &more, &0);
    Ok(())
}
