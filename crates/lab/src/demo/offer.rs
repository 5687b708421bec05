//! The fourth part of the demo: the paid booking is offered to a sitter, who accepts by text.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::day::{Cast, PATIENCE, text_at};
use super::trail::Trail;
use crate::simulator::{Direction, Person, Reaction};

const SITTER: &str = "sitter-kim";
/// The sitter's own phone in the seed file.
const PHONE: &str = "+12125550102";
/// The time that the sitter takes to answer.
const READS: Duration = Duration::from_millis(100);

/// Runs this part with a booking that has no sitter.
pub(super) async fn play(cast: &Cast<'_>, trail: &mut Trail<'_>, booking: &str) -> anyhow::Result<()> {
    trail.gap();
    let (owner, twilio) = (cast.owner().await?, cast.simulator.twilio());
    let answer = Reaction::say("Yes!").to_texts_with("Reply YES").after(READS);
    cast.simulator.people().add(Person::new(PHONE).with(answer));

    let made = owner.post(&format!("/api/bookings/{booking}/offers"), &json!({"sitterIds": [SITTER]})).await?;
    trail.expect("offer", "Robin's booking to Kim", &text_at(&made, "/offers/0/status")?, &"pending".to_owned());
    let reply = |text: &&crate::simulator::StoredMessage| text.direction == Direction::OutboundReply;
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(PHONE).any(|text| reply(&text))).await {
        bail!("the sitter got no answer within {} s", PATIENCE.as_secs());
    }
    let (asked, confirmed) = twilio.read(|ledger| {
        let body = |text: Option<&crate::simulator::StoredMessage>| text.map(|text| text.body.clone());
        (body(ledger.to(PHONE).next()), body(ledger.to(PHONE).find(reply)))
    });
    trail.tell("text", format_args!("to Kim: {}", asked.context("the text is gone")?));
    let confirmed = confirmed.context("the answer is gone")?;
    trail.expect("text", "Kim texts Yes!, and the answer accepts", &confirmed.starts_with("Accepted: "), &true);
    trail.tell("text", format_args!("in the answer to Twilio: {confirmed}"));

    let offers = owner.get(&format!("/api/offers?bookingId={booking}")).await?;
    let stands = format!("{} by {}", text_at(&offers, "/offers/0/status")?, text_at(&offers, "/offers/0/answeredVia")?);
    trail.expect("offer", "stands", &stands, &"accepted by sms".to_owned());
    let shown = owner.get(&format!("/api/bookings/{booking}")).await?;
    trail.expect("booking", "its sitter", &text_at(&shown, "/booking/sitterName")?, &"Kim Osei".to_owned());
    Ok(())
}
