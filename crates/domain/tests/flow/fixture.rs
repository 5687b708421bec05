//! A small business for tests, with shortcuts to change and inspect it.

use std::time::Duration;

use nightshift_db::testing::{TestDb, migrated};
use nightshift_db::{Db, Engine, Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::audience::Audience;
use nightshift_domain::automations::runs::RunToStart;
use nightshift_domain::automations::{Executed, execute, seed_defaults};
use nightshift_domain::bookings::{self, Booking, Created, Draft};
use nightshift_domain::confirmation::{self, Outcome};
use nightshift_domain::ids::{BookingId, ClientId, InboxId, MessageId, NumberId, OrgId, SitterId, ThreadId, UserId};
use nightshift_domain::messaging::masking::NumberGiven;
use nightshift_domain::viewer::Viewer;
use serde_json::json;

/// 60 minutes, as in the default configuration.
pub const GRACE: Duration = Duration::from_secs(3600);

/// Noon three days before the booking of [`draft`].
pub fn noon() -> Timestamp {
    at("2024-12-28T12:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn org() -> OrgId {
    OrgId::from("org-1".to_owned())
}

/// Returns a viewer for an owner of this organisation.
pub fn viewer_of(org: &OrgId) -> Viewer {
    Viewer::of_org(org.clone(), Audience::Owner)
}

pub fn sitter() -> SitterId {
    SitterId::from("sitter-1".to_owned())
}

pub fn owner() -> Actor {
    Actor::User { id: UserId::from("user-1".to_owned()) }
}

pub fn webhook() -> Actor {
    Actor::Webhook { inbox_id: InboxId::from("inbox-1".to_owned()) }
}

pub fn job() -> Actor {
    Actor::System { source: "job-1".to_owned() }
}

/// Runs `test` on a business of its own.
pub async fn on(engine: Engine, test: impl AsyncFnOnce(Business)) {
    test(Business::open(migrated(engine).await).await).await;
}

/// One organisation with a user, two sitters and the default automations, and a second organisation.
pub struct Business {
    pub db: Db,
    _database: TestDb,
}

impl Business {
    async fn open(database: TestDb) -> Self {
        let db = database.db.clone();
        let business = Self { db, _database: database };
        for (id, name) in [("org-1", "Happy Paws"), ("org-2", "Other Business")] {
            business
                .db
                .write("INSERT INTO organizations (id, name, slug, timezone) VALUES ($1, $2, $1, 'Europe/London')")
                .bind(id)
                .bind(name)
                .execute()
                .await
                .unwrap();
        }
        for (id, org, phone) in [
            ("sitter-1", "org-1", "+15550100001"),
            ("sitter-2", "org-1", "+15550100002"),
            ("sitter-9", "org-2", "+15550100009"),
        ] {
            business
                .db
                .write("INSERT INTO sitters (id, org_id, name, phone_number, active) VALUES ($1, $2, 'Sam', $3, TRUE)")
                .bind(id)
                .bind(org)
                .bind(phone)
                .execute()
                .await
                .unwrap();
        }
        business.write(async |tx| seed_defaults(tx, &org(), noon()).await.unwrap()).await;
        business
    }

    /// Runs `act` in a transaction and commits it.
    pub async fn write<T>(&self, act: impl AsyncFnOnce(&mut Tx) -> T) -> T {
        let mut tx = self.db.begin().await.unwrap();
        // On the heap: together, the steps of a long test are too big for its stack.
        let result = Box::pin(act(&mut tx)).await;
        tx.commit().await.unwrap();
        result
    }

    pub async fn add_number(&self, id: &str, class: &str, owner: &str) -> NumberId {
        let digits: u32 = id.bytes().fold(7, |sum, byte| (sum * 31 + u32::from(byte)) % 10_000_000);
        self.db
            .write(
                "INSERT INTO message_numbers (id, org_id, e164, number_class, assigned_sitter_id, provider)
                 VALUES ($1, $2, $3, $4, $5, 'mock')",
            )
            .bind(id)
            .bind(owner)
            .bind(format!("+1555{digits:07}"))
            .bind(class)
            .bind((class == "sitter").then_some("sitter-1"))
            .execute()
            .await
            .unwrap();
        NumberId::from(id.to_owned())
    }

    pub async fn book(&self, change: impl FnOnce(&mut Draft)) -> Created {
        let mut draft = draft();
        change(&mut draft);
        self.write(async |tx| bookings::create(tx, &org(), draft.check(None).unwrap(), &owner(), noon()).await.unwrap())
            .await
    }

    pub async fn confirmed(&self, change: impl FnOnce(&mut Draft)) -> Booking {
        let booking = self.book(change).await.booking;
        self.write(async |tx| bookings::confirm(tx, &org(), &booking.id, &owner(), noon()).await.unwrap().booking).await
    }

    /// Runs every step of the confirmation in its own transaction, as the job does.
    pub async fn run_confirmation(&self, booking: &BookingId, now: Timestamp) -> Confirmed {
        let mut starts = Vec::new();
        let by = job();
        let loaded = self.write(async |tx| confirmation::load(tx, booking, &by, now).await.unwrap()).await;
        assert!(matches!(loaded, confirmation::Loaded::Ready(_)), "{loaded:?}");
        let thread = self.write(async |tx| confirmation::thread(tx, booking, &by, now).await.unwrap()).await.unwrap();
        let number = self
            .write(async |tx| confirmation::number(tx, booking, &by, now).await.unwrap())
            .await
            .into_option()
            .unwrap();
        starts.extend(number.released.clone());
        let window =
            self.write(async |tx| confirmation::window(tx, booking, GRACE, &by, now).await.unwrap()).await.unwrap();
        let automation = self
            .write(async |tx| confirmation::automation(tx, booking, now).await.unwrap())
            .await
            .into_option()
            .unwrap();
        starts.extend(automation.start.clone());
        let given = number.given.clone();
        let outcome = Outcome { thread, number: given.number().cloned(), window, automation };
        self.write(async |tx| confirmation::audit(tx, booking, &outcome, &by, now).await.unwrap()).await;
        Confirmed { outcome, given, starts }
    }

    /// Creates a confirmed booking whose confirmation has run and whose text is written.
    pub async fn confirmed_and_written(&self, change: impl FnOnce(&mut Draft)) -> (Booking, ThreadId, MessageId) {
        let booking = self.confirmed(change).await;
        let confirmed = self.run_confirmation(&booking.id, noon()).await;
        let executed = self.execute(&confirmed.starts[0], noon()).await;
        let Executed::Written { message_id, thread_id, .. } = executed else { panic!("{executed:?}") };
        (booking, thread_id, message_id)
    }

    pub async fn execute(&self, start: &RunToStart, now: Timestamp) -> Executed {
        self.write(async |tx| execute(tx, &start.run_id, &job(), now).await.unwrap()).await
    }

    pub async fn set(&self, sql: &'static str) {
        self.db.write(sql).execute().await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.db.read(sql).scalar().await.unwrap()
    }

    /// Counts the audit entries of this type.
    pub async fn audited(&self, event: &str) -> i64 {
        self.db.read("SELECT COUNT(*) FROM event_log WHERE event_type = $1").bind(event).scalar().await.unwrap()
    }

    /// Counts the stream events of this type on a topic.
    pub async fn streamed(&self, topic: &str, event: &str) -> i64 {
        self.db
            .read("SELECT COUNT(*) FROM stream_events WHERE topic = $1 AND event = $2")
            .bind(topic)
            .bind(event)
            .scalar()
            .await
            .unwrap()
    }

    pub async fn client_of(&self, booking: &BookingId) -> ClientId {
        self.db.read("SELECT client_id FROM bookings WHERE id = $1").bind(booking).scalar().await.unwrap()
    }
}

/// The result of a whole confirmation.
pub struct Confirmed {
    pub outcome: Outcome,
    pub given: NumberGiven,
    pub starts: Vec<RunToStart>,
}

/// The booking that most tests use.
pub fn draft() -> Draft {
    serde_json::from_value(json!({
        "firstName": "Test", "lastName": "Client", "phone": "+15551234567", "service": "dog_walking",
        "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T11:00:00Z",
    }))
    .expect("a draft")
}

/// A random number generator (xorshift64) with a fixed seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }
}
