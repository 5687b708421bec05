//! Settings: which source wins, what stops the start, and that every key is explained.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use std::fs;

use nightshift::config::{
    Environment, Finding, LogFormat, Settings, Severity, SmsProvider, Sources, check_names, session_secret,
};
use secrecy::ExposeSecret;

fn with(variables: &[(&str, &str)]) -> Sources {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { variables, folder: None }
}

fn refused(variables: &[(&str, &str)]) -> String {
    Settings::load(&with(variables)).unwrap_err().to_string()
}

fn refusals(variables: &[(&str, &str)]) -> String {
    Settings::load(&with(variables)).unwrap().refusals().join("\n")
}

#[test]
fn without_any_source_the_built_in_defaults_hold() {
    let settings = Settings::built_in().unwrap();
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.database.url.expose_secret(), "sqlite://data/nightshift.db");
    assert_eq!(settings.public_url(), "http://127.0.0.1:3000");
    assert_eq!(settings.messaging.sms_provider, SmsProvider::Mock);
    assert_eq!(settings.worker.concurrency["webhooks"], 16);
    assert!(settings.auth.enabled && !settings.webhooks.validation);
    assert_eq!(settings.refusals(), Vec::<String>::new());
}

#[test]
fn later_sources_win() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let mut sources = with(&[]);
    sources.folder = Some(folder.path().to_owned());
    let port = |sources: &Sources| Settings::load(sources).unwrap().http.port;

    write("config/default.toml", "[http]\nport = 3001");
    assert_eq!(port(&sources), 3001);
    write("config/development.toml", "[http]\nport = 3002");
    assert_eq!(port(&sources), 3002);
    write("mine.toml", "[http]\nport = 3003");
    sources.variables.insert("NIGHTSHIFT_CONFIG".to_owned(), "mine.toml".to_owned());
    assert_eq!(port(&sources), 3003);
    sources.variables.insert("PORT".to_owned(), "3004".to_owned());
    assert_eq!(port(&sources), 3004);
    sources.variables.insert("NIGHTSHIFT__HTTP__PORT".to_owned(), "3005".to_owned());
    assert_eq!(port(&sources), 3005);
    sources.variables.insert("NIGHTSHIFT__HTTP__PORT".to_owned(), String::new());
    assert_eq!(port(&sources), 3004, "an empty variable sets nothing");
}

#[test]
fn production_has_defaults_of_its_own_by_either_name() {
    for name in ["NIGHTSHIFT_ENV", "APP_ENV"] {
        let settings = Settings::load(&with(&[(name, "production")])).unwrap();
        assert_eq!(settings.environment, Environment::Production);
        assert!(settings.webhooks.validation);
        assert_eq!(settings.log.format, LogFormat::Json);
    }
    let message = refused(&[("NIGHTSHIFT_ENV", "development"), ("APP_ENV", "production")]);
    assert!(message.contains("disagree"), "{message}");
    assert_eq!(
        refused(&[("NIGHTSHIFT_ENV", "prod")]),
        "the environment variable NIGHTSHIFT_ENV can't be \"prod\"; allowed: development, production"
    );
}

#[test]
fn lists_come_from_commas_or_toml_lists() {
    let settings = Settings::load(&with(&[("STRIPE_WEBHOOK_SECRET", " whsec_new, ,whsec_old ")])).unwrap();
    let secrets: Vec<_> = settings.webhooks.stripe_secrets.iter().map(|secret| secret.expose_secret()).collect();
    assert_eq!(secrets, ["whsec_new", "whsec_old"]);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), "[worker]\nqueues = [\"sms\", \"webhooks\"]").unwrap();
    let mut sources = with(&[("NIGHTSHIFT_CONFIG", "own.toml")]);
    sources.folder = Some(folder.path().to_owned());
    assert_eq!(Settings::load(&sources).unwrap().worker.queues, ["sms", "webhooks"]);
}

