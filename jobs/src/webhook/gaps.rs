//! Finds texts that a carrier has received for our numbers and whose webhook never reached us.
//!
//! A carrier gives up on a webhook after a while (Twilio within 15 seconds), but its list has the text.

use std::collections::{BTreeSet, HashSet};

use nightshift_db::{Db, Timestamp};
use nightshift_domain::inbox::{self, WebhookSource};
use nightshift_domain::messaging::numbers::{self, SmsCarrier};
use nightshift_domain::viewer::Viewer;
use nightshift_providers::inbound::{InboundText, ReceivedText, ReceivedTexts};
use nightshift_providers::openphone::{Event, Fact, OpenPhoneClient};
use nightshift_providers::sms::LookupError;
use nightshift_providers::twilio::TwilioClient;

/// The carriers that can be asked.
#[derive(Debug)]
pub struct Lists {
    pub twilio: Option<TwilioClient>,
    pub openphone: Option<OpenPhoneClient>,
}

/// What the carriers have and we don't.
#[derive(Debug, Default)]
pub struct Gaps {
    /// The texts that never reached us, oldest first.
    pub missing: Vec<MissingText>,
    /// Number of listed texts that lack what is needed to take them in.
    pub unreadable: usize,
}

/// A text that never reached us.
#[derive(Debug)]
pub struct MissingText {
    pub carrier: SmsCarrier,
    received: ReceivedText,
}

/// Why gaps could not be found or closed.
#[derive(Debug, thiserror::Error)]
pub enum GapError {
    #[error(transparent)]
    Carrier(#[from] LookupError),
    #[error(transparent)]
    Domain(#[from] nightshift_domain::Error),
}

impl Lists {
    /// Returns the texts to our numbers that the carriers received at or after `since` and that are not stored here.
    ///
    /// # Errors
    /// A carrier or the database could not be asked.
    pub async fn gaps(&self, db: &Db, since: Timestamp) -> Result<Gaps, GapError> {
        let ours = numbers::list(db, &Viewer::all(), None, None).await?;
        let of = |carrier: SmsCarrier| -> BTreeSet<&str> {
            ours.iter().filter(|number| number.provider == carrier).map(|number| number.e164.as_str()).collect()
        };
        let mut gaps = Gaps::default();
        if let Some(twilio) = &self.twilio {
            for number in of(SmsCarrier::Twilio) {
                let listed = twilio.received(number, since.to_datetime()).await?;
                gaps.add(db, SmsCarrier::Twilio, listed).await?;
            }
        }
        if let Some(openphone) = &self.openphone {
            let of_openphone = of(SmsCarrier::Openphone);
            // Without such a number there is nothing to ask for.
            if !of_openphone.is_empty() {
                let mut listed = openphone.received(since.to_datetime()).await?;
                let told = told_by_openphone(db, since).await?;
                let is_new = |text: &InboundText| of_openphone.contains(text.to.as_str()) && !told.contains(&text.sid);
                listed.texts.retain(|received| is_new(&received.text));
                gaps.add(db, SmsCarrier::Openphone, listed).await?;
            }
        }
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
    async fn add(&mut self, db: &Db, carrier: SmsCarrier, listed: ReceivedTexts) -> Result<(), GapError> {
        self.unreadable += listed.unreadable;
        let sids: Vec<&str> = listed.texts.iter().map(|received| received.text.sid.as_str()).collect();
        let known = inbox::known(db, source_of(carrier), &sids).await?;
        let new = |received: &ReceivedText| !known.contains(&received.text.sid);
        let missing = listed.texts.into_iter().filter(new).map(|received| MissingText { carrier, received });
        self.missing.extend(missing);
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
async fn told_by_openphone(db: &Db, since: Timestamp) -> Result<HashSet<String>, GapError> {
    let bodies = inbox::bodies_since(db, WebhookSource::OpenPhone, since).await?;
    let told = bodies.iter().filter_map(|body| match Event::parse(body.as_bytes()).ok()?.fact {
        Fact::Received(text) => Some(text.sid),
        Fact::Delivery { .. } | Fact::Other => None,
    });
    Ok(told.collect())
}
