//! Benchmarks of the most frequent operations, without I/O: `cargo bench -p nightshift-lab --bench hot_spots`.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use divan::black_box;
use nightshift_db::Timestamp;
use nightshift_lab::simulator::payment_succeeded;
use nightshift_providers::stripe::event::Event as StripeEvent;
use nightshift_providers::stripe::signature;
use nightshift_queue::lifecycle::{Event, Life, State, apply};
use nightshift_queue::schedule::Timetable;
use secrecy::SecretString;

fn main() {
    divan::main();
}

fn delivery() -> (SecretString, i64, Vec<u8>, String) {
    let (secret, at) = (SecretString::from("whsec_bench"), 1_735_509_600);
    let body = payment_succeeded("evt_1", "pi_1", "booking-1", 4_500, "usd").to_string().into_bytes();
    let header = signature::sign(&secret, at, &body);
    (secret, at, body, header)
}

/// Verifies the signature of a Stripe webhook over its raw bytes.
#[divan::bench]
fn verify_signature(bencher: divan::Bencher<'_, '_>) {
    let (secret, at, body, header) = delivery();
    let (secrets, now) = ([secret], Timestamp::from_unix_ms(at * 1000).to_datetime());
    bencher.bench_local(|| {
        signature::verify(Some(black_box(header.as_bytes())), black_box(&body), &secrets, now).unwrap()
    });
}

/// Parses a Stripe webhook.
#[divan::bench]
fn parse_event(bencher: divan::Bencher<'_, '_>) {
    let (_, _, body, _) = delivery();
    bencher.bench_local(|| StripeEvent::parse(black_box(&body)).unwrap().fact());
}

/// Applies a claim and a finish to a job.
#[divan::bench]
fn life_cycle(bencher: divan::Bencher<'_, '_>) {
    let now = Timestamp::from_unix_ms(0);
    let life = Life {
        state: State::Queued,
        attempts: 0,
        max_attempts: 5,
        crashes: 0,
        polls: 0,
        run_at: now,
        poll_deadline: None,
        cancel_requested: false,
        parked: false,
    };
    bencher.bench_local(|| {
        let running = apply(black_box(&life), &Event::Claim, now).unwrap().life;
        apply(&running, &Event::Done, now).unwrap()
    });
}

/// Finds the next 2:00 in New York, across a daylight saving change.
#[divan::bench]
fn next_occurrence(bencher: divan::Bencher<'_, '_>) {
    let two: Timetable = "0 0 2 * * *".parse().unwrap();
    let now = "2025-03-08T12:00:00Z".parse().unwrap();
    bencher.bench_local(|| two.upcoming(chrono_tz::America::New_York, black_box(now)).next().unwrap());
}
