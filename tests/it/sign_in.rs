//! Signing in while others guess: how many guesses are tried, who has to wait, and what a burst costs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::process::World;
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    guesses_in_parallel_are_counted_before_they_are_tried,
    over_the_limit_one_guess_a_minute_is_let_through_and_the_owner_gets_in,
    an_address_may_fail_twenty_times_at_whatever_accounts,
    a_device_that_signed_in_before_is_not_kept_out_by_others,
    #[cfg(target_os = "linux")]
    an_account_is_limited_by_network,
    a_failed_sign_in_is_on_record_by_keyed_hashes,
    the_page_says_how_long_to_wait,
    whatever_is_wrong_with_an_account_the_answer_is_the_same,
    a_sign_in_that_is_too_large_is_refused_unread,
    counters_of_guesses_are_removed_when_their_time_is_over,
    #[cfg(target_os = "linux")]
    a_burst_of_sign_ins_is_turned_away_instead_of_eating_the_memory,
    nothing_of_a_sign_in_is_kept_for_an_idempotency_key,
}

const WRONG: &str = "wrong guess";
const MINUTE: Duration = Duration::from_secs(60);

fn with_auth(settings: &mut Settings) {
    settings.auth.enabled = true;
}

async fn login(nightshift: &Nightshift, email: &str, password: &str) -> Answer {
    nightshift.post("/api/auth/login", json!({"email": email, "password": password})).await
}

async fn login_by(nightshift: &Nightshift, device: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    nightshift.send(Method::POST, "/api/auth/login", &Caller::Cookie(device.to_owned()), Some(body)).await
}

/// Signs in at `url` from an address of this machine.
async fn login_from(address: Ipv4Addr, url: &str, email: &str, password: &str) -> Answer {
    let client = reqwest::Client::builder().local_address(IpAddr::V4(address)).build().unwrap();
    let body = json!({"email": email, "password": password}).to_string();
    let request = client.post(format!("{url}/api/auth/login")).header("content-type", "application/json").body(body);
    Answer::to(request).await
}

async fn page(nightshift: &Nightshift, email: &str, password: &str) -> Answer {
    let fields = [("email", email), ("password", password)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client
        .post(format!("{}/login", nightshift.app.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    Answer::to(request).await
}

/// The seconds that a refusal asks to wait.
fn wait_of(answer: &Answer) -> u64 {
    answer.header("retry-after").expect("a time to wait").parse().expect("whole seconds")
}

/// The cookie that makes a device known.
fn device_of(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").into_iter().map(|value| value.to_str().unwrap());
    let device = cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("device_"));
    device.expect("a device's cookie").to_owned()
}

async fn guesses_in_parallel_are_counted_before_they_are_tried(engine: Engine) {
    let mut world = World::on(engine).await;
    world.set("ENABLE_AUTH", "true");
    // Two web processes share the database.
    let processes = [(); 2].map(|()| world.serve_with(&["--role", "web"], &[("PORT", "0")]));
    let client = reqwest::Client::new();
    let guess = async |number: usize| {
        let body = json!({"email": business::OWNER, "password": format!("{WRONG} {number}")}).to_string();
        let path = if number.is_multiple_of(3) { "/login" } else { "/api/auth/login" };
        let request = client.post(format!("{}{path}", processes[number % 2].url)).body(body);
        Answer::to(request.header("content-type", "application/json")).await
    };
    let answers = futures_util::future::join_all((0..100).map(guess)).await;
    let mut tried = answers.iter().filter(|answer| answer.status == 401).count();
    for answer in answers.iter().filter(|answer| answer.status != 401) {
        // 503: so many at a time may find no connection to the database; it was not tried either.
        assert!(matches!(answer.status, 429 | 503), "{}: {}", answer.status, answer.text);
        assert!((1..=60).contains(&wait_of(answer)), "{answer:?}");
    }
    // Some may have found no room to be hashed; they were not counted.
    while guess(tried).await.status == 401 {
        tried += 1;
    }
    assert_eq!(tried, 5);
    assert_eq!(world.events("auth.failed").count().await, 5, "one entry for each guess that was tried");
}

async fn over_the_limit_one_guess_a_minute_is_let_through_and_the_owner_gets_in(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for _ in 0..5 {
            login(&nightshift, business::OWNER, WRONG).await.expect(401);
        }
        // The right password as well: whether it is right is not looked at.
        let refused = login(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        assert_eq!((refused.code().as_str(), wait_of(&refused)), ("rate_limited", 60));
        nightshift.clock.advance(MINUTE);
        login(&nightshift, business::OWNER, WRONG).await.expect(401);
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        nightshift.clock.advance(MINUTE);
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(200);
        // What was right is no guess, and the others are forgotten in the end.
        nightshift.clock.advance(15 * MINUTE);
        for _ in 0..5 {
            login(&nightshift, business::OWNER, business::PASSWORD).await.expect(200);
            login(&nightshift, business::OWNER, WRONG).await.expect(401);
        }
        login(&nightshift, business::OWNER, WRONG).await.expect(429);
    })
    .await;
}

async fn an_address_may_fail_twenty_times_at_whatever_accounts(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for number in 0..20 {
            login(&nightshift, &format!("nobody-{number}@paws.test"), WRONG).await.expect(401);
        }
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        nightshift.clock.advance(MINUTE);
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(200);
    })
    .await;
}

