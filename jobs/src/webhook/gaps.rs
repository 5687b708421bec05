//! Finds texts that a carrier has received for our numbers and whose webhook never reached us.
//!
//! A carrier gives up on a webhook after a while (Twilio within 15 seconds), but its list has the text.

use std::collections::{BTreeSet, HashMap, HashSet};

use nightshift_db::{Db, Timestamp};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, WebhookSource};
use nightshift_domain::messaging::inbound::unroutable::{self, Unrouted};
use nightshift_domain::messaging::numbers::{self, SmsCarrier};
use nightshift_domain::phone::PhoneNumber;
use nightshift_domain::viewer::Viewer;
use nightshift_providers::inbound::{InboundText, ReceivedText, ReceivedTexts};
use nightshift_providers::openphone::{Event, Fact, OpenPhoneClient};
use nightshift_providers::sms::LookupError;
use nightshift_providers::twilio::{TwilioClient, read_inbound};
use nightshift_queue::Queue;

use super::openphone_process::WebhookOpenphoneProcess;
use super::twilio_inbound::WebhookTwilioInbound;
use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// The carriers that can be asked.
#[derive(Debug)]
pub struct Lists {
    pub twilio: Option<TwilioClient>,
    pub openphone: Option<OpenPhoneClient>,
}

/// The time in which the carriers received the wanted texts.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub since: Timestamp,
    /// The time before which they were received. `None` for every text since then.
    pub until: Option<Timestamp>,
}

impl Span {
    fn contains(&self, at: Option<Timestamp>) -> bool {
        at.is_none_or(|at| at >= self.since && self.until.is_none_or(|until| at < until))
    }
}

/// What the carriers have and we don't.
#[derive(Debug, Default)]
pub struct Gaps {
    /// The texts that never reached us, or reached nobody although an organisation has their number now, oldest first.
    pub missing: Vec<MissingText>,
    /// What could not be asked.
    pub failed: Vec<LookupError>,
    /// Number of listed texts that lack what is needed to take them in.
    pub unreadable: usize,
}

/// A text that never reached us.
#[derive(Debug)]
pub struct MissingText {
    pub carrier: SmsCarrier,
    /// The webhook that is stored, of a text that reached nobody.
    pub unrouted: Option<InboxId>,
    received: ReceivedText,
}

impl Lists {
    /// Returns the texts to our numbers that the carriers received within `span` and that are not stored here. A carrier
    /// that can't be asked does not keep the others from being asked.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn gaps(&self, db: &Db, span: Span) -> nightshift_domain::Result<Gaps> {
        let (since, until) = (span.since.to_datetime(), span.until.map(Timestamp::to_datetime));
        let ours = numbers::list(db, &Viewer::all(), None, None).await?;
        let of = |carrier: SmsCarrier| -> BTreeSet<&str> {
            ours.iter().filter(|number| number.provider == carrier).map(|number| number.e164.as_str()).collect()
        };
        let mut gaps = Gaps::default();
        if let Some(twilio) = &self.twilio {
            for number in of(SmsCarrier::Twilio) {
                match twilio.received(number, since, until).await {
                    Ok(listed) => gaps.add(db, SmsCarrier::Twilio, listed, span).await?,
                    Err(error) => gaps.failed.push(error),
                }
            }
        }
        if let Some(openphone) = &self.openphone {
            let of_openphone = of(SmsCarrier::Openphone);
            // Without such a number there is nothing to ask for.
            if !of_openphone.is_empty() {
                match openphone.received(since, until).await {
                    Ok(mut listed) => {
                        let told = told_by_openphone(db, span.since).await?;
                        let is_new =
                            |text: &InboundText| of_openphone.contains(text.to.as_str()) && !told.contains(&text.sid);
                        listed.texts.retain(|received| is_new(&received.text));
                        gaps.add(db, SmsCarrier::Openphone, listed, span).await?;
                    }
                    Err(error) => gaps.failed.push(error),
                }
            }
        }
        let carriers = ours.iter().map(|number| (number.e164.clone(), number.provider)).collect();
        gaps.add_unrouted(db, &carriers, span).await?;
        gaps.missing.sort_by_key(MissingText::sent_at);
        Ok(gaps)
    }

    /// Returns the text with all its media.
    ///
    /// # Errors
    /// The carrier could not be asked.
    pub async fn whole(&self, missing: &MissingText) -> Result<InboundText, LookupError> {
        let mut text = missing.received.text.clone();
        if let Some(twilio) = self.twilio.as_ref().filter(|_| missing.received.has_more_media) {
            text.media = twilio.media(&text.sid).await?;
        }
        Ok(text)
    }
}

