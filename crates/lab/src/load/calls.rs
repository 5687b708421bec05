//! `nightshift load calls`: creates service requests, then schedules a call for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use axum::body::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::amount::Load;
use super::connection::Connection;
use super::report::Report;

struct Plan {
    load: Load,
    authorization: Option<SecretString>,
    /// Bodies of the measured requests. Each schedules the call of a different service request.
    new_calls: Vec<Bytes>,
    next: AtomicUsize,
    started: Instant,
}

/// Schedules calls at a rate. `token` is an API key, or `None` if the server needs none.
///
/// # Errors
/// An error if there is no rate, no server at the address, or the service requests can't be created.
pub async fn run(load: &Load, token: Option<&SecretString>) -> anyhow::Result<Value> {
    let Some(rate) = load.rate else { bail!("give a --rate: each call needs a request that is made beforehand") };
    let authorization = token.map(|key| format!("Bearer {}", key.expose_secret()).into());
    let count = usize::try_from(u64::from(rate) * load.seconds)?;
    let new_calls = make_requests(load, authorization.as_ref(), count).await?;
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&load.url).await?);
    }
    let plan = Arc::new(Plan {
        load: load.clone(),
        authorization,
        new_calls,
        next: AtomicUsize::new(0),
        started: Instant::now(),
    });
    let senders: Vec<_> =
        connections.into_iter().map(|connection| tokio::spawn(send(plan.clone(), connection))).collect();
    let mut all = Report::new();
    for sender in senders {
        all.add(&sender.await?);
    }
    let what = json!({"load": "calls", "connections": load.connections, "rate": rate});
    Ok(all.json(&what, plan.started.elapsed()))
}

fn headers(authorization: Option<&SecretString>) -> Vec<(&str, &str)> {
    authorization.map(|value| ("authorization", value.expose_secret())).into_iter().collect()
}

/// Creates `count` service requests from several connections. Returns the bodies that schedule their calls.
async fn make_requests(load: &Load, authorization: Option<&SecretString>, count: usize) -> anyhow::Result<Vec<Bytes>> {
    let next = Arc::new(AtomicUsize::new(0));
    let makers: Vec<_> = (0..load.connections.min(32))
        .map(|_| {
            let (next, url, authorization) = (next.clone(), load.url.clone(), authorization.cloned());
            tokio::spawn(async move {
                let mut connection = Connection::open(&url).await?;
                let mut new_calls = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return anyhow::Ok(new_calls);
                    }
                    new_calls.push(make_request(&mut connection, authorization.as_ref(), number).await?);
                }
            })
        })
        .collect();
    let mut new_calls = Vec::with_capacity(count);
    for maker in makers {
        new_calls.extend(maker.await??);
    }
    Ok(new_calls)
}

async fn make_request(
    connection: &mut Connection,
    authorization: Option<&SecretString>,
    number: usize,
) -> anyhow::Result<Bytes> {
    let body = json!({
        "title": "Made by nightshift load", "userPhone": format!("+1415{:07}", 1_000_000 + number % 9_000_000),
        "providers": [{"name": "Provider", "phone": format!("+1628{:07}", 1_000_000 + number % 9_000_000)}],
    });
    let headers = headers(authorization);
    let made = connection.post("/api/v1/service-requests", &headers, Bytes::from(body.to_string())).await?;
    if made.status != 201 {
        bail!("a request could not be made: HTTP {} {}", made.status, String::from_utf8_lossy(&made.body));
    }
    let made: Value = serde_json::from_slice(&made.body)?;
    let id = made["data"]["id"].as_str().context("the server tells no id")?;
    let shown = connection.get(&format!("/api/v1/service-requests/{id}"), &headers).await?;
    let shown: Value = serde_json::from_slice(&shown.body)?;
    let new_call = json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
    Ok(Bytes::from(new_call.to_string()))
}

async fn send(plan: Arc<Plan>, mut connection: Connection) -> Report {
    let mut report = Report::new();
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        let Some(new_call) = plan.new_calls.get(number) else { return report };
        let due = plan.started + plan.load.moment(u64::try_from(number).unwrap_or(u64::MAX)).unwrap_or_default();
        tokio::time::sleep_until(due).await;
        let headers = headers(plan.authorization.as_ref());
        match connection.post("/api/v1/bookings/schedule-async", &headers, new_call.clone()).await {
            Ok(answer) => report.answered(answer.status, due.elapsed()),
            Err(_) => report.failed(),
        }
    }
}
