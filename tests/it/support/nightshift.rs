//! The whole program, started in this process on a database of its own, with a clock that the test moves.

use std::time::{Duration, Instant};

use nightshift::app::{self, Role, RunningApp};
use nightshift::config::{Settings, SmsProvider};
use nightshift_db::testing::{TestDb, engines};
use nightshift_db::{Clock, Db, FromRow, Timestamp};
use nightshift_lab::simulator::{Accounts, Simulator, TwilioAccount, VapiAccount};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, business};

/// Signs Stripe's webhooks.
pub const STRIPE_SECRET: &str = "whsec_test_secret";
/// Longer than anything takes, on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs `test` on a program of its own on each engine.
pub async fn on_both(test: impl AsyncFn(Nightshift)) {
    on_both_with(|_| {}, test).await;
}

/// As [`on_both`], with other settings.
pub async fn on_both_with(configure: impl Fn(&mut Settings), test: impl AsyncFn(Nightshift)) {
    for database in engines().await {
        test(Nightshift::start(database, &configure).await).await;
    }
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
    _database: TestDb,
}

impl Nightshift {
    async fn start(database: TestDb, configure: &impl Fn(&mut Settings)) -> Self {
        nightshift_providers::tls::install();
        business::seed_into(&database.db).await;
        let simulator = Simulator::start("127.0.0.1:0", Accounts { twilio: fast_account(), ..Accounts::default() })
            .await
            .expect("a simulator");
        let mut settings = settings_for(&database.url, &simulator);
        configure(&mut settings);
        let clock = Clock::manual(business::start());
        let app = app::start(settings, clock.clone(), Role::ALL).await.expect("the program starts");
        let http = reqwest::Client::builder().build().expect("an HTTP client");
        Self { app, db: database.db.clone(), clock, simulator, http, url: database.url.clone(), _database: database }
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
        use secrecy::ExposeSecret;
        let mut tx = self.db.begin().await.expect("a transaction");
        let scopes = scopes.iter().copied().collect();
        let issued = api_keys::create(&mut tx, Some(&"org-paws".into()), "test", &scopes, self.clock.now())
            .await
            .expect("a key");
        tx.commit().await.expect("the key is stored");
        Caller::Key(issued.text.expose_secret().to_owned())
    }

    /// Books the acceptance cases' booking; its id.
    pub async fn book(&self) -> String {
        self.book_as(business::booking()).await
    }

    pub async fn book_as(&self, booking: Value) -> String {
        let made = self.post("/api/bookings", booking).await.expect(201).json();
        made["booking"]["id"].as_str().expect("an id").to_owned()
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

    /// All rows of a statement.
    pub async fn rows<T: FromRow>(&self, sql: &'static str) -> Vec<T> {
        self.db.read(sql).all().await.expect("rows")
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.db.read(sql).scalar().await.expect("a count")
    }

    /// Waits until `sql`, which counts, gives `wanted`, moving the clock meanwhile so that waits pass.
    pub async fn until(&self, sql: &'static str, wanted: i64) {
        self.until_moving(sql, wanted, Duration::from_millis(500)).await;
    }

    /// As [`until`](Self::until), but the clock stands: what must come about needs no wait to pass.
    pub async fn until_with_the_clock_standing(&self, sql: &'static str, wanted: i64) {
        self.until_moving(sql, wanted, Duration::ZERO).await;
    }

    async fn until_moving(&self, sql: &'static str, wanted: i64, step: Duration) {
        let running = "SELECT count(*) FROM jobs WHERE state = 'running'";
        let (started, mut moved) = (Instant::now(), Instant::now());
        let mut last = -1;
        while started.elapsed() < PATIENCE {
            last = self.count(sql).await;
            if last == wanted {
                return;
            }
            // While a job runs the clock stands, or a slow machine would make it late for its lease. One that waits for
            // the clock itself is helped along.
            if self.count(running).await == 0 || moved.elapsed() > Duration::from_millis(200) {
                self.clock.advance(step);
                moved = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let jobs: Vec<(String, String, Option<String>, Timestamp)> =
            self.rows("SELECT kind, state, last_error, run_at FROM jobs ORDER BY id").await;
        panic!("{sql} gives {last}, not {wanted}; at {} the jobs are {jobs:#?}", self.clock.now());
    }

    /// As [`until`](Self::until), but moves the clock to whatever is due next, however far that is.
    pub async fn skip_waits_until(&self, sql: &'static str, wanted: i64) {
        for _ in 0..200 {
            self.quiet().await;
            if self.count(sql).await == wanted {
                return;
            }
            let next = "SELECT min(run_at) FROM jobs WHERE state IN ('queued', 'retrying')";
            let next: Option<Timestamp> = self.db.read(next).scalar().await.expect("a time");
            self.clock.set(next.expect("nothing is due any more, and it did not come about").max(self.clock.now()));
        }
        panic!("{sql} gives {}, not {wanted}: {:#?}", self.count(sql).await, self.unfinished().await);
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

    /// Waits until no job is due any more; those that wait for a later time stay.
    pub async fn quiet(&self) {
        let sql =
            "SELECT count(*) FROM jobs WHERE state = 'running' OR (state IN ('queued', 'retrying') AND run_at <= $1)";
        let started = Instant::now();
        let mut quiet = 0;
        while quiet < 3 {
            assert!(started.elapsed() < PATIENCE, "jobs still run: {:#?}", self.unfinished().await);
            let due: i64 = self.db.read(sql).bind(self.clock.now()).scalar().await.expect("a count");
            quiet = if due == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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

    async fn unfinished(&self) -> Vec<(String, String, Option<String>)> {
        self.rows("SELECT kind, state, last_error FROM jobs WHERE finished_at IS NULL ORDER BY id").await
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
