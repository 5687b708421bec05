//! Sends status callbacks as Twilio does, with a pause between them.
//!
//! The status of a message changes even if it has no callback URL or the callbacks fail.

use std::sync::Arc;

use form_urlencoded::Serializer;
use nightshift_providers::twilio::MessageStatus;
use tokio::time::sleep;

use super::faults::{Fault, FaultRule};
use super::inbound::Arrival;
use super::ledger::{SentCallback, StoredMessage};
use super::twilio::FakeTwilio;
use super::webhook_post::post;

/// The status changes of a message, and when their callbacks are sent.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) before_answer: bool,
    posts: bool,
    steps: Vec<(MessageStatus, Option<u32>)>,
}

impl Plan {
    pub(super) fn of(rule: Option<&FaultRule>) -> Self {
        use MessageStatus::{Delivered, Failed, Sent, Undelivered};
        let (fault, code) = (rule.map(|rule| rule.fault), rule.and_then(|rule| rule.code));
        let steps = match fault {
            Some(Fault::CallbacksDoubled) => vec![(Sent, None), (Sent, None), (Delivered, None), (Delivered, None)],
            Some(Fault::CallbacksSwapped) => vec![(Delivered, None), (Sent, None)],
            Some(Fault::StaysQueued) => vec![],
            Some(Fault::Undelivered) => vec![(Sent, None), (Undelivered, Some(code.unwrap_or(30003)))],
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
    let target = message.status_callback.as_deref().filter(|_| plan.posts);
    for (status, error_code) in plan.steps {
        if !plan.before_answer {
            sleep(twilio.account.callback_delay).await;
        }
        let now = (twilio.account.now)();
        let moved_on = twilio.change(|ledger| {
            let stored = ledger.message_mut(&message.sid).filter(|stored| status.moves_on_from(stored.status));
            stored.is_some_and(|stored| {
                stored.status = status;
                stored.error_code = error_code;
                stored.sent_at.get_or_insert(now);
                true
            })
        });
        if moved_on && status == MessageStatus::Delivered {
            twilio.listeners.tell(&Arrival {
                from: message.from.clone(),
                to: message.to.clone(),
                body: message.body.clone(),
            });
        }
        if let Some(target) = target {
            let posted = post(twilio, &twilio.callback_slots, target, &form(twilio, message, status, error_code)).await;
            let (tries, http_status) = (posted.tries, posted.http_status);
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
