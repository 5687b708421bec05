//! Sends status callbacks as Twilio does: signed form posts with a pause between them, retried as the fragment of the
//! callback URL says.
//!
//! The status of a message changes even if it has no callback URL or the callbacks fail.

use std::sync::Arc;
use std::time::Duration;

use form_urlencoded::Serializer;
use nightshift_providers::twilio::MessageStatus;
use nightshift_providers::twilio::signature;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::faults::Fault;
use super::ledger::{SentCallback, StoredMessage};
use super::twilio::FakeTwilio;

/// Maximum time for all attempts of one callback.
const BUDGET: Duration = Duration::from_secs(15);

/// Pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The status changes of a message, and when their callbacks are sent.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) before_answer: bool,
    posts: bool,
    steps: Vec<(MessageStatus, Option<u32>)>,
}

impl Plan {
    pub(super) fn of(fault: Option<Fault>) -> Self {
        use MessageStatus::{Delivered, Failed, Sent, Undelivered};
        let steps = match fault {
            Some(Fault::CallbacksDoubled) => vec![(Sent, None), (Sent, None), (Delivered, None), (Delivered, None)],
            Some(Fault::CallbacksSwapped) => vec![(Delivered, None), (Sent, None)],
            Some(Fault::StaysQueued) => vec![],
            Some(Fault::Undelivered) => vec![(Sent, None), (Undelivered, Some(30003))],
            Some(Fault::Failed) => vec![(Failed, Some(30007))],
            _ => vec![(Sent, None), (Delivered, None)],
        };
        Self {
            before_answer: fault == Some(Fault::CallbacksBeforeAnswer),
            posts: fault != Some(Fault::CallbacksNone),
            steps,
        }
    }
}

/// Sends the callbacks: before it returns if the plan says so, otherwise in a background task.
pub(super) async fn call_back(twilio: &Arc<FakeTwilio>, message: &StoredMessage, plan: Plan) {
    if plan.before_answer {
        send(twilio, message, plan).await;
    } else {
        let (twilio, message) = (twilio.clone(), message.clone());
        let stop = twilio.stop.clone();
        twilio.tasks.clone().spawn(async move {
            stop.run_until_cancelled(send(&twilio, &message, plan)).await;
        });
    }
}

/// Changes the status of the message step by step, and sends a callback for each step.
async fn send(twilio: &FakeTwilio, message: &StoredMessage, plan: Plan) {
    let target = message.status_callback.as_deref().filter(|_| plan.posts).map(Target::parse);
    for (status, error_code) in plan.steps {
        if !plan.before_answer {
            sleep(twilio.account.callback_delay).await;
        }
        let now = (twilio.account.now)();
        twilio.change(|ledger| {
            if let Some(stored) = ledger.message_mut(&message.sid)
                && status.moves_on_from(stored.status)
            {
                stored.status = status;
                stored.error_code = error_code;
                stored.sent_at.get_or_insert(now);
            }
        });
        if let Some(target) = &target {
            let (tries, http_status) = post(twilio, target, &form(twilio, message, status, error_code)).await;
            let callback = SentCallback { status, at: (twilio.account.now)(), tries, http_status };
            twilio.change(|ledger| {
                if let Some(stored) = ledger.message_mut(&message.sid) {
                    stored.callbacks.push(callback);
                }
            });
        }
    }
}

fn form(twilio: &FakeTwilio, message: &StoredMessage, status: MessageStatus, error_code: Option<u32>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("SmsSid", &message.sid)
        .append_pair("SmsStatus", status.as_str())
        .append_pair("MessageStatus", status.as_str())
        .append_pair("To", &message.to)
        .append_pair("MessageSid", &message.sid)
        .append_pair("AccountSid", &twilio.account.account_sid)
        .append_pair("From", &message.from)
        .append_pair("ApiVersion", "2010-04-01");
    if let Some(code) = error_code {
        form.append_pair("ErrorCode", &code.to_string());
    }
    form.finish()
}

/// Posts a callback, with retries. Returns the number of attempts and the HTTP status of the last answer.
async fn post(twilio: &FakeTwilio, target: &Target<'_>, body: &str) -> (u32, Option<u16>) {
    let signature = signature::sign_form(&twilio.account.auth_token, target.url, body.as_bytes());
    let token = Uuid::new_v4().to_string();
    let until = Instant::now() + BUDGET;
    let mut tries = 0;
    loop {
        let Ok(_slot) = twilio.callback_slots.acquire().await else { return (tries, None) };
        tries += 1;
        let request = twilio
            .http
            .post(target.url)
            .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
            .header(signature::HEADER, &signature)
            .header("i-twilio-idempotency-token", &token)
            .timeout(until.saturating_duration_since(Instant::now()))
            .body(body.to_owned());
        let result = request.send().await;
        let http_status = result.as_ref().ok().map(|answer| answer.status().as_u16());
        let again = tries <= target.retries && target.retries_on(&result) && Instant::now() + RETRY_PAUSE < until;
        if !again {
            return (tries, http_status);
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// A callback URL and the retry policy in its fragment, such as `#rc=3&rp=ct,rt,5xx`.
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

    fn retries_on(&self, result: &Result<reqwest::Response, reqwest::Error>) -> bool {
        let on = |name| self.policy.contains(&name) || self.policy.contains(&"all");
        match result {
            Ok(answer) => {
                (answer.status().is_client_error() && on("4xx")) || (answer.status().is_server_error() && on("5xx"))
            }
            Err(error) if error.is_connect() => on("ct"),
            Err(_) => on("rt"),
        }
    }
}
