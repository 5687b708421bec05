//! Posts a signed form as Twilio does, with the retries that the fragment of the URL asks for.
//!
//! The fragment is neither sent nor signed. Without one, only a failure to connect is tried again, once. All attempts
//! of one webhook share 15 s.

use std::time::Duration;

use nightshift_providers::twilio::signature;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::twilio::FakeTwilio;

/// Maximum time for all attempts of one webhook.
const BUDGET: Duration = Duration::from_secs(15);

/// Pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The result of a webhook.
#[derive(Debug, Default)]
pub(super) struct Posted {
    /// Number of attempts.
    pub(super) tries: u32,
    /// HTTP status of the answer to the last attempt. `None` if there was no answer.
    pub(super) http_status: Option<u16>,
    pub(super) media_type: Option<String>,
    pub(super) body: String,
}

/// Posts `form` to `address`, which may have a fragment with a retry policy. Each attempt takes one of the `slots`.
pub(super) async fn post(twilio: &FakeTwilio, slots: &Semaphore, address: &str, form: &str) -> Posted {
    let target = Target::parse(address);
    let signature = signature::sign_form(&twilio.account.auth_token, target.url, form.as_bytes());
    let token = Uuid::new_v4().to_string();
    let until = Instant::now() + BUDGET;
    let mut tries = 0;
    loop {
        let Ok(slot) = slots.acquire().await else { return Posted { tries, ..Posted::default() } };
        tries += 1;
        let request = twilio
            .http
            .post(target.url)
            .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
            .header(signature::HEADER, &signature)
            .header("i-twilio-idempotency-token", &token)
            .timeout(until.saturating_duration_since(Instant::now()))
            .body(form.to_owned());
        let result = whole(request).await;
        drop(slot);
        let (again, posted) = match result {
            Ok(posted) => (target.retries_on_status(posted.http_status), posted),
            Err(error) => (target.retries_on_error(&error), Posted::default()),
        };
        if !again || tries > target.retries || Instant::now() + RETRY_PAUSE >= until {
            return Posted { tries, ..posted };
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Sends the request and reads the whole answer.
async fn whole(request: reqwest::RequestBuilder) -> Result<Posted, reqwest::Error> {
    let answer = request.send().await?;
    let http_status = Some(answer.status().as_u16());
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Posted { tries: 0, http_status, media_type, body: answer.text().await? })
}

/// A URL and the retry policy in its fragment, such as `#rc=3&rp=ct,rt,5xx`.
struct Target<'a> {
    url: &'a str,
    retries: u32,
    policy: Vec<&'a str>,
}

impl<'a> Target<'a> {
    fn parse(address: &'a str) -> Self {
        let (url, fragment) = address.split_once('#').unwrap_or((address, ""));
        let mut target = Self { url, retries: 1, policy: vec!["ct"] };
        for item in fragment.split('&') {
            match item.split_once('=') {
                Some(("rc", count)) => target.retries = count.parse().map_or(1, |count: u32| count.min(5)),
                Some(("rp", policy)) => target.policy = policy.split(',').collect(),
                _ => {}
            }
        }
        target
    }

    fn retries_on_status(&self, http_status: Option<u16>) -> bool {
        match http_status {
            Some(400..500) => self.on("4xx"),
            Some(500..600) => self.on("5xx"),
            _ => false,
        }
    }

    fn retries_on_error(&self, error: &reqwest::Error) -> bool {
        self.on(if error.is_connect() { "ct" } else { "rt" })
    }

    fn on(&self, name: &str) -> bool {
        self.policy.contains(&name) || self.policy.contains(&"all")
    }
}
