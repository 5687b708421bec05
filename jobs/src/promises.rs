//! Whether everything that was promised holds, on live data: of the queue, of the business, and between the two.

use std::time::Duration;

use nightshift_domain::promises;
use nightshift_queue::Queue;
use nightshift_queue::admin::{Broken, is_taken_care_of};

use crate::follow::FollowError;

/// What waits for less is not looked at: its job may be being written.
const GRACE: Duration = Duration::from_secs(60);

/// Every promise that does not hold.
///
/// # Errors
/// A database error.
pub async fn broken(queue: &Queue) -> Result<Vec<Broken>, FollowError> {
    let (db, now) = (queue.db(), queue.clock().now());
    let database = |error: nightshift_db::DbError| FollowError::Domain(error.into());
    let mut found = nightshift_queue::admin::broken(db, now).await.map_err(database)?;
    let of_business = promises::broken(db).await?;
    found.extend(of_business.into_iter().filter_map(|(promise, rows)| Broken::by(promise, rows)));
    let waiting = promises::waiting(db, now, GRACE).await?;
    for (promise, subjects, keys) in [
        ("a delivery that was acknowledged has a job", waiting.deliveries, &["inbox:"][..]),
        ("a call that has not ended has a job", waiting.calls, &["call.start:", "call.poll:"][..]),
        ("a run that is to be executed has a job", waiting.runs, &["automation:"][..]),
        ("a text that is to be sent has a job", waiting.texts, &["sms:", "smsconf:"][..]),
    ] {
        let mut alone = Vec::new();
        for subject in subjects {
            let mut cared_for = false;
            for key in keys {
                cared_for |= is_taken_care_of(db, &format!("{key}{subject}")).await.map_err(database)?;
            }
            if !cared_for {
                alone.push((subject,));
            }
        }
        found.extend(Broken::by(promise, alone));
    }
    Ok(found)
}
