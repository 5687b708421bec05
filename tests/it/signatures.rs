//! The recorded signature vectors of every provider, delivered over HTTP with the clock at the vector's time, with and
//! without validation.

use std::collections::BTreeMap;

use nightshift::app::{self, Role};
use nightshift::config::{Settings, SmsProvider};
use nightshift_db::testing::{TestDb, each_engine, migrated};
use nightshift_db::{Clock, Db, Engine, Timestamp};
use nightshift_providers::openphone::signature::Key;
use nightshift_providers::twilio::signature::SharedKey;
use nightshift_providers::vapi;
use serde::Deserialize;

use crate::support::Answer;

each_engine! {
    stripes_vectors_are_judged_over_http_as_stripe_does,
    openphones_vectors_are_judged_over_http_as_openphone_does,
    vectors_of_standard_webhooks_are_judged_over_http_as_openphones,
    twilios_vectors_are_judged_over_http_as_twilio_does,
    vapis_documented_proofs_are_judged_over_http,
}

/// The time of vectors that have none.
const NOW: i64 = 1_790_252_766;

/// A delivery and the verdict that its provider's own library gives.
#[derive(Deserialize)]
struct Case {
    name: String,
    expect: String,
    #[serde(default = "now")]
    now: i64,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    url: String,
    #[serde(default)]
    auth_token: String,
    #[serde(default)]
    kind: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn now() -> i64 {
    NOW
}

impl Case {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn is_valid(&self) -> bool {
        self.expect == "valid"
    }

    /// Whether none of these headers has a value.
    fn lacks(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.header(name).unwrap_or_default().is_empty())
    }

    /// What a receiver must be configured with to judge the case. Cases with the same share a program.
    fn needs(&self) -> (Vec<String>, String, String, Option<String>) {
        (self.secrets.clone(), self.url.clone(), self.auth_token.clone(), self.shared_key())
    }

    fn shared_key(&self) -> Option<String> {
        let settings = self.header("X-Twilio-Webhooks-Signature-Settings")?;
        settings.split(',').find_map(|item| item.strip_prefix("key=")).map(str::to_owned)
    }
}

fn vectors(name: &str) -> Vec<Case> {
    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }
    let path = format!("{}/crates/providers/tests/data/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice::<Vectors>(&std::fs::read(path).unwrap()).unwrap().cases
}

/// How the cases of one provider are delivered.
struct Provider {
    /// Configures a receiver for a case.
    configure: fn(&mut Settings, &Case),
    /// Where a case is delivered.
    path: fn(&Case) -> &'static str,
    /// The headers that carry a signature.
    signatures: &'static [&'static str],
}

/// Deliveries that were stored, those of them that were unverified, and refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Totals {
    stored: i64,
    unverified: i64,
    refused: i64,
}

async fn totals(db: &Db) -> Totals {
    let count = async |sql: &'static str| db.read(sql).scalar::<i64>().await.unwrap();
    let entries = "SELECT count(*) FROM event_log WHERE event_type = 'webhook.unverified'";
    let refused = "SELECT count(*) FROM event_log WHERE event_type = 'webhook.validation.failed'";
    Totals {
        stored: count("SELECT CAST(coalesce(sum(deliveries), 0) AS bigint) FROM webhook_inbox").await,
        unverified: count(entries).await,
        refused: count(refused).await,
    }
}

/// Delivers the cases to programs with and without validation.
async fn judge(engine: Engine, cases: Vec<Case>, provider: Provider) {
    let database = migrated(engine).await;
    let mut groups: BTreeMap<_, Vec<Case>> = BTreeMap::new();
    for case in cases {
        groups.entry((case.needs(), case.now)).or_default().push(case);
    }
    for ((_, now), cases) in &groups {
        for validation in [true, false] {
            deliver(&database, cases, *now, validation, &provider).await;
        }
    }
}

async fn deliver(database: &TestDb, cases: &[Case], now: i64, validation: bool, provider: &Provider) {
    nightshift_providers::tls::install();
    let mut settings = Settings::built_in().unwrap();
    settings.http.port = 0;
    settings.http.allow_open_development = true;
    settings.http.webhook_rate_limit_per_minute = 1_000_000;
    settings.database.url = database.url.as_str().into();
    settings.database.connections_max = 4;
    settings.auth.session_secret = Some("a secret for tests that is long enough".into());
    settings.webhooks.validation = validation;
    // Validation without a secret of Stripe does not start; no case of another provider is signed with it.
    settings.webhooks.stripe_secrets = vec!["whsec_of_no_case".into()];
    settings.messaging.sms_provider = SmsProvider::Mock;
    (provider.configure)(&mut settings, &cases[0]);
    let clock = Clock::manual(Timestamp::from_unix_ms(now * 1000));
    let app = app::start(settings, clock, &[Role::Web]).await.unwrap();
    let http = reqwest::Client::new();
    for case in cases {
        let before = totals(&database.db).await;
        let mut request = http.post(format!("{}{}", app.url(), (provider.path)(case))).body(case.body.clone());
        for (name, value) in &case.headers {
            // The receivers of forms take no other type; a JSON body is judged before it is read.
            if !(name.eq_ignore_ascii_case("content-type") && case.kind == "json") {
                request = request.header(name, value);
            }
        }
        let answer = Answer::to(request).await;
        let after = totals(&database.db).await;
        let (unsigned, name) = (case.lacks(provider.signatures), &case.name);
        let expected = match (case.is_valid(), validation, unsigned) {
            (true, _, _) => (200, Totals { stored: before.stored + 1, ..before }),
            (false, true, _) => (401, Totals { refused: before.refused + 1, ..before }),
            (false, false, true) => {
                (200, Totals { stored: before.stored + 1, unverified: before.unverified + 1, ..before })
            }
            (false, false, false) => (400, Totals { refused: before.refused + 1, ..before }),
        };
        assert_eq!((answer.status, after), expected, "{name}, validation {validation}: {}", answer.text);
        if answer.status >= 400 {
            assert_eq!(answer.code(), "bad_signature", "{name}: {}", answer.text);
        }
    }
    app.stop(std::time::Duration::from_secs(1)).await;
}