async fn a_device_that_signed_in_before_is_not_kept_out_by_others(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let device = device_of(&login(&nightshift, business::OWNER, business::PASSWORD).await.expect(200));
        for _ in 0..5 {
            login(&nightshift, business::OWNER, WRONG).await.expect(401);
        }
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        login_by(&nightshift, &device, business::OWNER, business::PASSWORD).await.expect(200);
        // It opens nothing by itself, and nothing for another account.
        nightshift.send(Method::GET, "/api/auth/me", &Caller::Cookie(device.clone()), None).await.expect(401);
        let other = device.replace(device.split('=').next().unwrap(), "device_0000000000000000");
        login_by(&nightshift, &other, business::OWNER, business::PASSWORD).await.expect(429);
        // Stolen, it is no way around the limit.
        for _ in 0..10 {
            login_by(&nightshift, &device, business::OWNER, WRONG).await.expect(401);
        }
        login_by(&nightshift, &device, business::OWNER, WRONG).await.expect(429);
        nightshift.clock.advance(MINUTE);
        login_by(&nightshift, &device, business::OWNER, business::PASSWORD).await.expect(200);
    })
    .await;
}

#[cfg(target_os = "linux")]
async fn an_account_is_limited_by_network(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let url = nightshift.app.url();
        let from = async |last: [u8; 2], password| {
            let address = Ipv4Addr::new(127, 0, last[0], last[1]);
            login_from(address, &url, business::OWNER, password).await.status
        };
        for host in 1..=5 {
            assert_eq!(from([7, host], WRONG).await, 401);
        }
        assert_eq!(from([7, 77], business::PASSWORD).await, 429);
        assert_eq!(from([8, 1], business::PASSWORD).await, 200);
    })
    .await;
}

async fn a_failed_sign_in_is_on_record_by_keyed_hashes(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for email in [business::OWNER, "Owner@Paws.test ", business::SITTER] {
            login(&nightshift, email, WRONG).await.expect(401);
        }
        let entries = nightshift.events("auth.failed").all().await;
        let entries: Vec<Value> = entries.into_iter().map(|event| event.metadata.0).collect();
        assert_eq!(entries.len(), 3);
        assert!(entries[0]["account"] == entries[1]["account"] && entries[1]["account"] != entries[2]["account"]);
        assert_eq!(entries[0]["network"], entries[2]["network"]);
        let guesses: Vec<_> = entries.iter().map(|entry| entry["guesses"].as_i64().unwrap()).collect();
        assert_eq!(guesses, [1, 2, 1]);
        let counters = nightshift.sign_in_counters().all().await;
        let kept: Vec<_> = counters.iter().map(|counter| &counter.key).collect();
        let written = format!("{entries:?} {kept:?}");
        let plain = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(business::OWNER));
        for name in [business::OWNER, "127.0.0", plain.as_str()] {
            assert!(!written.contains(name), "{name} is in {written}");
        }
    })
    .await;
}

async fn the_page_says_how_long_to_wait(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for _ in 0..5 {
            page(&nightshift, business::OWNER, WRONG).await.expect(401);
        }
        let refused = page(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        assert!(refused.text.contains("Too many attempts. Try again in 1 minute."), "{}", refused.text);
        assert_eq!(wait_of(&refused), 60);
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(429);
        nightshift.clock.advance(MINUTE);
        let signed_in = page(&nightshift, business::OWNER, business::PASSWORD).await.expect(303);
        login_by(&nightshift, &device_of(&signed_in), business::OWNER, business::PASSWORD).await.expect(200);
    })
    .await;
}

async fn whatever_is_wrong_with_an_account_the_answer_is_the_same(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let mut tx = nightshift.db.begin().await.unwrap();
        tx.query("UPDATE users SET active = FALSE WHERE id = 'user-sam'").execute().await.unwrap();
        tx.query("UPDATE users SET password_hash = NULL WHERE id = 'user-ops'").execute().await.unwrap();
        tx.commit().await.unwrap();
        let long = "long".repeat(1000);
        for (email, password) in [
            ("nobody@paws.test", business::PASSWORD),
            (business::SITTER, business::PASSWORD),
            (business::OPS, business::PASSWORD),
            (business::OWNER, ""),
            (business::STRANGER, &long),
        ] {
            let answer = login(&nightshift, email, password).await.expect(401).json();
            assert_eq!(answer["code"], "bad_credentials");
            assert_eq!(answer["error"], "Wrong email or password.");
        }
        assert_eq!(nightshift.sign_in_counters().of_accounts().count().await, 5, "each was counted");
    })
    .await;
}