#[test]
fn an_unknown_key_stops_the_start_and_names_what_is_known() {
    let message = refused(&[("NIGHTSHIFT__LOG__FORMATT", "json")]);
    assert_eq!(
        message,
        "unknown setting log.formatt in the environment variable NIGHTSHIFT__LOG__FORMATT; [log] has log.filter, log.format"
    );
    let message = refused(&[("NIGHTSHIFT__LOGS__FORMAT", "")]);
    assert!(message.contains("the sections are auth, calls, database, http, log"), "{message}");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), "[worker]\nconcurrency = 3").unwrap();
    let mut sources = with(&[("NIGHTSHIFT_CONFIG", "own.toml")]);
    sources.folder = Some(folder.path().to_owned());
    let message = Settings::load(&sources).unwrap_err().to_string();
    assert!(message.contains("unknown setting worker.concurrency in the file own.toml"), "{message}");
}

#[test]
fn an_unreadable_value_stops_the_start_and_names_what_is_allowed() {
    assert_eq!(
        refused(&[("PORT", "eighty")]),
        "the setting http.port can't be \"eighty\" (the environment variable PORT); allowed: a whole number from 0 to 65535"
    );
    for (name, value, allowed) in [
        ("ENABLE_AUTH", "maybe", "allowed: true, false"),
        ("SMS_PROVIDER", "pigeon", "allowed: mock, twilio"),
        ("LOG_FORMAT", "xml", "allowed: pretty, json"),
        ("RUST_LOG", "nightshift=loudly", "allowed: error, warn"),
        ("PUBLIC_URL", "example.com", "allowed: an address such as https://example.com"),
        // There is no country to read it in.
        ("ADMIN_TEST_PHONES", "(212) 555-0123", "allowed: international phone numbers such as +15551234567"),
        ("NIGHTSHIFT__WORKER__CONCURRENCY__SMS", "0", "allowed: a whole number from 1 to 10000"),
    ] {
        let message = refused(&[(name, value)]);
        assert!(message.contains(name) && message.contains(allowed), "{message}");
    }
}

#[test]
fn secrets_appear_in_no_message_and_no_debug_output() {
    let message = refused(&[("DATABASE_URL", "mysql://joe:hunter2@db/shop")]);
    assert!(message.contains("DATABASE_URL") && !message.contains("hunter2"), "{message}");
    let settings = Settings::load(&with(&[
        ("DATABASE_URL", "postgres://joe:hunter2@db/shop"),
        ("SESSION_SECRET", "hunter2"),
        ("STRIPE_WEBHOOK_SECRET", "hunter2"),
        ("TWILIO_AUTH_TOKEN", "hunter2"),
        ("OPENPHONE_API_KEY", "hunter2"),
        ("NIGHTSHIFT__HTTP__METRICS_TOKEN", "hunter2"),
    ]))
    .unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_broken_or_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), "[auth]\nsession_secret = \"hunter2").unwrap();
    let mut sources = with(&[("NIGHTSHIFT_CONFIG", "own.toml")]);
    sources.folder = Some(folder.path().to_owned());
    let message = Settings::load(&sources).unwrap_err().to_string();
    assert!(message.contains("own.toml") && message.contains("line 2"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    sources.variables.insert("NIGHTSHIFT_CONFIG".to_owned(), "none.toml".to_owned());
    assert!(Settings::load(&sources).unwrap_err().to_string().contains("none.toml"));
}

/// 32 hex digits.
const GOOD_SECRET: &str = "4f1c09ab77e2d35810b6c4a2f98e6d03";

/// What a good production sets.
const GOOD: &[(&str, &str)] = &[
    ("NIGHTSHIFT_ENV", "production"),
    ("SESSION_SECRET", GOOD_SECRET),
    ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
    ("PUBLIC_URL", "https://book.example"),
    ("SMS_PROVIDER", "twilio"),
    ("TWILIO_ACCOUNT_SID", "AC1"),
    ("TWILIO_AUTH_TOKEN", "token"),
];

/// A check, what makes it find something where all was well, and words of what it says. Most start from [`GOOD`]; those
/// whose first variable is NIGHTSHIFT_ENV=development start from nothing.
type Row = (&'static str, Severity, &'static [(&'static str, &'static str)], &'static [&'static str]);

