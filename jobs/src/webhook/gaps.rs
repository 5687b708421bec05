//! Finds texts that a carrier has received for our numbers and that reached nobody: their webhook never came, or it came when
//! no organisation had the number.
//!
//! A carrier gives up on a webhook after a while (Twilio within 15 seconds), but its list has the text.

use std::collections::{BTreeSet, HashMap, HashSet};

use nightshift_db::{Db, Timestamp};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, WebhookSource};
use nightshift_domain::messaging::numbers::{self, SmsCarrier};
use nightshift_domain::phone::PhoneNumber;
use nightshift_domain::viewer::Viewer;
use nightshift_providers::inbound::{InboundText, ReceivedText, ReceivedTexts};
use nightshift_providers::openphone::{Event, Fact, OpenPhoneClient};
use nightshift_providers::sms::LookupError;
use nightshift_providers::twilio::TwilioClient;

use super::unrouted::{Routable, routable};

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
    /// Why carriers could not be asked, so that more may be missing.
    pub failed: Vec<LookupError>,
    /// Number of listed texts that lack what is needed to take them in.
    pub unreadable: usize,
}

/// A text that reached nobody.
#[derive(Debug)]
pub struct MissingText {
    pub carrier: SmsCarrier,
    /// The stored webhook, if it came.
    pub unrouted: Option<InboxId>,
    received: ReceivedText,
}

impl Lists {
    /// Returns the texts to our numbers that the carriers received within `span` and that are not stored here, and those
    /// whose number is ours only since they came. `onboarding` is the number for new businesses. What can't be asked does
    /// not keep anything else from being asked.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn gaps(&self, db: &Db, onboarding: &PhoneNumber, span: Span) -> nightshift_domain::Result<Gaps> {
        let mut ours: HashMap<String, SmsCarrier> = HashMap::new();
        // The platform may have no row for it yet.
        ours.insert(onboarding.e164(), SmsCarrier::Twilio);
        for number in numbers::list(db, &Viewer::all(), None, None).await? {
            ours.insert(number.e164, number.provider);
        }
        let of = |carrier: SmsCarrier| -> BTreeSet<&str> {
            ours.iter().filter(|number| *number.1 == carrier).map(|number| number.0.as_str()).collect()
        };
        let mut gaps = Gaps::default();
        self.ask_twilio(db, &of(SmsCarrier::Twilio), span, &mut gaps).await?;
        self.ask_openphone(db, &of(SmsCarrier::Openphone), span, &mut gaps).await?;
        for Routable { inbox, carrier, text } in routable(db, &ours, span.since, span.until).await? {
            let received = ReceivedText { text, has_more_media: false };
            gaps.missing.push(MissingText { carrier, unrouted: Some(inbox), received });
        }
        gaps.missing.sort_by_key(MissingText::sent_at);
        Ok(gaps)
    }

    async fn ask_twilio(
        &self,
        db: &Db,
        ours: &BTreeSet<&str>,
        span: Span,
        gaps: &mut Gaps,
    ) -> nightshift_domain::Result<()> {
        let Some(twilio) = &self.twilio else { return Ok(()) };
        for number in ours {
            match twilio.received(number, span.since.to_datetime(), span.until.map(Timestamp::to_datetime)).await {
                Ok(listed) => gaps.add(db, SmsCarrier::Twilio, listed, span).await?,
                Err(error) => gaps.fail(error),
            }
        }
        Ok(())
    }

    async fn ask_openphone(
        &self,
        db: &Db,
        ours: &BTreeSet<&str>,
        span: Span,
        gaps: &mut Gaps,
    ) -> nightshift_domain::Result<()> {
        // Without such a number there is nothing to ask for.
        let Some(openphone) = self.openphone.as_ref().filter(|_| !ours.is_empty()) else { return Ok(()) };
        match openphone.received(span.since.to_datetime(), span.until.map(Timestamp::to_datetime)).await {
            Ok(mut listed) => {
                let told = told_by_openphone(db, span.since).await?;
                let is_new = |text: &InboundText| ours.contains(text.to.as_str()) && !told.contains(&text.sid);
                listed.texts.retain(|received| is_new(&received.text));
                gaps.add(db, SmsCarrier::Openphone, listed, span).await
            }
            Err(error) => {
                gaps.fail(error);
                Ok(())
            }
        }
    }

    /// Returns the text with all its media. If the carrier refuses to list them for good, they are missing from it, and
    /// the text says so.
    ///
    /// # Errors
    /// The carrier could not be asked. A retry may succeed.
    pub async fn whole(&self, missing: &MissingText) -> Result<InboundText, LookupError> {
        let mut text = missing.received.text.clone();
        if let Some(twilio) = self.twilio.as_ref().filter(|_| missing.received.has_more_media) {
            match twilio.media(&text.sid).await {
                Ok(media) => text.media = media,
                Err(error) if is_about_the_text(&error) => text.lacks_media = true,
                Err(error) => return Err(error),
            }
        }
        Ok(text)
    }
}

/// Whether a carrier refuses what was asked about one text, rather than us.
fn is_about_the_text(error: &LookupError) -> bool {
    matches!(error, LookupError::Refused { http_status, .. } if !matches!(http_status, 401 | 403))
}

impl Gaps {
    /// Notes what could not be asked. A carrier that can't be reached fails alike for each of its numbers.
    fn fail(&mut self, error: LookupError) {
        if !self.failed.contains(&error) {
            self.failed.push(error);
        }
    }

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
