//! The first part of the demo: a client books on the website and pays. Stripe delivers the event three times, and an
//! attacker delivers it once with a wrong signature.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{Days, NaiveTime, Utc};
use nightshift_db::Timestamp;
use nightshift_providers::http_client;
use nightshift_providers::twilio::MessageStatus;
use nightshift_queue::Queue;
use nightshift_queue::admin::Filter;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::session::Session;
use super::trail::Trail;
use crate::simulator::{Simulator, StoredMessage, StripeSender, payment_succeeded};

/// The organisation in the seed file.
pub(super) const ORGANISATION: &str = "org-happy-paws";
const OWNER: &str = "owner@happy-paws.example";
const OPS: &str = "ops@nightshift.example";
const PASSWORD: &str = "happy paws demo";
/// Maximum time to wait for any step, far longer than every step takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The price that the client pays, in minor units.
const PRICE: i64 = 4_500;
/// Time by which an assignment window ends after its booking.
const WINDOW_GRACE: Duration = Duration::from_secs(60 * 60);

/// The participants of the demo and the clients that they use.
pub(super) struct Cast<'a> {
    url: String,
    http: reqwest::Client,
    pub(super) website: Session,
    stripe: StripeSender,
    stranger: StripeSender,
    pub(super) simulator: &'a Simulator,
    queue: &'a Queue,
}

impl<'a> Cast<'a> {
    pub(super) fn new(
        url: String,
        key: SecretString,
        stripe_secret: SecretString,
        simulator: &'a Simulator,
        queue: &'a Queue,
    ) -> anyhow::Result<Self> {
        let http = http_client()?;
        let webhook = format!("{url}/api/webhooks/stripe");
        Ok(Self {
            website: Session::with_key(&http, &url, &key),
            stripe: StripeSender::new(&webhook, stripe_secret, http.clone()),
            stranger: StripeSender::new(&webhook, "whsec_guessed".into(), http.clone()),
            url,
            http,
            simulator,
            queue,
        })
    }

    /// Signs the owner in.
    pub(super) async fn owner(&self) -> anyhow::Result<Session> {
        self.sign_in(OWNER).await
    }

    /// Signs a user of the sample business in.
    pub(super) async fn sign_in(&self, email: &str) -> anyhow::Result<Session> {
        Session::sign_in(&self.http, &self.url, email, PASSWORD).await
    }

    /// Has Stripe report, once, that a booking is paid.
    pub(super) async fn pay(&self, booking: &str) -> anyhow::Result<()> {
        let answer = self.stripe.deliver(&payment_of(booking)).await?;
        if !answer.taken() {
            bail!("the payment is answered with HTTP {}", answer.status);
        }
        Ok(())
    }
}

/// The booking that was paid, and the conversation about it.
pub(super) struct Paid {
    pub(super) booking: String,
    /// The client's phone.
    pub(super) client: String,
    /// The number that the client texts with.
    pub(super) number: String,
}

/// Runs this part.
pub(super) async fn play(cast: &Cast<'_>, trail: &mut Trail<'_>) -> anyhow::Result<Paid> {
    let began = cast.queue.clock().now();
    let client = format!("+1212556{:04}", Utc::now().timestamp_micros() % 10_000);
    let booking = book(cast, trail, &client).await?;
    deliver(cast, trail, &booking).await?;
    let text = wait_for_the_text(cast, trail, &client).await?;
    wait_until_nothing_runs(cast, &booking.id).await?;
    look_back(cast, trail, &booking, &text, began).await?;
    Ok(Paid { booking: booking.id, client, number: text.from })
}

struct Booking {
    id: String,
    end_at: Timestamp,
}

async fn book(cast: &Cast<'_>, trail: &mut Trail<'_>, client: &str) -> anyhow::Result<Booking> {
    let start =
        (Utc::now() + Days::new(2)).date_naive().and_time(NaiveTime::MIN).and_utc() + chrono::TimeDelta::hours(15);
    let (start_at, end_at) = (Timestamp::from(start), Timestamp::from(start + chrono::TimeDelta::hours(1)));
    let body = json!({
        "firstName": "Robin", "lastName": "Vale", "phone": client, "service": "dog_walking",
        "startAt": start_at, "endAt": end_at, "address": "7 Harbour Street",
    });
    let made = cast.website.post("/api/bookings", &body).await?;
    let id = text_at(&made, "/booking/id")?;
    trail.expect(
        "booking",
        &format!("{id} by the website's API key"),
        &text_at(&made, "/booking/status")?,
        &"pending".to_owned(),
    );
    Ok(Booking { id, end_at })
}

/// Delivers the event with a wrong signature, then three times with the right one, as Stripe repeats deliveries.
async fn deliver(cast: &Cast<'_>, trail: &mut Trail<'_>, booking: &Booking) -> anyhow::Result<()> {
    let event = payment_of(&booking.id);
    let event_id = text_at(&event, "/id")?;
    let answer = cast.stranger.deliver(&event).await?;
    trail.expect("webhook", "signed with a guessed secret", &answer.status, &401);
    for (delivery, duplicate) in [(1, false), (2, true), (3, true)] {
        let answer = cast.stripe.deliver(&event).await?;
        let body: Value = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
        let found = format!("{} duplicate={}", answer.status, body["duplicate"]);
        trail.expect(
            "webhook",
            &format!("delivery {delivery} of {event_id}"),
            &found,
            &format!("200 duplicate={duplicate}"),
        );
    }
    Ok(())
}