const DEVELOPMENT: (&str, &str) = ("NIGHTSHIFT_ENV", "development");
const OPENSSL: &str = "openssl rand -hex 32";

const ROWS: &[Row] = &[
    ("session_secret_missing", Severity::Refusal, &[("SESSION_SECRET", "")], &["SESSION_SECRET", OPENSSL]),
    ("session_secret_weak", Severity::Refusal, &[("SESSION_SECRET", "x")], &["SESSION_SECRET", OPENSSL]),
    ("session_secret_weak", Severity::Refusal, &[("SESSION_SECRET", "4f1c09ab77e2d35810b6c4a2f98e6d0")], &["32"]),
    (
        "session_secret_weak",
        Severity::Refusal,
        &[("SESSION_SECRET", "    4f1c09ab77e2d35810b6c4a2f98e6d0 \n")],
        &["32"],
    ),
    (
        "session_secret_weak",
        Severity::Refusal,
        &[("SESSION_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
        &["8"],
    ),
    ("session_secret_weak", Severity::Refusal, &[("SESSION_SECRET", "secretsecretsecretsecretsecretsecret")], &["8"]),
    ("auth_off", Severity::Refusal, &[("ENABLE_AUTH", "false")], &["ENABLE_AUTH=false"]),
    (
        "development_listens",
        Severity::Refusal,
        &[DEVELOPMENT, ("HOST", "0.0.0.0")],
        &[
            "HOST=0.0.0.0",
            "unsigned webhooks",
            "NIGHTSHIFT_ENV=production",
            "NIGHTSHIFT__HTTP__ALLOW_OPEN_DEVELOPMENT=true",
        ],
    ),
    ("development_listens", Severity::Refusal, &[DEVELOPMENT, ("HOST", "::")], &["HOST=::"]),
    (
        "development_listens",
        Severity::Refusal,
        &[DEVELOPMENT, ("HOST", "shop.example"), ("ENABLE_AUTH", "false")],
        &["owner and ops"],
    ),
    (
        "development_public",
        Severity::Refusal,
        &[DEVELOPMENT, ("PUBLIC_URL", "https://book.example")],
        &["PUBLIC_URL=https://book.example", "NIGHTSHIFT__HTTP__ALLOW_OPEN_DEVELOPMENT=true"],
    ),
    (
        "validation_off",
        Severity::Refusal,
        &[("ENABLE_WEBHOOK_VALIDATION", "false")],
        &["ENABLE_WEBHOOK_VALIDATION=false", "NIGHTSHIFT__WEBHOOKS__ALLOW_UNVERIFIED=true"],
    ),
    (
        "stripe_secret_missing",
        Severity::Refusal,
        &[("STRIPE_WEBHOOK_SECRET", "")],
        &["STRIPE_WEBHOOK_SECRET is missing"],
    ),
    (
        "stripe_secret_missing",
        Severity::Refusal,
        &[DEVELOPMENT, ("ENABLE_WEBHOOK_VALIDATION", "true")],
        &["STRIPE_WEBHOOK_SECRET"],
    ),
    ("vapi_secret_missing", Severity::Refusal, &[("VAPI_API_KEY", "key")], &["VAPI_WEBHOOK_SECRET is missing"]),
    (
        "openphone_secret_missing",
        Severity::Refusal,
        &[("OPENPHONE_API_KEY", "key")],
        &["OPENPHONE_WEBHOOK_SECRET is missing"],
    ),
    (
        "twilio_incomplete",
        Severity::Refusal,
        &[DEVELOPMENT, ("SMS_PROVIDER", "twilio")],
        &["SMS_PROVIDER=twilio needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"],
    ),
    (
        "twilio_half_a_key",
        Severity::Refusal,
        &[DEVELOPMENT, ("TWILIO_API_KEY_SID", "SK0")],
        &["TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET belong together: set both or none"],
    ),
    (
        "twilio_unencrypted",
        Severity::Refusal,
        &[("TWILIO_BASE_URL", "http://twilio.example")],
        &["TWILIO_BASE_URL=http://twilio.example", "https"],
    ),
    ("twilio_unencrypted", Severity::Refusal, &[("TWILIO_BASE_URL", "http://127.0.0.1.example:80")], &["https"]),
    (
        "openphone_unencrypted",
        Severity::Refusal,
        &[("OPENPHONE_BASE_URL", "http://openphone.example")],
        &["OPENPHONE_BASE_URL=http://openphone.example", "https"],
    ),
    (
        "vapi_incomplete",
        Severity::Refusal,
        &[("LIVE_CALL_ENABLED", "true")],
        &["LIVE_CALL_ENABLED=true needs VAPI_API_KEY and VAPI_ASSISTANT_ID"],
    ),
    (
        "vapi_unencrypted",
        Severity::Refusal,
        &[("VAPI_BASE_URL", "http://10.0.0.7:4010")],
        &["VAPI_BASE_URL=http://10.0.0.7:4010"],
    ),
    (
        "development_open",
        Severity::Warning,
        &[DEVELOPMENT, ("HOST", "0.0.0.0"), ("NIGHTSHIFT__HTTP__ALLOW_OPEN_DEVELOPMENT", "true")],
        &["others can reach", "unsigned webhooks"],
    ),
    (
        "development_open",
        Severity::Warning,
        &[
            DEVELOPMENT,
            ("PUBLIC_URL", "https://book.example"),
            ("ENABLE_WEBHOOK_VALIDATION", "true"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
            ("ENABLE_AUTH", "false"),
        ],
        &["owner and ops"],
    ),
    ("public_url_missing", Severity::Warning, &[("PUBLIC_URL", "")], &["PUBLIC_URL is not set", "https"]),
    (
        "public_url_unencrypted",
        Severity::Warning,
        &[("PUBLIC_URL", "http://book.example")],
        &["PUBLIC_URL=http://book.example", "https"],
    ),
    ("sms_mock", Severity::Warning, &[("SMS_PROVIDER", "mock")], &["SMS_PROVIDER=mock", "twilio"]),
    ("sms_mock_development", Severity::Note, &[DEVELOPMENT], &["SMS_PROVIDER=mock"]),
    ("auth_off_development", Severity::Note, &[DEVELOPMENT, ("ENABLE_AUTH", "false")], &["ENABLE_AUTH=false"]),
    ("webhooks_unsigned", Severity::Note, &[DEVELOPMENT], &["ENABLE_WEBHOOK_VALIDATION=true"]),
    (
        "webhooks_unsigned",
        Severity::Note,
        &[("ENABLE_WEBHOOK_VALIDATION", "false"), ("NIGHTSHIFT__WEBHOOKS__ALLOW_UNVERIFIED", "true")],
        &["unsigned"],
    ),
];

fn findings(variables: &[(&str, &str)]) -> Vec<Finding> {
    let base = if variables.first() == Some(&DEVELOPMENT) { &[] } else { GOOD };
    Settings::load(&with(&[base, variables].concat())).unwrap().findings()
}

#[test]
fn every_check_finds_what_it_is_for_and_says_what_to_do() {
    assert_eq!(findings(&[]), []);
    for (check, severity, variables, words) in ROWS {
        let found = findings(variables);
        let finding = found.iter().find(|finding| finding.check == *check);
        let finding = finding.unwrap_or_else(|| panic!("{variables:?} passes {check}: {found:?}"));
        assert_eq!(finding.severity, *severity, "{check}");
        for word in *words {
            assert!(finding.sentence.contains(word), "{word} is missing: {}", finding.sentence);
        }
        assert!(!finding.sentence.contains(['\n', '\r']), "one line: {}", finding.sentence);
        // Nothing but what was broken is told, nor what a secret is.
        let worse = found.iter().filter(|finding| finding.severity == Severity::Refusal).count();
        assert!(worse <= 1, "{variables:?} is refused more than once: {found:?}");
        assert!(
            !found.iter().any(|finding| finding.sentence.contains(GOOD_SECRET) || finding.sentence.contains("whsec"))
        );
    }
    for name in check_names() {
        assert!(ROWS.iter().any(|(check, ..)| *check == name), "{name} is not tested");
    }
}

#[test]
fn what_is_safe_is_not_refused() {
    for variables in [
        &[("TWILIO_BASE_URL", "http://127.0.0.1:4010"), ("VAPI_BASE_URL", "http://localhost:4010")] as &[_],
        &[("HOST", "0.0.0.0")],
        &[("ENABLE_WEBHOOK_VALIDATION", "false"), ("NIGHTSHIFT__WEBHOOKS__ALLOW_UNVERIFIED", "true")],
        &[DEVELOPMENT],
        &[DEVELOPMENT, ("HOST", "localhost"), ("PUBLIC_URL", "http://localhost:3000"), ("SESSION_SECRET", "short")],
        &[DEVELOPMENT, ("HOST", "::1"), ("TWILIO_BASE_URL", "http://simulator:4010")],
        &[DEVELOPMENT, ("HOST", "0.0.0.0"), ("NIGHTSHIFT__HTTP__ALLOW_OPEN_DEVELOPMENT", "true")],
    ] {
        let base = if variables.first() == Some(&DEVELOPMENT) { &[] } else { GOOD };
        assert_eq!(refusals(&[base, variables].concat()), "", "{variables:?}");
    }
}

#[test]
fn a_secret_from_a_file_is_held_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), "[auth]\nsession_secret = \"x\"").unwrap();
    let mut sources = with(GOOD);
    sources.variables.remove("SESSION_SECRET");
    sources.variables.insert("NIGHTSHIFT_CONFIG".to_owned(), "own.toml".to_owned());
    sources.folder = Some(folder.path().to_owned());
    let refused = Settings::load(&sources).unwrap().refusals();
    assert!(refused.len() == 1 && refused[0].contains("SESSION_SECRET"), "{refused:?}");
}

#[test]
fn a_session_secret_is_made_once_and_kept_beside_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/deep/shop.db", folder.path().display());
    let settings = Settings::load(&with(&[("DATABASE_URL", &url)])).unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| session_secret(&settings).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().expose_secret().to_owned()).collect()
    });
    assert!(made.iter().all(|secret| *secret == made[0] && secret.len() == 64));
    let kept = fs::read_to_string(folder.path().join("deep/session-secret")).unwrap();
    assert_eq!(kept, made[0]);
    let given = Settings::load(&with(&[("DATABASE_URL", &url), ("SESSION_SECRET", "mine")])).unwrap();
    assert_eq!(session_secret(&given).unwrap().expose_secret(), "mine");
}

#[test]
fn every_setting_of_the_default_file_is_explained_by_a_comment() {
    let text = include_str!("../config/default.toml");
    let mut section = "";
    let mut explained = false;
    let mut keys = 0;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            explained |= comment.trim().len() > 10;
        } else if line.starts_with('[') {
            section = line;
            explained = false;
        } else if let Some((key, _)) = line.split_once('=') {
            assert!(explained, "{section} {} has no comment above it", key.trim());
            explained = false;
            keys += 1;
        }
    }
    assert!(keys > 25, "the test no longer understands the file");
}
