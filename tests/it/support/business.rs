//! A small business to seed, and the bodies that requests about it have.

use nightshift_db::{Db, Timestamp};
use nightshift_domain::seed::{self, Seed};
use serde_json::{Value, json};

pub const OWNER: &str = "owner@paws.test";
pub const SITTER: &str = "sam@paws.test";
pub const OPS: &str = "ops@nightshift.test";
pub const STRANGER: &str = "owner@other.test";
pub const PASSWORD: &str = "correct horse battery";
/// [`PASSWORD`] as it is stored: hashing it would be a good part of the work of a test. A unit test of `passwords` keeps
/// its parameters those of the program.
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$uFaUsPjX1aS+Fk/NYbeqFA$NexNOF9vmygjgntByFvHNvj88SwLfWfI8Bl7xhSmTJc";

/// The time at which tests begin: a day and a half before the booking of [`booking`].
pub fn start() -> Timestamp {
    "2024-12-29T22:00:00Z".parse().expect("a time")
}

/// Two organisations, their owners, a sitter, an operator; the first has a pool number.
pub async fn seed_into(db: &Db) {
    load(
        db,
        json!({
            "organizations": [
                {"id": "org-paws", "name": "Happy Paws", "slug": "paws", "timezone": "UTC", "isDefault": true},
                {"id": "org-other", "name": "Other", "slug": "other", "timezone": "UTC"},
            ],
            "sitters": [
                {"id": "sitter-sam", "orgId": "org-paws", "name": "Sam", "phone": "+15550100001"},
                {"id": "sitter-kim", "orgId": "org-other", "name": "Kim", "phone": "+15550100002"},
            ],
            "users": [
                {"id": "user-owner", "orgId": "org-paws", "email": OWNER, "name": "Olive", "role": "owner"},
                {"id": "user-sam", "orgId": "org-paws", "email": SITTER, "name": "Sam", "role": "sitter", "sitterId": "sitter-sam"},
                {"id": "user-ops", "email": OPS, "name": "Otto", "role": "ops"},
                {"id": "user-stranger", "orgId": "org-other", "email": STRANGER, "name": "Stella", "role": "owner"},
            ],
            "numbers": [{"id": "number-pool", "orgId": "org-paws", "e164": "+15550199001", "numberClass": "pool", "provider": "twilio"}],
        }),
    )
    .await;
    let sql = "UPDATE users SET password_hash = $1";
    db.write(sql).bind(PASSWORD_HASH).execute().await.expect("the passwords are stored");
}

/// Loads more of a seed file.
pub async fn load(db: &Db, seed: Value) {
    let seed = Seed::parse(&seed.to_string()).expect("the seed is readable");
    let mut tx = db.begin().await.expect("a transaction");
    seed::load(&mut tx, &seed, start()).await.expect("the seed loads");
    tx.commit().await.expect("the seed is stored");
}

/// The booking that most tests use.
pub fn booking() -> Value {
    json!({
        "firstName": "Test", "lastName": "Client", "phone": "+15551234567", "service": "dog_walking",
        "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T11:00:00Z",
    })
}

/// A booking of another client, `number` of them apart.
pub fn booking_of(number: usize) -> Value {
    let mut booking = booking();
    booking["phone"] = json!(format!("+1555{:07}", 2_000_000 + number));
    booking
}

/// Stripe's event that a booking was paid.
pub fn paid(event: &str, booking: &str) -> Value {
    nightshift_lab::simulator::payment_succeeded(event, &format!("pi_{booking}"), booking, 10_000, "usd")
}

/// Loads pending bookings `booking-0`, `booking-1`, ... of as many clients, with numbers enough for their threads: a
/// number sends one text a second.
pub async fn load_bookings(db: &Db, count: usize) {
    let clients: Vec<Value> = (0..count)
        .map(|n| {
            json!({"id": format!("client-{n}"), "orgId": "org-paws", "firstName": "Test", "lastName": "Client",
                   "phone": format!("+1555{:07}", 2_000_000 + n)})
        })
        .collect();
    let bookings: Vec<Value> = (0..count)
        .map(|n| {
            json!({"id": format!("booking-{n}"), "orgId": "org-paws", "clientId": format!("client-{n}"),
                   "service": "dog_walking", "startAt": "2034-12-31T10:00:00Z", "endAt": "2034-12-31T11:00:00Z"})
        })
        .collect();
    let numbers: Vec<Value> = (0..60)
        .map(|n| {
            json!({"id": format!("number-{n}"), "orgId": "org-paws", "e164": format!("+1555018{n:04}"),
                   "numberClass": "pool", "provider": "twilio"})
        })
        .collect();
    load(db, json!({"clients": clients, "bookings": bookings, "numbers": numbers})).await;
}
