//! The load while processes are killed: payments, which are delivered more than once, call requests and price checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nightshift_providers::http_client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::ledger::Ledger;
use super::people::{booking_id, provider_phone, requester_phone};
use crate::simulator::{StripeSender, payment_succeeded};

pub(super) const STRIPE_SECRET: &str = "whsec_prove_only";
const PAYERS: u32 = 6;
const CALLERS: u32 = 2;
/// The amount that the client pays, equal to the price of the booking, in minor units.
const PRICE: i64 = 4_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// The running senders.
pub(super) struct Load {
    senders: JoinSet<anyhow::Result<()>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Starts the senders. Each booking is paid once, and its payment is delivered two or three times.
    pub(super) fn start(url: &str, bookings: u32, calls: u32, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        let (paid, called) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        for _ in 0..PAYERS {
            let stripe = StripeSender::new(format!("{url}/api/webhooks/stripe"), STRIPE_SECRET.into(), http_client()?);
            let (next, ledger) = (paid.clone(), ledger.clone());
            senders.spawn(async move { pay(&stripe, &next, bookings, &ledger).await });
        }
        for _ in 0..CALLERS {
            let (http, url, next, ledger) = (http_client()?, url.to_owned(), called.clone(), ledger.clone());
            senders.spawn(async move {
                call(&http, &url, &next, calls, &ledger).await;
                Ok(())
            });
        }
        let (http, url, stopped) = (http_client()?, url.to_owned(), stop.clone());
        senders.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                // A refusal (another check is running) or no answer is fine, as for the scheduler.
                let _ = http.post(format!("{url}/api/reconciliation/runs")).json(&json!({})).send().await;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            Ok(())
        });
        Ok(Self { senders, stop })
    }

    /// Stops the price checks, and waits until all other senders have finished.
    pub(super) async fn finish(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(sender) = self.senders.join_next().await {
            sender??;
        }
        Ok(())
    }
}

async fn pay(stripe: &StripeSender, next: &AtomicU32, bookings: u32, ledger: &Ledger) -> anyhow::Result<()> {
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= bookings {
            return Ok(());
        }
        let booking = booking_id(n);
        let event = payment_succeeded(&format!("evt_{n}"), &format!("pi_{n}"), &booking, PRICE, "usd");
        stripe.deliver_until_taken(&event, PATIENCE).await?;
        ledger.paid(n);
        // Stripe repeats deliveries, and may send another event about the same payment.
        for again in 0..fastrand::u32(1..3) {
            let id = if again == 0 { format!("evt_{n}") } else { format!("evt_{n}_again") };
            let event = payment_succeeded(&id, &format!("pi_{n}"), &booking, PRICE, "usd");
            stripe.deliver_until_taken(&event, PATIENCE).await?;
            ledger.told_again();
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(100..900))).await;
    }
}

async fn call(http: &reqwest::Client, url: &str, next: &AtomicU32, calls: u32, ledger: &Ledger) {
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= calls {
            return;
        }
        while want(http, url, n).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ledger.wanted(n);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(100..700))).await;
    }
}

/// Creates a service request and schedules its call. Returns `None` if this is not acknowledged; calling it again does
/// not schedule a second call.
async fn want(http: &reqwest::Client, url: &str, n: u32) -> Option<()> {
    let body = json!({"title": "Teeth", "userPhone": requester_phone(n),
                      "providers": [{"name": "Bright Dental", "phone": provider_phone(n)}]});
    let request = http.post(format!("{url}/api/v1/service-requests")).header("idempotency-key", format!("request-{n}"));
    let made: Value = request.json(&body).send().await.ok()?.json().await.ok()?;
    let id = made["data"]["id"].as_str()?;
    let shown: Value = http.get(format!("{url}/api/v1/service-requests/{id}")).send().await.ok()?.json().await.ok()?;
    let new_call = json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
    let answer = http.post(format!("{url}/api/v1/bookings/schedule-async")).json(&new_call).send().await.ok()?;
    // 409: an earlier attempt was accepted but its answer was lost, and its call has already ended.
    matches!(answer.status().as_u16(), 202 | 409).then_some(())
}
