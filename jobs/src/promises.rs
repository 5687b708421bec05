//! Checks on live data whether every promise holds: those of the queue, of the business, and between the two.

use std::collections::BTreeSet;
use std::time::Duration;

use nightshift_db::Db;
use nightshift_domain::promises::{self, Waiting};
use nightshift_queue::Queue;
use nightshift_queue::admin::{Broken, is_taken_care_of};

use crate::automation::run::RunAutomation;
use crate::booking_call::poll::BookingCallPoll;
use crate::booking_call::start::BookingCallStart;
use crate::error::Error;
use crate::sms::confirm_delivery::SmsConfirmDelivery;
use crate::sms::reply_fallback::SmsReplyFallback;
use crate::sms::send::SmsSend;
use crate::webhook;

/// Rows that have waited less than this are not checked, because their job may just be being written.
const GRACE: Duration = Duration::from_secs(60);

/// Returns every promise that does not hold.
pub async fn broken(queue: &Queue) -> Result<Vec<Broken>, Error> {
    broken_for(queue, GRACE).await
}

/// Does the same as [`broken`], for rows that have waited for their job for `longer_than`.
pub async fn broken_for(queue: &Queue, longer_than: Duration) -> Result<Vec<Broken>, Error> {
    let (db, now) = (queue.db(), queue.clock().now());
    let mut found = nightshift_queue::admin::broken(db, now).await.map_err(database)?;
    let of_business = promises::broken(db).await?;
    found.extend(of_business.into_iter().filter_map(|(promise, rows)| Broken::by(promise, rows)));
    // The rows and their jobs are read one after the other, so a row whose job ends in between seems to have none. That
    // can't happen twice to the same row, because afterwards the row no longer waits.
    let first = alone(db, promises::waiting(db, now, longer_than).await?).await?;
    if first.iter().all(|(_, subjects)| subjects.is_empty()) {
        return Ok(found);
    }
    let second = alone(db, promises::waiting(db, now, longer_than).await?).await?;
    for ((promise, seen), (_, still)) in first.into_iter().zip(second) {
        found.extend(Broken::by(promise, seen.intersection(&still).map(|subject| (subject.clone(),)).collect()));
    }
    Ok(found)
}

/// Returns, for each promise, the waiting rows without a job.
async fn alone(db: &Db, waiting: Waiting) -> Result<Vec<(&'static str, BTreeSet<String>)>, Error> {
    let mut found = Vec::new();
    let texts = waiting.texts.into_iter().map(|(id, resends)| {
        // Of the jobs that send a text, the one for the sending that the text waits for.
        let keys = vec![SmsSend::key(&id.as_str().into(), resends), SmsConfirmDelivery::key(&id.as_str().into())];
        (id, keys)
    });
    let promises = [
        ("a delivery that was acknowledged has a job", keyed(waiting.deliveries, |id| vec![webhook::key(&id.into())])),
        (
            "a call that has not ended has a job",
            keyed(waiting.calls, |id| vec![BookingCallStart::key(&id.into()), BookingCallPoll::key(&id.into())]),
        ),
        ("a text that is to be written has a job", keyed(waiting.runs, |id| vec![RunAutomation::key(&id.into())])),
        ("a text that is to be sent or looked up has a job", texts.collect()),
        ("a reply that has not left has a job", keyed(waiting.replies, |id| vec![SmsReplyFallback::key(&id.into())])),
    ];
    for (promise, subjects) in promises {
        let mut without = BTreeSet::new();
        for (subject, keys) in subjects {
            let mut cared_for = false;
            for key in keys {
                cared_for |= is_taken_care_of(db, &key).await.map_err(database)?;
            }
            if !cared_for {
                without.insert(subject);
            }
        }
        found.push((promise, without));
    }
    Ok(found)
}

/// Returns the rows with the keys of the jobs that may process each.
fn keyed(rows: Vec<String>, keys: fn(&str) -> Vec<String>) -> Vec<(String, Vec<String>)> {
    rows.into_iter()
        .map(|row| {
            let keys = keys(&row);
            (row, keys)
        })
        .collect()
}

fn database(error: nightshift_db::DbError) -> Error {
    Error::Domain(error.into())
}