/// PostgreSQL is made to refuse the transaction that starts the session, as it refuses one that met another: a few times,
/// then always. SQLite has no such refusal on demand.
#[tokio::test]
async fn a_sign_in_whose_transaction_met_another_is_one_guess_that_is_taken_back() {
    on_with(Engine::Postgres, with_auth, async |nightshift| {
        for sql in [
            "CREATE SEQUENCE refused",
            "CREATE SEQUENCE counted",
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF nextval('refused') <> 3 THEN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END IF;
               RETURN NEW; END $$",
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM nextval('counted'); RETURN NEW; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
            "CREATE TRIGGER note BEFORE INSERT ON sign_in_guesses FOR EACH ROW EXECUTE FUNCTION note()",
        ] {
            nightshift.given(sql).await;
        }
        // A guess is counted for the account and for the address, and then its password is looked at.
        let guesses = async || nightshift.count("SELECT last_value FROM counted").await / 2;
        let kept = async || {
            let counters = nightshift.sign_in_counters().all().await;
            counters.iter().map(|counter| counter.guesses).sum::<i64>()
        };
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(200);
        assert_eq!((guesses().await, kept().await), (1, 0));
        login(&nightshift, business::OWNER, business::PASSWORD).await.expect(503);
        assert_eq!((guesses().await, kept().await), (2, 0));
        page(&nightshift, business::OWNER, business::PASSWORD).await.expect(503);
        assert_eq!((guesses().await, kept().await), (3, 0));
    })
    .await;
}

async fn a_sign_in_that_is_too_large_is_refused_unread(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let large = "x".repeat(17 * 1024);
        login(&nightshift, business::OWNER, &large).await.expect(413);
        page(&nightshift, business::OWNER, &large).await.expect(413);
        assert_eq!(nightshift.sign_in_counters().count().await, 0);
    })
    .await;
}

async fn counters_of_guesses_are_removed_when_their_time_is_over(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        for round in 0..4 {
            for number in 0..6 {
                login(&nightshift, &format!("made-up-{round}-{number}@paws.test"), WRONG).await.expect(401);
            }
            nightshift.clock.advance(15 * MINUTE);
        }
        let kept = nightshift.sign_in_counters().count().await;
        assert!(kept <= 7, "{kept} counters of 24 made-up accounts are kept");
    })
    .await;
}

/// Sign-ins at the same moment, each at an account and from a network of its own: no limit on guesses stops them.
/// Before hashing was bounded, each took 19 MiB.
#[cfg(target_os = "linux")]
async fn a_burst_of_sign_ins_is_turned_away_instead_of_eating_the_memory(engine: Engine) {
    let burst: u16 = std::env::var("NIGHTSHIFT_TEST_SIGN_INS").map_or(60, |number| number.parse().unwrap());
    let mut world = World::on(engine).await;
    world.set("ENABLE_AUTH", "true");
    let process = world.serve_with(&["--role", "web"], &[]);
    login_from(Ipv4Addr::LOCALHOST, &process.url, business::OWNER, business::PASSWORD).await.expect(200);
    let sign_ins = (0..burst).map(|number| {
        let [high, low] = number.to_be_bytes();
        let (url, email) = (process.url.clone(), format!("nobody-{number}@paws.test"));
        async move { login_from(Ipv4Addr::new(127, 1 + high, low, 1), &url, &email, WRONG).await }
    });
    let answers = futures_util::future::join_all(sign_ins).await;
    for answer in &answers {
        assert!(answer.status == 401 || answer.status == 429, "{answer:?}");
        assert!(answer.status == 401 || wait_of(answer) == 1, "{answer:?}");
    }
    assert!(answers.iter().any(|answer| answer.status == 401));
    let peak = process.memory_peak_mib();
    // 8 hashes at a time at the most, of 19 MiB each, and the program itself.
    assert!(peak < 400, "{burst} sign-ins took {peak} MiB");
    login_from(Ipv4Addr::LOCALHOST, &process.url, business::OWNER, business::PASSWORD).await.expect(200);
}

/// What is kept for a key would be a hash of the password, which whoever has the database could guess against.
async fn nothing_of_a_sign_in_is_kept_for_an_idempotency_key(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let body = json!({"email": business::OWNER, "password": business::PASSWORD});
        for _ in 0..2 {
            let (caller, key) = (Caller::Nobody, [("idempotency-key", "key-1")]);
            let answer = nightshift
                .send_with(Method::POST, "/api/auth/login", &caller, Some(body.clone()), &key)
                .await
                .expect(200);
            assert!(answer.header("set-cookie").is_some(), "each sign-in is one");
        }
        assert_eq!(nightshift.idempotency_keys().count().await, 0);
    })
    .await;
}
