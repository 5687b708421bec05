//! `nightshift load texts`: delivers signed texts of many people, then waits until each has found its conversation.
//!
//! The time from a text's receipt to its message is read from the database, because the answer to the webhook does not
//! wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Bytes;
use chrono::Utc;
use form_urlencoded::Serializer;
use nightshift_db::Db;
use nightshift_domain::audience::Audience;
use nightshift_domain::ids::OrgId;
use nightshift_domain::messaging::inbound::measured::Sids;
use nightshift_domain::messaging::numbers::{self, NumberStatus};
use nightshift_domain::viewer::Viewer;
use nightshift_providers::twilio::signature;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::amount::{f64_of, moment};
use super::connection::Connection;
use super::report::{Report, percentiles};

const PATH: &str = "/api/twilio/inbound";

/// The longest time without a further message until the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many texts, of whom, and how they are sent.
pub struct Texts {
    /// The base URL of the server.
    pub url: String,
    /// The base URL that Twilio would call and sign.
    pub public_url: String,
    /// Signs the webhooks.
    pub auth_token: SecretString,
    /// Number of connections that are kept open.
    pub connections: u32,
    /// Texts per second. `None` sends them as fast as the server answers.
    pub rate: Option<u32>,
    /// Number of texts.
    pub count: u64,
    /// Number of people, each of whom texts to one number.
    pub senders: u64,
    /// Our numbers in E.164 format.
    pub numbers: Vec<String>,
}

struct Plan {
    texts: Texts,
    /// The beginning of all SIDs.
    run: String,
    next: AtomicU64,
    started: Instant,
}

/// Returns the numbers of an organisation that are in service.
///
/// # Errors
/// A database error.
pub async fn numbers_of(db: &Db, org: &OrgId) -> anyhow::Result<Vec<String>> {
    let viewer = Viewer::of_org(org.clone(), Audience::Owner);
    let numbers = numbers::list(db, &viewer, None, Some(NumberStatus::Active)).await?;
    Ok(numbers.into_iter().map(|number| number.e164).collect())
}

/// Sends the texts and returns the measurements. `"lost"` and `"duplicated"` are 0 if each accepted text became one
/// message.
///
/// # Errors
/// An error if there are no numbers or people, no server at the address, or the database can't be read.
pub async fn run(texts: Texts, db: &Db) -> anyhow::Result<Value> {
    if texts.numbers.is_empty() || texts.senders == 0 {
        bail!("there is no number to text to, or nobody who texts");
    }
    let mut connections = Vec::new();
    for _ in 0..texts.connections {
        connections.push(Connection::open(&texts.url).await?);
    }
    // 16 hex digits of the run and 16 of the text make up an SID.
    let run = format!("SM{:016x}", Utc::now().timestamp_micros());
    let plan = Arc::new(Plan { texts, run, next: AtomicU64::new(0), started: Instant::now() });
    let senders: Vec<_> =
        connections.into_iter().map(|connection| tokio::spawn(send(plan.clone(), connection))).collect();
    let mut all = Report::new();
    for sender in senders {
        all.add(&sender.await?);
    }
    let took = plan.started.elapsed();

    let accepted = all.count(200);
    let sids = Sids { from: plan.run.clone(), until: format!("{}g", plan.run) };
    wait(&sids, db, accepted).await.context("the messages can't be counted")?;
    let found = sids.measure(db).await?;
    let per_second = |count: u64| match found.span.as_secs_f64() {
        seconds if seconds > 0.0 => (f64_of(count) / seconds).round(),
        _ => 0.0,
    };
    let what = json!({
        "load": "texts", "connections": plan.texts.connections, "rate": plan.texts.rate,
        "senders": plan.texts.senders, "numbers": plan.texts.numbers.len(),
        "received": found.received, "routed": found.routed, "traced": found.traced,
        "routed_per_s": per_second(found.routed), "traced_per_s": per_second(found.traced),
        "to_routed_ms": percentiles(&found.delays), "threads": found.threads,
        "lost": accepted.saturating_sub(found.routed), "duplicated": found.duplicated,
    });
    Ok(all.json(&what, took))
}

/// Waits until `accepted` messages are stored, or none was stored for a long time.
async fn wait(sids: &Sids, db: &Db, accepted: u64) -> anyhow::Result<()> {
    let (mut stored, mut changed) = (sids.stored(db).await?, Instant::now());
    while stored < accepted && changed.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = sids.stored(db).await?;
        if now != stored {
            (stored, changed) = (now, Instant::now());
        }
    }
    Ok(())
}

async fn send(plan: Arc<Plan>, mut connection: Connection) -> Report {
    let mut report = Report::new();
    let signed_url = format!("{}{PATH}", plan.texts.public_url);
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.texts.count {
            return report;
        }
        let due = match moment(plan.texts.rate, number) {
            Some(moment) => {
                let due = plan.started + moment;
                tokio::time::sleep_until(due).await;
                due
            }
            None => Instant::now(),
        };
        let form = plan.form(number);
        let signed = signature::sign_form(&plan.texts.auth_token, &signed_url, &form);
        match connection.post_form(PATH, &[(signature::HEADER, &signed)], form).await {
            Ok(answer) => report.answered(answer.status, due.elapsed()),
            Err(_) => report.failed(),
        }
    }
}

impl Plan {
    /// Returns the form of text `number`, with all parameters that Twilio sends for a text without pictures.
    fn form(&self, number: u64) -> Bytes {
        let sender = number % self.texts.senders;
        let ours = usize::try_from(sender).unwrap_or_default() % self.texts.numbers.len();
        let sid = format!("{}{number:016x}", self.run);
        let mut form = Serializer::new(String::new());
        for side in ["To", "From"] {
            for (part, value) in [("Country", "US"), ("State", "CA"), ("City", "SAN FRANCISCO"), ("Zip", "94105")] {
                form.append_pair(&format!("{side}{part}"), value);
            }
        }
        form.append_pair("SmsMessageSid", &sid)
            .append_pair("NumMedia", "0")
            .append_pair("SmsSid", &sid)
            .append_pair("SmsStatus", "received")
            .append_pair("Body", &format!("Text {number} of nightshift load, about the walk on Tuesday"))
            .append_pair("To", &self.texts.numbers[ours])
            .append_pair("NumSegments", "1")
            .append_pair("MessageSid", &sid)
            .append_pair("AccountSid", "AC5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")
            .append_pair("From", &format!("+1628{:07}", 1_000_000 + sender % 9_000_000))
            .append_pair("ApiVersion", "2010-04-01");
        Bytes::from(form.finish())
    }
}
