//! The state of the fake VAPI: the account, the placed calls and the scripts of the next calls.
//!
//! Placed calls are never removed, so a phone that rang twice has two entries.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::SubsecRound;
use nightshift_providers::{ClientError, Timeouts, http_client_with};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::vapi_account::VapiAccount;
use super::vapi_call::{CallScript, PlacedCall, appointment};

/// Number of requests of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VapiRequests {
    /// Requests to start a call, including rejected and failed ones.
    pub start: u64,
    /// Requests for one call.
    pub get: u64,
    /// Requests for a list of calls.
    pub list: u64,
    /// Requests of any kind with a wrong API key.
    pub unauthorized: u64,
}

#[derive(Default)]
struct State {
    calls: Vec<PlacedCall>,
    by_id: HashMap<String, usize>,
    scripts: Vec<CallScript>,
    requests: VapiRequests,
}

/// The state of the service, shared by its HTTP API and by tests in the same process.
pub struct FakeVapi {
    pub(super) account: VapiAccount,
    http: reqwest::Client,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl FakeVapi {
    pub(super) fn new(
        account: VapiAccount,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, ClientError> {
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };
        Ok(Arc::new(Self {
            account,
            http: http_client_with(timeouts)?,
            state: Mutex::default(),
            changes: watch::Sender::new(0),
            tasks,
            stop,
        }))
    }

    /// Adds a script for future calls. Scripts that were added earlier are used first.
    pub fn script(&self, script: CallScript) {
        self.change(|state| state.scripts.push(script));
    }

    /// Removes all scripts.
    pub fn clear_scripts(&self) {
        self.change(|state| state.scripts.clear());
    }

    /// Returns all placed calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<PlacedCall> {
        self.read(|state| state.calls.clone())
    }

    /// Returns the number of placed calls.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.read(|state| state.calls.len())
    }

    #[must_use]
    pub fn requests(&self) -> VapiRequests {
        self.read(|state| state.requests)
    }

    /// Waits until at least `calls` calls are placed. Returns `false` if they are not within `patience`.
    pub async fn wait_for_calls(&self, calls: usize, patience: Duration) -> bool {
        let mut changes = self.changes.subscribe();
        let waiting = changes.wait_for(|_| self.placed() >= calls);
        tokio::time::timeout(patience, waiting).await.is_ok_and(|seen| seen.is_ok())
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
        result
    }

    /// Counts a request and returns whether its API key is correct.
    pub(super) fn admit(&self, count: impl FnOnce(&mut VapiRequests), authorization: &[u8]) -> bool {
        let good = authorization == format!("Bearer {}", self.account.api_key.expose_secret()).as_bytes();
        self.change(|state| {
            count(&mut state.requests);
            if !good {
                state.requests.unauthorized += 1;
            }
        });
        good
    }

    /// Returns the script for a call to `number` and uses it once. Without a matching script, returns the default.
    pub(super) fn take_script(&self, number: &str) -> CallScript {
        self.change(|state| {
            let found =
                state.scripts.iter().position(|script| script.number.as_deref().is_none_or(|own| own == number));
            let Some(at) = found else { return CallScript::default() };
            let script = state.scripts[at].clone();
            match state.scripts[at].times {
                0 => {}
                1 => {
                    state.scripts.remove(at);
                }
                _ => state.scripts[at].times -= 1,
            }
            script
        })
    }

    /// Places a call, after which the phone counts as having rung.
    pub(super) fn place(
        self: &Arc<Self>,
        name: String,
        number: String,
        overrides: Value,
        script: CallScript,
    ) -> PlacedCall {
        // VAPI's times have millisecond precision.
        let created_at = (self.account.now)().trunc_subsecs(3);
        let (date, time) = appointment(&overrides, created_at);
        let call = PlacedCall {
            id: Uuid::new_v4().to_string(),
            name,
            number,
            overrides,
            created_at,
            date,
            time,
            polls: 0,
            hung_up: false,
            script,
        };
        self.change(|state| {
            state.by_id.insert(call.id.clone(), state.calls.len());
            state.calls.push(call.clone());
        });
        if let Some(after) = call.script.report_after_ms {
            let (vapi, id) = (self.clone(), call.id.clone());
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                stop.run_until_cancelled(vapi.hang_up(&id, Duration::from_millis(after))).await;
            });
        }
        call
    }

    /// Ends a call after `after`, and sends the status update and the end-of-call report to its server.
    async fn hang_up(&self, id: &str, after: Duration) {
        tokio::time::sleep(after).await;
        let ended = self.change(|state| {
            let at = *state.by_id.get(id)?;
            state.calls[at].hung_up = true;
            Some(state.calls[at].clone())
        });
        let Some(call) = ended else { return };
        let resource = call.resource(&self.account);
        let status = json!({"message": {"type": "status-update", "status": "ended", "call": resource,
                                        "endedReason": resource["endedReason"]}});
        let report = json!({"message": {"type": "end-of-call-report", "call": resource, "analysis": resource["analysis"],
                                        "artifact": resource["artifact"], "endedReason": resource["endedReason"]}});
        let mut reports = if call.script.reports_swapped { vec![report, status] } else { vec![status, report] };
        if call.script.reports_doubled {
            reports.extend(reports.clone());
        }
        for report in reports {
            self.send(&call.overrides["server"], &report).await;
        }
    }

    /// Sends a report to the call's server, at most six times with exponential backoff. The call's `backoffPlan` is not
    /// used.
    async fn send(&self, server: &Value, report: &Value) {
        let Some(url) = server["url"].as_str() else { return };
        for attempt in 0..6 {
            let mut request = self.http.post(url).json(report);
            for (name, value) in server["headers"].as_object().into_iter().flatten() {
                request = request.header(name, value.as_str().unwrap_or_default());
            }
            if server["credentialId"].is_string() {
                request = request.bearer_auth(self.account.credential_secret.expose_secret());
            }
            if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
        }
    }

    /// Counts a poll of a call and returns the call, or `Err` if its script makes this poll fail. Returns `None` if
    /// there is no such call.
    pub(super) fn look(&self, id: &str) -> Option<Result<PlacedCall, ()>> {
        self.change(|state| {
            let at = *state.by_id.get(id)?;
            let call = &mut state.calls[at];
            call.polls += 1;
            Some(if call.polls <= call.script.failing_polls { Err(()) } else { Ok(call.clone()) })
        })
    }

    /// Returns the newest calls that satisfy `wanted`, at most `limit`.
    pub(super) fn newest(&self, limit: usize, wanted: impl Fn(&PlacedCall) -> bool) -> Vec<PlacedCall> {
        self.read(|state| state.calls.iter().rev().filter(|call| wanted(call)).take(limit).cloned().collect())
    }
}

impl fmt::Debug for FakeVapi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeVapi").field("account", &self.account).finish_non_exhaustive()
    }
}