impl Gaps {
    /// Adds the listed texts that are not stored.
    async fn add(
        &mut self,
        db: &Db,
        carrier: SmsCarrier,
        listed: ReceivedTexts,
        span: Span,
    ) -> nightshift_domain::Result<()> {
        self.unreadable += listed.unreadable;
        let sids: Vec<&str> = listed.texts.iter().map(|received| received.text.sid.as_str()).collect();
        let known = inbox::known(db, source_of(carrier), &sids).await?;
        let new = |received: &ReceivedText| !known.contains(&received.text.sid);
        let new = listed.texts.into_iter().filter(new);
        let missing = new.map(|received| MissingText { carrier, unrouted: None, received });
        self.missing.extend(missing.filter(|text| span.contains(text.sent_at())));
        Ok(())
    }

    /// Adds the stored texts that reached nobody and whose number is one of ours now.
    async fn add_unrouted(
        &mut self,
        db: &Db,
        ours: &HashMap<String, SmsCarrier>,
        span: Span,
    ) -> nightshift_domain::Result<()> {
        for stored in unroutable::unrouted_since(db, span.since).await? {
            let Some(text) = text_of(&stored) else { continue };
            let to = PhoneNumber::stored(&text.to).map(|to| to.e164());
            let Some(carrier) = to.ok().and_then(|to| ours.get(&to)) else { continue };
            let text = InboundText { sent_at: Some(stored.received_at.to_datetime()), ..text };
            let received = ReceivedText { text, has_more_media: false };
            let missing = MissingText { carrier: *carrier, unrouted: Some(stored.id), received };
            self.missing.extend(Some(missing).filter(|text| span.contains(text.sent_at())));
        }
        Ok(())
    }
}

impl MissingText {
    /// Returns the text, perhaps without its media.
    #[must_use]
    pub fn text(&self) -> &InboundText {
        &self.received.text
    }

    /// Returns when the carrier received it.
    #[must_use]
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.received.text.sent_at.map(Timestamp::from)
    }
}

/// Routes the text of a stored webhook that reached nobody. Returns false if another has done so.
///
/// # Errors
/// An error of a rule or of the queue.
pub async fn route_again(queue: &Queue, inbox: &InboxId) -> Result<bool, Error> {
    let enqueuer = Enqueuer::of_request(queue);
    let mut tx = queue.db().begin().await.map_err(nightshift_domain::Error::from)?;
    if !unroutable::reopen(&mut tx, inbox, enqueuer.now()).await? {
        return Ok(false);
    }
    let new = match inbox::load(&mut tx, inbox).await?.provider {
        WebhookSource::OpenPhone => enqueuer.new_job(&WebhookOpenphoneProcess::new(inbox.clone(), None))?,
        _ => enqueuer.new_job(&WebhookTwilioInbound::new(inbox.clone(), None))?,
    };
    // The job that found nobody is its duplicate, and done.
    enqueuer.enqueue_to_see(&mut tx, new).await?;
    tx.commit().await.map_err(nightshift_domain::Error::from)?;
    Ok(true)
}

fn text_of(stored: &Unrouted) -> Option<InboundText> {
    let body = stored.payload.as_bytes();
    match stored.provider {
        WebhookSource::Twilio => read_inbound(body).ok(),
        WebhookSource::OpenPhone => match Event::parse(body).ok()?.fact {
            Fact::Received(text) => Some(text),
            Fact::Delivery { .. } | Fact::Other => None,
        },
        _ => None,
    }
}

/// Returns the source whose webhooks would have told of a carrier's texts.
fn source_of(carrier: SmsCarrier) -> WebhookSource {
    match carrier {
        SmsCarrier::Openphone => WebhookSource::OpenPhone,
        SmsCarrier::Twilio | SmsCarrier::Mock => WebhookSource::Twilio,
    }
}

/// Returns the ids of the texts that stored webhooks of OpenPhone tell of: their events have ids of their own.
async fn told_by_openphone(db: &Db, since: Timestamp) -> nightshift_domain::Result<HashSet<String>> {
    let bodies = inbox::bodies_since(db, WebhookSource::OpenPhone, since).await?;
    let told = bodies.iter().filter_map(|body| match Event::parse(body.as_bytes()).ok()?.fact {
        Fact::Received(text) => Some(text.sid),
        Fact::Delivery { .. } | Fact::Other => None,
    });
    Ok(told.collect())
}
