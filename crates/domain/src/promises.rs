//! Promises about the tables of the business that must hold at any moment, checked on live data.

use std::time::Duration;

use nightshift_db::{Db, Timestamp};

use crate::Result;

/// Each promise with the statement that finds violations.
const CHECKS: &[(&str, &str)] = &[
    (
        "a booking's history has no gaps",
        "SELECT booking_id FROM booking_status_history GROUP BY booking_id HAVING count(*) <> max(seq) LIMIT 5",
    ),
    (
        "a booking has the last status of its history",
        "SELECT b.id FROM bookings AS b JOIN booking_status_history AS h ON h.booking_id = b.id
         WHERE h.seq = (SELECT max(seq) FROM booking_status_history WHERE booking_id = b.id)
           AND h.to_status <> b.status LIMIT 5",
    ),
    (
        "a run of an automation that succeeded wrote its text",
        "SELECT id FROM automation_runs WHERE status = 'success' AND message_event_id IS NULL LIMIT 5",
    ),
    (
        "a text is sent from its conversation's number",
        "SELECT r.id FROM automation_runs AS r JOIN message_threads AS t ON t.id = r.thread_id
         JOIN message_events AS e ON e.id = r.message_event_id
         WHERE r.used_thread AND e.from_number_id <> r.from_number_id LIMIT 5",
    ),
    (
        "an automation run sends one text",
        "SELECT automation_run_id FROM message_events WHERE automation_run_id IS NOT NULL
         GROUP BY automation_run_id HAVING count(*) > 1 LIMIT 5",
    ),
    (
        "an accepted offer is the only one of its booking",
        "SELECT booking_id FROM offer_events WHERE status IN ('accepted', 'pending') GROUP BY booking_id
         HAVING count(CASE WHEN status = 'accepted' THEN 1 END) > 0 AND count(*) > 1 LIMIT 5",
    ),
    (
        "a price check's counts match its recorded drifts",
        "SELECT r.id FROM reconciliation_runs AS r
         WHERE r.drifted <> r.high + r.medium + r.low
            OR r.drifted <> (SELECT count(*) FROM pricing_drifts AS d WHERE d.run_id = r.id) LIMIT 5",
    ),
    (
        "a local date has one scheduled price check",
        "SELECT org_id || ' ' || local_date FROM reconciliation_runs WHERE trigger_kind = 'scheduled'
         GROUP BY org_id, local_date HAVING count(*) > 1 LIMIT 5",
    ),
    (
        "a text that a webhook brought says why it was routed where it is",
        "SELECT m.id FROM message_events AS m JOIN webhook_inbox AS i ON i.id = m.id
         WHERE m.direction = 'inbound'
           AND NOT EXISTS (SELECT 1 FROM routing_traces AS r WHERE r.message_event_id = m.id) LIMIT 5",
    ),
    ("no shield row is left in price_shield", "SELECT 'price_shield' FROM price_shield LIMIT 5"),
    (
        "an active call belongs to a request that waits for it",
        "SELECT c.id FROM booking_calls AS c JOIN service_requests AS r ON r.id = c.service_request_id
         WHERE c.status IN ('accepted', 'starting', 'in_progress')
           AND (r.status <> 'BOOKING' OR r.active_booking_call_id IS NULL OR r.active_booking_call_id <> c.id) LIMIT 5",
    ),
];

/// Promises about failures that must have an exception. The fingerprint of each exception ends in the id of its
/// subject.
const SILENT: &[(&str, &str)] = &[
    (
        "a text that did not arrive has an exception",
        // Texts to people who opted out, and texts that were taken back before they were sent, need no exception.
        "SELECT e.id FROM message_events AS e LEFT JOIN automation_runs AS r ON r.id = e.automation_run_id
         WHERE e.direction = 'outbound' AND e.status IN ('failed', 'undelivered')
           AND coalesce(e.error_code, '') NOT IN ('opted_out', 'no_longer_true') AND coalesce(r.status, '') <> 'skipped'
           AND e.id NOT IN (SELECT substr(fingerprint, 17) FROM exceptions WHERE type = 'sms_undelivered') LIMIT 5",
    ),
    (
        "an automatic text that failed before it was written has an exception",
        "SELECT id FROM automation_runs
         WHERE status = 'failed' AND message_event_id IS NULL
           AND id NOT IN (SELECT substr(fingerprint, 19) FROM exceptions WHERE type = 'automation_failed') LIMIT 5",
    ),
    (
        "a text that waits for a number has an exception",
        "SELECT id FROM automation_runs
         WHERE status = 'blocked' AND coalesce(thread_id, 'front_desk:' || org_id) NOT IN
               (SELECT substr(fingerprint, 21) FROM exceptions
                WHERE type = 'no_number_available' AND status <> 'resolved') LIMIT 5",
    ),
];

/// Returns each promise that does not hold, with some of the rows that violate it.
pub async fn broken(db: &Db) -> Result<Vec<(&'static str, Vec<(String,)>)>> {
    let mut found = Vec::new();
    for (promise, sql) in CHECKS.iter().chain(SILENT) {
        let rows: Vec<(String,)> = db.read(sql).all().await?;
        if !rows.is_empty() {
            found.push((*promise, rows));
        }
    }
    Ok(found)
}

/// Ids of rows that wait for a job, by table. Each must have a job that is unfinished, or one that is dead and has an
/// exception. Only rows that have waited longer than `longer_than` are included.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// Webhook events that are not processed.
    pub deliveries: Vec<String>,
    /// Calls that have not ended.
    pub calls: Vec<String>,
    /// Automation runs that are to write their text.
    pub runs: Vec<String>,
    /// Texts that are to be sent, or whose outcome is to be found out, each with how often it was sent again.
    pub texts: Vec<(String, i64)>,
    /// Webhook events whose reply has not left.
    pub replies: Vec<String>,
}

/// Lists the rows that wait for a job.
pub async fn waiting(db: &Db, now: Timestamp, longer_than: Duration) -> Result<Waiting> {
    let since = now - longer_than;
    let ids = async |sql| -> Result<Vec<String>> {
        let rows: Vec<(String,)> = db.read(sql).bind(since).all().await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    };
    Ok(Waiting {
        deliveries: ids("SELECT id FROM webhook_inbox WHERE status = 'received' AND received_at < $1").await?,
        calls: ids(
            "SELECT id FROM booking_calls WHERE status IN ('accepted', 'starting', 'in_progress') AND updated_at < $1",
        )
        .await?,
        // A run that has written its text waits for the text to be sent, not for a job of its own.
        runs: ids("SELECT id FROM automation_runs
             WHERE status = 'pending' AND message_event_id IS NULL AND updated_at < $1")
        .await?,
        texts: db
            .read(
                "SELECT id, resends FROM message_events
                 WHERE status IN ('queued', 'sending', 'unconfirmed') AND updated_at < $1
                   AND id NOT IN (SELECT substr(fingerprint, 17) FROM exceptions
                                  WHERE type = 'sms_unconfirmed' AND status <> 'resolved')
                   AND id NOT IN (SELECT reply_message_id FROM webhook_inbox
                                  WHERE reply_message_id IS NOT NULL AND reply_channel IS NULL)",
            )
            .bind(since)
            .all()
            .await?,
        replies: ids("SELECT id FROM webhook_inbox
             WHERE reply_message_id IS NOT NULL AND reply_channel IS NULL AND updated_at < $1")
        .await?,
    })
}
