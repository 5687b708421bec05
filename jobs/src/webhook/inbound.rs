//! Takes in the text that a carrier's webhook delivered: routes it, stores it, and enqueues what follows from it, all in
//! the caller's transaction.

use nightshift_db::{Timestamp, Tx, failpoint};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{InboxId, OrgId};
use nightshift_domain::messaging::inbound::{self, Arrived, Considered, Routing, Stored};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::messaging::opt_outs::{Keyword, heard};
use nightshift_providers::inbound::{CarrierKeyword, InboundText};
use nightshift_queue::JobContext;

use crate::App;
use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::sms::{Reply, reply};
use crate::{metrics, offer, thread};

/// How often a text is routed anew because its conversation was closed in between.
const TRIES: usize = 5;

/// What became of a text.
pub(super) struct Taken {
    /// `None` if the text reached no organisation.
    pub org: Option<OrgId>,
    /// For the job's result.
    pub verdict: &'static str,
}

/// Whether the sender of a text opts out or in by it, as far as the carrier or we recognise it.
pub(super) fn opts(text: &InboundText, carrier: SmsCarrier) -> bool {
    let heard = heard(&text.body, text.keyword.map(keyword_of), carrier.answers_keywords());
    matches!(heard.keyword, Some(Keyword::Stop | Keyword::Start))
}

const fn keyword_of(keyword: CarrierKeyword) -> Keyword {
    match keyword {
        CarrierKeyword::Stop => Keyword::Stop,
        CarrierKeyword::Start => Keyword::Start,
        CarrierKeyword::Help => Keyword::Help,
    }
}

/// A text from a webhook, as the domain takes it.
pub(super) fn arrived(text: InboundText, inbox: &InboxId, carrier: SmsCarrier, received_at: Timestamp) -> Arrived {
    Arrived {
        inbox: inbox.clone(),
        carrier,
        sid: text.sid,
        from: text.from,
        to: text.to,
        body: text.body,
        media: text.media,
        lacks_media: text.lacks_media,
        keyword: text.keyword.map(keyword_of),
        sent_at: text.sent_at.map(Into::into),
        received_at,
    }
}

/// Routes and stores a text. A text that was taken in before changes nothing.
///
/// # Errors
/// An error of a rule or of the queue. The caller must roll its transaction back.
pub(super) async fn take(ctx: &JobContext<App>, tx: &mut Tx, text: &Arrived, by: &Actor) -> Result<Taken, Error> {
    let (enqueuer, now) = (Enqueuer::of(ctx), ctx.now());
    let mut answer = None;
    for _ in 0..TRIES {
        let routing = match inbound::consider(tx, text, ctx.app.onboarding(), by, now).await? {
            Considered::Route(routing) => routing,
            Considered::Repeated(org) => return Ok(Taken { org: Some(org), verdict: "stored before" }),
            Considered::Unroutable => return Ok(Taken { org: None, verdict: "sent to no number of ours" }),
        };
        // Bookings are locked before conversations.
        if answer.is_none() {
            answer = answer_offer(&enqueuer, tx, text, &routing, by).await?;
        }
        match inbound::store(tx, text, &routing, by, now).await? {
            Stored::Moved => {}
            Stored::Repeated => {
                return Ok(Taken { org: Some(routing.office.org.clone()), verdict: "stored meanwhile" });
            }
            Stored::In { message: _, thread: at, reply: confirmation, needs_number, unanswered_by } => {
                failpoint::hit("inbound.after_store").await.map_err(nightshift_domain::Error::from)?;
                if needs_number {
                    thread::find_number(&enqueuer, tx, &at).await?;
                }
                if let Some(sitter) = unanswered_by {
                    metrics::sitter_changed(&enqueuer, tx, &sitter).await?;
                }
                // A request waits for the answer to an offer only.
                let in_answer = answer.is_some() && text.carrier == SmsCarrier::Twilio;
                if let Some(body) = answer.or(confirmation) {
                    let reply_to = Reply {
                        inbox: &text.inbox,
                        thread: &at,
                        from: &routing.office.number.id,
                        body: &body,
                        in_answer,
                    };
                    reply(&enqueuer, tx, &reply_to).await?;
                }
                return Ok(Taken { org: Some(routing.office.org.clone()), verdict: "routed" });
            }
        }
    }
    Err(nightshift_domain::Error::Busy(std::time::Duration::from_secs(1)).into())
}

/// Acts on a sitter's answer to an offer. Returns what to reply.
async fn answer_offer(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    text: &Arrived,
    routing: &Routing,
    by: &Actor,
) -> Result<Option<String>, Error> {
    let decision = &routing.decision;
    let (Some(command), inbound::Author::Sitter(sitter)) = (decision.command, &decision.author) else {
        return Ok(None);
    };
    let said = offer::answer_by_text(enqueuer, tx, &routing.office.org, sitter, command, text.at(), by).await?;
    Ok(Some(said).filter(|said| !said.is_empty()))
}