fn payment_of(booking: &str) -> Value {
    let event_id = format!("evt_demo_{}", booking.replace('-', ""));
    payment_succeeded(&event_id, &format!("pi_demo_{booking}"), booking, PRICE, "usd")
}

async fn wait_for_the_text(cast: &Cast<'_>, trail: &mut Trail<'_>, client: &str) -> anyhow::Result<StoredMessage> {
    let twilio = cast.simulator.twilio();
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(client).next().is_some()).await {
        bail!("no text arrived within {} s", PATIENCE.as_secs());
    }
    let text = twilio.read(|ledger| ledger.to(client).next().cloned()).context("the text is gone")?;
    trail.tell("text", format_args!("from {}: {}", text.from, text.body));
    let reported =
        |message: &StoredMessage| message.callbacks.iter().any(|sent| sent.status == MessageStatus::Delivered);
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(client).any(reported)).await {
        bail!("the delivery was not reported within {} s", PATIENCE.as_secs());
    }
    Ok(text)
}

/// Waits until no job of the booking is due, so that a wrong second text would have been sent before the texts are
/// counted.
async fn wait_until_nothing_runs(cast: &Cast<'_>, booking: &str) -> anyhow::Result<()> {
    let filter = Filter { correlation_id: Some(booking.to_owned()), ..Filter::default() };
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = cast.queue.clock().now();
        let jobs = cast.queue.list(&filter, None, 200).await?.jobs;
        let due = jobs.iter().find(|job| !job.state.is_final() && job.run_at <= now);
        let Some(due) = due else { return Ok(()) };
        if tokio::time::Instant::now() > patience {
            bail!("{} is still {}", due.kind, due.state);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn look_back(
    cast: &Cast<'_>,
    trail: &mut Trail<'_>,
    booking: &Booking,
    text: &StoredMessage,
    began: Timestamp,
) -> anyhow::Result<()> {
    let id = &booking.id;
    let owner = cast.owner().await?;
    let ops = cast.sign_in(OPS).await?;

    let now = cast.website.get(&format!("/api/bookings/{id}")).await?;
    let stands = format!("{} and {}", text_at(&now, "/booking/status")?, text_at(&now, "/booking/paymentStatus")?);
    trail.expect("booking", "stands", &stands, &"confirmed and paid".to_owned());

    let jobs = Filter { correlation_id: Some(id.clone()), ..Filter::default() };
    for job in cast.queue.list(&jobs, None, 50).await?.jobs.iter().rev() {
        let due = if job.state.is_final() { String::new() } else { format!(", due {}", job.run_at) };
        trail.tell("job", format_args!("{} {}{due}", job.kind, job.state));
    }

    let threads = owner.get(&format!("/api/messages/threads?mailbox=all&bookingId={id}")).await?;
    trail.expect("thread", "threads of this booking", &count_at(&threads, "/threads")?, &1);
    let number = text_at(&threads, "/threads/0/maskedNumberE164")?;
    let class = text_at(&threads, "/threads/0/numberClass")?;
    trail.expect("number", "the text's sender is the thread's number", &text.from, &number);
    trail.expect("number", "its class, for a booking without a sitter's own number", &class, &"pool".to_owned());

    let windows = owner.get(&format!("/api/assignments/windows?bookingId={id}")).await?;
    trail.expect("window", "windows of this booking", &count_at(&windows, "/windows")?, &1);
    let end = text_at(&windows, "/windows/0/endsAt")?;
    trail.expect("window", "ends an hour after the booking", &end, &(booking.end_at + WINDOW_GRACE).to_string());

    let runs = owner.get(&format!("/api/automations/ledger?bookingId={id}&type=bookingConfirmation")).await?;
    trail.expect("automation", "runs of bookingConfirmation", &count_at(&runs, "/runs")?, &1);
    trail.expect("automation", "its outcome", &text_at(&runs, "/runs/0/status")?, &"success".to_owned());

    let thread = text_at(&threads, "/threads/0/id")?;
    let messages = owner.get(&format!("/api/messages/threads/{thread}/messages")).await?;
    trail.expect("text", "messages in the thread", &count_at(&messages, "/messages")?, &1);
    trail.expect("text", "reported as", &text_at(&messages, "/messages/0/status")?, &"delivered".to_owned());
    let sent = cast.simulator.twilio().read(|ledger| ledger.to(&text.to).count());
    trail.expect("text", "texts that left for this client", &sent, &1);

    let received = ops.get(&format!("/api/event-log?eventType=webhook.stripe.received&from={began}")).await?;
    trail.expect("audit", "webhook.stripe.received", &count_at(&received, "/events")?, &3);
    let created = owner.get(&format!("/api/event-log?eventType=thread.created&bookingId={id}")).await?;
    trail.expect("audit", "thread.created", &count_at(&created, "/events")?, &1);
    Ok(())
}

pub(super) fn text_at(body: &Value, place: &str) -> anyhow::Result<String> {
    let found = body.pointer(place).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no text at {place} in {body}"))
}

fn count_at(body: &Value, place: &str) -> anyhow::Result<usize> {
    let found = body.pointer(place).and_then(Value::as_array);
    found.map(Vec::len).with_context(|| format!("no list at {place} in {body}"))
}
