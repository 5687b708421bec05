//! `nightshift load webhooks`: delivers signed, distinct Stripe events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use chrono::Utc;
use nightshift_providers::stripe::signature;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::amount::Load;
use super::connection::Connection;
use super::report::Report;

const PATH: &str = "/api/webhooks/stripe";

struct Plan {
    load: Load,
    duplicates: u64,
    bookings: Option<String>,
    secret: SecretString,
    run: String,
    next: AtomicU64,
    started: Instant,
}

/// Delivers events that are signed with `secret`. `duplicates` is the percentage of deliveries that repeat an earlier
/// event. `bookings` is the prefix of the ids of the bookings that the events pay (`{prefix}0`, `{prefix}1`, ...); with
/// `None`, the events name no booking.
///
/// # Errors
/// An error if there is no server at the address.
pub async fn run(load: Load, secret: SecretString, duplicates: u64, bookings: Option<String>) -> anyhow::Result<Value> {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&load.url).await?);
    }
    let plan = Arc::new(Plan {
        load,
        duplicates,
        bookings,
        secret,
        run: format!("{:x}", Utc::now().timestamp_micros()),
        next: AtomicU64::new(0),
        started: Instant::now(),
    });
    let senders: Vec<_> =
        connections.into_iter().map(|connection| tokio::spawn(send(plan.clone(), connection))).collect();
    let mut all = Report::new();
    for sender in senders {
        all.add(&sender.await?);
    }
    let what = json!({"load": "webhooks", "connections": plan.load.connections, "rate": plan.load.rate,
                      "duplicates_pct": plan.duplicates});
    Ok(all.json(&what, plan.started.elapsed()))
}

async fn send(plan: Arc<Plan>, mut connection: Connection) -> Report {
    let mut report = Report::new();
    let end = plan.started + plan.load.duration();
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        let due = match plan.load.moment(number) {
            Some(moment) => {
                let due = plan.started + moment;
                tokio::time::sleep_until(due).await;
                due
            }
            None => Instant::now(),
        };
        if due >= end {
            return report;
        }
        let body = plan.body(number);
        let signed = signature::sign(&plan.secret, Utc::now().timestamp(), &body);
        match connection.post(PATH, &[(signature::HEADER, &signed)], body).await {
            Ok(answer) => report.answered(answer.status, due.elapsed()),
            Err(_) => report.failed(),
        }
    }
}

impl Plan {
    /// Returns the body of delivery `number`: about 300 bytes, which is the size of Stripe's smallest events.
    fn body(&self, number: u64) -> Bytes {
        let repeated = self.duplicates > 0 && number % 100 < self.duplicates && number >= 100;
        let event = if repeated { number - 100 + self.duplicates.min(99) } else { number };
        let metadata = match &self.bookings {
            Some(prefix) => json!({"bookingId": format!("{prefix}{event}")}),
            None => json!({"orderNote": "made by nightshift load"}),
        };
        let run = &self.run;
        let body = json!({
            "id": format!("evt_{run}_{event}"), "object": "event", "type": "payment_intent.succeeded", "livemode": false,
            "data": {"object": {"id": format!("pi_{run}_{event}"), "object": "payment_intent", "amount": 4500,
                                "amount_received": 4500, "currency": "usd", "metadata": metadata}},
        });
        Bytes::from(body.to_string())
    }
}
