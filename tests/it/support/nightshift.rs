//! The whole program, started in this process on a database of its own, with a clock that the test moves.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nightshift::app::{self, Role, RunningApp};
use nightshift::config::{Settings, SmsProvider};
use nightshift_db::testing::{TestDb, migrated};
use nightshift_db::{Clock, Db, Engine, Timestamp};
use nightshift_lab::simulator::{
    Accounts, OpenPhoneAccount, OpenPhoneShape, OpenPhoneWebhook, Simulator, TwilioAccount, VapiAccount,
};
use nightshift_providers::openphone::signature::Key;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::probes::{PATIENCE, Probes, Time};
use super::{Answer, business};

/// Signs Stripe's webhooks.
pub const STRIPE_SECRET: &str = "whsec_test_secret";

/// Runs `test` on a program of its own.
pub async fn on(engine: Engine, test: impl AsyncFnOnce(Nightshift)) {
    on_with(engine, |_| {}, test).await;
}

/// As [`on`], with other settings.
pub async fn on_with(engine: Engine, configure: impl FnOnce(&mut Settings), test: impl AsyncFnOnce(Nightshift)) {
    test(Nightshift::start(migrated(engine).await, configure).await).await;
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub enum Caller {
    Nobody,
    Cookie(String),
    Key(String),
}

/// The running program and everything around it.
pub struct Nightshift {
    pub app: RunningApp,
    pub db: Db,
    pub clock: Clock,
    pub simulator: Simulator,
    pub http: reqwest::Client,
    /// The address of its database.
    pub url: String,
    probes: Probes,
    _database: TestDb,
}

/// A test asks the program what [`Probes`] ask.
impl Deref for Nightshift {
    type Target = Probes;

    fn deref(&self) -> &Probes {
        &self.probes
    }
}

impl Nightshift {
    async fn start(database: TestDb, configure: impl FnOnce(&mut Settings)) -> Self {
        nightshift_providers::tls::install();
        business::seed_into(&database.db).await;
        let clock = Clock::manual(business::start());
        let accounts = Accounts { twilio: fast_account(), openphone: openphone_account(&clock), ..Accounts::default() };
        let simulator = Simulator::start("127.0.0.1:0", accounts).await.expect("a simulator");
        let mut settings = settings_for(&database.url, &simulator);
        configure(&mut settings);
        let app = app::start(settings, clock.clone(), Role::ALL).await.expect("the program starts");
        let webhook = format!("{}/api/webhooks/sms", app.url());
        simulator.openphone().deliver_to(OpenPhoneWebhook { url: webhook, shape: OpenPhoneShape::default() });
        let http = reqwest::Client::builder().build().expect("an HTTP client");
        let (db, url) = (database.db.clone(), database.url.clone());
        let probes = Probes::new(db.clone(), Time::Manual(clock.clone()));
        Self { app, db, clock, simulator, http, url, probes, _database: database }
    }

    pub async fn send(&self, method: Method, path: &str, caller: &Caller, body: Option<Value>) -> Answer {
        self.send_with(method, path, caller, body, &[]).await
    }

    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        caller: &Caller,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.app.url()));
        request = match caller {
            Caller::Nobody => request,
            Caller::Cookie(cookie) => request.header("cookie", cookie),
            Caller::Key(key) => request.header("authorization", format!("Bearer {key}")),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::to(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Caller::Nobody, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &Caller::Nobody, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &Caller::Nobody, Some(body)).await
    }

    /// Signs somebody in.
    pub async fn sign_in(&self, email: &str) -> Caller {
        let answer =
            self.post("/api/auth/login", json!({"email": email, "password": business::PASSWORD})).await.expect(200);
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().unwrap_or_default();
        Caller::Cookie(cookie.to_owned())
    }

    /// Makes a key of the first organisation.
    pub async fn key(&self, scopes: &[nightshift_domain::access::api_keys::Scope]) -> Caller {
        use nightshift_domain::access::api_keys;
        let mut tx = self.db.begin().await.expect("a transaction");
        let scopes = scopes.iter().copied().collect();
        let issued = api_keys::create(&mut tx, Some(&"org-paws".into()), "test", &scopes, self.clock.now())
            .await
            .expect("a key");
        tx.commit().await.expect("the key is stored");
        Caller::Key(issued.text.expose_secret().to_owned())
    }

    /// Books [`business::booking`] and returns its id.
    pub async fn book(&self) -> String {
        self.book_as(business::booking()).await
    }

    pub async fn book_as(&self, booking: Value) -> String {
        let made = self.post("/api/bookings", booking).await.expect(201).json();
        made["booking"]["id"].as_str().expect("an id").to_owned()
    }

    /// Books `booking` and confirms it. Returns the path of the messages of its conversation, whose confirmation may still
    /// be under way.
    pub async fn conversation(&self, booking: Value) -> String {
        let id = self.book_as(booking).await;
        self.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        self.quiet().await;
        let thread = "SELECT id FROM message_threads WHERE booking_id = $1";
        let thread: String = self.db.read(thread).bind(&id).scalar().await.expect("its conversation");
        format!("/api/messages/threads/{thread}/messages")
    }

    /// Asks for an appointment by call, of a request with one provider.
    pub async fn ask_for_call(&self) {
        let body = json!({"title": "Teeth cleaning", "userPhone": "+14155550199",
                          "providers": [{"name": "Bright Dental", "phone": "+14155550177"}]});
        let made = self.post("/api/v1/service-requests", body).await.expect(201).json();
        let id = made["data"]["id"].as_str().expect("an id").to_owned();
        let shown = self.get(&format!("/api/v1/service-requests/{id}")).await.expect(200).json();
        let wish = json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
        self.post("/api/v1/bookings/schedule-async", wish).await.expect(202);
    }

    /// Delivers a Stripe event, signed with this clock's time.
    pub async fn stripe(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = nightshift_providers::stripe::signature::sign(
            &STRIPE_SECRET.into(),
            self.clock.now().unix_seconds(),
            body.as_bytes(),
        );
        self.stripe_raw(body, Some(&signature)).await
    }

    pub async fn stripe_raw(&self, body: impl Into<reqwest::Body>, signature: Option<&str>) -> Answer {
        let mut request = self
            .http
            .post(format!("{}/api/webhooks/stripe", self.app.url()))
            .header("content-type", "application/json")
            .body(body);
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        Answer::to(request).await
    }

    /// Lets the jobs of a queue wait until [`resume`](Self::resume).
    pub async fn pause(&self, queue: &str) {
        let mut tx = self.db.begin().await.unwrap();
        self.app.queue.pause(&mut tx, queue, "test", "so that jobs wait").await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn resume(&self, queue: &str) {
        let mut tx = self.db.begin().await.unwrap();
        self.app.queue.resume(&mut tx, queue).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until the sweep that is due by now has run.
    pub async fn swept(&self) {
        let day = self.clock.now().to_datetime() - chrono::TimeDelta::hours(4);
        let sql = "SELECT count(*) FROM jobs WHERE kind = 'retention.sweep' AND state = 'succeeded' AND once_key = $1";
        let key = format!("retention.sweep:{}", day.format("%Y-%m-%d"));
        let started = Instant::now();
        while self.db.read(sql).bind(&key).scalar::<i64>().await.expect("a count") == 0 {
            assert!(started.elapsed() < PATIENCE, "no sweep under {key}: {:#?}", self.unfinished().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.quiet().await;
    }

    /// Lets time pass from one job's time to the next, so that what is due within happens in its order. No step is as
    /// long as a lease.
    pub async fn pass(&self, duration: Duration) {
        let until = self.clock.now() + duration;
        let next = "SELECT min(run_at) FROM jobs WHERE state IN ('queued', 'retrying') AND run_at > $1";
        while self.clock.now() < until {
            let now = self.clock.now();
            let due: Option<Timestamp> = self.db.read(next).bind(now).scalar().await.expect("a time");
            let (soon, far) = (now + Duration::from_secs(1), now + Duration::from_secs(20));
            self.clock.set(due.unwrap_or(far).clamp(soon, far).min(until));
            self.quiet().await;
        }
    }
}

/// The built-in settings, pointed at a test's database and simulator, without authentication.
pub fn settings_for(database_url: &str, simulator: &Simulator) -> Settings {
    let account = fast_account();
    let mut settings = Settings::built_in().expect("the built-in settings");
    settings.http.port = 0;
    settings.http.rate_limit_per_minute = 1_000_000;
    settings.http.webhook_rate_limit_per_minute = 1_000_000;
    settings.database.url = database_url.into();
    settings.auth.enabled = false;
    settings.auth.session_secret = Some("a secret for tests that is long enough".into());
    settings.webhooks.validation = true;
    settings.webhooks.stripe_secrets = vec![STRIPE_SECRET.into()];
    settings.messaging.sms_provider = SmsProvider::Twilio;
    settings.twilio.account_sid = Some(account.account_sid);
    settings.twilio.auth_tokens = vec![account.auth_token];
    settings.twilio.base_url = simulator.base_url();
    // However slow the machine is. A test whose jobs wait sets a shorter time.
    settings.twilio.reply_wait = Duration::from_secs(20);
    settings.twilio.reply_take = Duration::from_secs(5);
    settings.openphone.api_key = Some(OpenPhoneAccount::default().api_key);
    settings.openphone.base_url = simulator.base_url();
    let keys = OpenPhoneAccount::default().webhook_secrets;
    settings.webhooks.openphone_secrets =
        keys.iter().map(|key| Key::read(key.expose_secret()).expect("a key")).collect();
    // An account to call with; calls are real only where a test says so.
    let vapi = VapiAccount::default();
    settings.vapi.api_key = Some(vapi.api_key);
    settings.vapi.assistant_id = Some(vapi.assistant_id);
    settings.vapi.phone_number_id = Some(vapi.phone_number_id);
    settings.vapi.base_url = simulator.base_url();
    settings.webhooks.vapi_secrets = vec!["vapi-test-secret".into()];
    settings
}

/// An account that reports at once.
pub fn fast_account() -> TwilioAccount {
    TwilioAccount { callback_delay: Duration::from_millis(1), ..TwilioAccount::default() }
}

/// An OpenPhone workspace that reports at once, has the test's clock, and accepts any number of requests: the test's clock
/// stands still while requests are made.
fn openphone_account(clock: &Clock) -> OpenPhoneAccount {
    let clock = clock.clone();
    OpenPhoneAccount {
        delivery_delay: Duration::from_millis(1),
        requests_per_second_max: usize::MAX,
        now: Arc::new(move || clock.now().to_datetime()),
        ..OpenPhoneAccount::default()
    }
}