async fn stripes_vectors_are_judged_over_http_as_stripe_does(engine: Engine) {
    let stripe = Provider {
        configure: |settings, case| {
            settings.webhooks.stripe_secrets = case.secrets.iter().map(|secret| secret.as_str().into()).collect();
        },
        path: |_| "/api/webhooks/stripe",
        signatures: &["stripe-signature"],
    };
    judge(engine, vectors("stripe.json"), stripe).await;
}

fn openphone() -> Provider {
    Provider {
        configure: |settings, case| {
            settings.webhooks.openphone_secrets =
                case.secrets.iter().map(|secret| Key::read(secret).unwrap()).collect();
        },
        path: |_| "/api/webhooks/sms",
        signatures: &["webhook-signature", "openphone-signature"],
    }
}

async fn openphones_vectors_are_judged_over_http_as_openphone_does(engine: Engine) {
    judge(engine, vectors("openphone.json"), openphone()).await;
}

async fn vectors_of_standard_webhooks_are_judged_over_http_as_openphones(engine: Engine) {
    judge(engine, vectors("standard-webhooks.json"), openphone()).await;
}

async fn twilios_vectors_are_judged_over_http_as_twilio_does(engine: Engine) {
    let twilio = Provider {
        configure: |settings, case| {
            // The vectors are signed for paths of their own. A fragment is not signed, so the path of our route is.
            settings.http.public_url = Some(format!("{}#", case.url));
            match case.shared_key() {
                Some(name) => {
                    let secret = case.auth_token.as_str().into();
                    settings.twilio.shared_keys = vec![SharedKey { name, secret }];
                }
                None => settings.twilio.auth_tokens = vec![case.auth_token.as_str().into()],
            }
        },
        path: |case| {
            let has = |name: &str| {
                form_urlencoded::parse(case.body.as_bytes()).any(|(given, value)| given == name && !value.is_empty())
            };
            let is_text = ["MessageSid", "From", "To", "Body"].into_iter().all(has);
            if is_text { "/api/twilio/inbound" } else { "/api/twilio/status" }
        },
        signatures: &["x-twilio-signature"],
    };
    judge(engine, vectors("twilio.json"), twilio).await;
}

/// VAPI publishes no vectors, so these follow its documentation.
async fn vapis_documented_proofs_are_judged_over_http(engine: Engine) {
    let body = r#"{"message": {"type": "status-update", "status": "ringing", "call": {"id": "call-1"}}}"#;
    let hmac = |at: i64, secret: &str| vapi::signature::sign(&secret.into(), at, body.as_bytes());
    let signed = |at: i64, signature: String| {
        vec![("x-signature".to_owned(), signature), ("x-timestamp".to_owned(), at.to_string())]
    };
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let cases = [
        ("secret", true, one("x-vapi-secret", "new")),
        ("older secret", true, one("x-vapi-secret", "old")),
        ("bearer", true, one("authorization", "Bearer new")),
        ("signed", true, signed(NOW, hmac(NOW, "new"))),
        ("signed in milliseconds", true, signed(NOW * 1000, hmac(NOW * 1000, "old"))),
        ("signed 300 s ago", true, signed(NOW - 300, hmac(NOW - 300, "new"))),
        ("wrong secret", false, one("x-vapi-secret", "guessed")),
        ("wrong bearer", false, one("authorization", "Bearer guessed")),
        ("signed with another secret", false, signed(NOW, hmac(NOW, "guessed"))),
        ("signed 301 s ago", false, signed(NOW - 301, hmac(NOW - 301, "new"))),
        ("another time", false, signed(NOW - 1, hmac(NOW, "new"))),
        ("no time", false, one("x-signature", &hmac(NOW, "new"))),
        ("no proof", false, Vec::new()),
    ];
    let case = |(name, valid, headers): (&str, bool, Vec<(String, String)>)| Case {
        name: name.to_owned(),
        expect: if valid { "valid" } else { "invalid" }.to_owned(),
        now: NOW,
        secrets: vec!["new".to_owned(), "old".to_owned()],
        url: String::new(),
        auth_token: String::new(),
        kind: String::new(),
        headers: headers.into_iter().collect(),
        body: body.to_owned(),
    };
    let vapi = Provider {
        configure: |settings, case| {
            settings.webhooks.vapi_secrets = case.secrets.iter().map(|secret| secret.as_str().into()).collect();
        },
        path: |_| "/api/webhooks/vapi",
        signatures: &["x-signature", "x-vapi-secret", "authorization"],
    };
    judge(engine, cases.into_iter().map(case).collect(), vapi).await;
}
