//! Receipts of webhooks: the inbox holds the receipt of a first delivery, the event log that of a repeated one, and the
//! list shows both as entries of the event log.

use std::time::Duration;

use nightshift_db::testing::{each_engine, statements_of};
use nightshift_db::{Clock, Db, Engine, Part, Query, Timestamp, lowest_id};
use nightshift_domain::audit::{self, Event, Filter};
use nightshift_domain::inbox::{self, Delivery, NewDeliveries, Recorded, WebhookSource};
use nightshift_domain::page::Limit;
use nightshift_domain::retention;
use nightshift_domain::viewer::Viewer;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::fixture::*;
use crate::lists::plan;

each_engine! {
    each_delivery_has_one_entry_in_the_event_log,
    receipts_and_other_entries_are_one_list,
    a_receipt_is_never_changed_and_outlives_its_row,
    what_the_version_before_stores_is_shown_once,
    a_row_that_was_restored_from_a_backup_can_be_deleted_again,
    what_is_stored_late_was_received_when_it_arrived,
    the_bodies_of_a_time_are_found_by_the_primary_key,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn delivery(provider: WebhookSource, key: &str, request: &str) -> Delivery {
    Delivery {
        provider,
        event_key: key.to_owned(),
        event_type: Some("a.type".to_owned()),
        verified: true,
        headers: json!({}),
        payload: "{}".to_owned(),
        request_id: request.to_owned(),
        arrived: Clock::manual(noon()).moment(),
    }
}

/// Adds nothing to the statement that stores deliveries.
struct Nothing;

impl Part for Nothing {
    fn text(&self, _first: usize) -> String {
        "nothing AS (SELECT 1)".to_owned()
    }

    fn bind<'c>(&self, query: Query<'c>, _now: Timestamp) -> Query<'c> {
        query
    }
}

impl Business {
    /// Stores deliveries as the receiver does: in one statement if that is possible.
    async fn receive(&self, batch: &[Delivery], now: Timestamp) -> Vec<Recorded> {
        let clock = Clock::manual(now);
        let batch: Vec<_> = batch.iter().map(|one| Delivery { arrived: clock.moment(), ..one.clone() }).collect();
        self.store(&batch, &clock).await
    }

    async fn store(&self, batch: &[Delivery], clock: &Clock) -> Vec<Recorded> {
        let deliveries = NewDeliveries::of(batch.iter().collect(), clock);
        if self.db.engine() == Engine::Postgres && deliveries.are_plain() {
            return deliveries.store_with(&self.db, &Nothing).await.unwrap();
        }
        self.write(async |tx| deliveries.store(tx).await.unwrap()).await
    }
}

/// All entries that match, as JSON, read in pages of this size.
async fn listed(db: &Db, filter: &Filter, size: i64) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), None);
    loop {
        let limit = Limit::asked(Some(size));
        let page = audit::list(db, &Viewer::all(), filter, cursor.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= usize::try_from(size).unwrap());
        entries.extend(page.items.iter().map(|entry| serde_json::to_value(entry).unwrap()));
        let Some(next) = page.next_cursor else { return entries };
        cursor = Some(next);
    }
}

async fn view(db: &Db) -> Vec<(String, String, String)> {
    db.read(r#"SELECT id, "eventType", "correlationId" FROM "EventLog" WHERE "actorType" = 'webhook' ORDER BY id DESC"#)
        .all()
        .await
        .unwrap()
}

async fn stored_entries(db: &Db) -> i64 {
    db.read("SELECT count(*) FROM event_log").scalar().await.unwrap()
}

async fn each_delivery_has_one_entry_in_the_event_log(engine: Engine) {
    on(engine, async |business| {
        for (n, source) in WebhookSource::ALL.iter().enumerate() {
            let now = noon() + Duration::from_secs(n.try_into().unwrap());
            let [first, repeated, later] = ["first", "repeated", "later"].map(|name| format!("{name}-{source}"));
            // The first two are in one batch.
            let mut recorded =
                business.receive(&[delivery(*source, "k", &first), delivery(*source, "k", &repeated)], now).await;
            recorded.extend(business.receive(&[delivery(*source, "k", &later)], now).await);
            for (request, recorded) in [first, repeated, later].iter().zip(&recorded) {
                assert_eq!(recorded.first, request.starts_with("first"));
                let filter = Filter { correlation: Some(request.clone()), ..Filter::default() };
                let entry = listed(&business.db, &filter, 50).await.pop().unwrap();
                let shown = json!({
                    "id": entry["id"], "orgId": null, "eventType": source.received_event(), "status": "success",
                    "actorType": "webhook", "actorId": null, "bookingId": null, "threadId": null, "clientId": null,
                    "sitterId": null, "jobId": null, "inboxId": recorded.inbox_id, "correlationId": request,
                    "metadata": {"eventType": "a.type", "duplicate": !recorded.first}, "createdAt": now,
                });
                assert_eq!(entry, shown);
                let of_type = Filter { event_type: Some(source.received_event().to_string()), ..Filter::default() };
                assert!(listed(&business.db, &of_type, 50).await.contains(&entry), "{source}");
            }
        }
        let sources = i64::try_from(WebhookSource::ALL.len()).unwrap();
        assert_eq!(
            stored_entries(&business.db).await,
            2 * sources,
            "only repeated deliveries are entries of their own"
        );
        let shown = listed(&business.db, &Filter::default(), 50).await;
        let shown: Vec<_> = shown
            .iter()
            .map(|entry| ["id", "eventType", "correlationId"].map(|name| entry[name].as_str().unwrap().to_owned()))
            .collect();
        let seen: Vec<_> = view(&business.db).await.into_iter().map(<[String; 3]>::from).collect();
        assert_eq!(seen, shown);
        assert_eq!(shown.len(), 3 * WebhookSource::ALL.len());
    })
    .await;
}

/// An entry of the random list, stored as a receipt or as itself.
struct Stored {
    id: String,
    at: Timestamp,
    event: &'static str,
    status: &'static str,
    correlation: &'static str,
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(runner: &mut TestRunner, values: &'static [T]) -> T {
    proptest::sample::select(values).new_tree(runner).unwrap().current()
}

async fn store(db: &Db, runner: &mut TestRunner) -> Stored {
    let at = noon() + DAY * one_of(runner, &[0, 1, 2, 3]);
    let tail = "[0-9a-f]{12}".new_tree(runner).unwrap().current();
    // An id is later than its time when the clock has been set back.
    let id = format!("{}{tail}", &lowest_id(at + Duration::from_secs(one_of(runner, &[0, 0, 60, 90_000])))[..24]);
    let correlation = one_of(runner, &["x", "y"]);
    let source: Option<(&str, &str)> = one_of(
        runner,
        &[Some(("stripe", "webhook.stripe.received")), Some(("twilio_status", "webhook.twilio.received")), None, None],
    );
    let Some((provider, event)) = source else {
        let event = one_of(runner, &["webhook.stripe.received", "webhook.unverified", "booking.created"]);
        let status = one_of(runner, &["success", "info"]);
        db.write(
            "INSERT INTO event_log (id, event_type, status, correlation_id, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(event)
        .bind(status)
        .bind(correlation)
        .bind(at)
        .execute()
        .await
        .unwrap();
        return Stored { id, at, event, status, correlation };
    };
    db.write(
        "INSERT INTO webhook_inbox (id, provider, event_key, verified, received_at, request_id)
         VALUES ($1, $2, $1, TRUE, $3, $4)",
    )
    .bind(&id)
    .bind(provider)
    .bind(at)
    .bind(correlation)
    .execute()
    .await
    .unwrap();
    Stored { id, at, event, status: "success", correlation }
}

async fn receipts_and_other_entries_are_one_list(engine: Engine) {
    on(engine, async |business| {
        let db = &business.db;
        let mut runner = TestRunner::deterministic();
        let mut stored = Vec::new();
        for _ in 0..60 {
            stored.push(store(db, &mut runner).await);
        }
        stored.sort_by(|one, other| other.id.cmp(&one.id));
        for _ in 0..80 {
            let event = one_of(
                &mut runner,
                &[
                    None,
                    None,
                    Some("webhook.stripe.received"),
                    Some("webhook.twilio.received"),
                    Some("booking.created"),
                ],
            );
            let status = one_of(&mut runner, &[None, Some("success"), Some("info")]);
            let correlation = one_of(&mut runner, &[None, None, Some("x")]);
            let from = one_of(&mut runner, &[None, Some(1), Some(3)]).map(|days| noon() + DAY * days);
            let to = one_of(&mut runner, &[None, Some(2)]).map(|days| noon() + DAY * days);
            let wanted: Vec<&str> = stored
                .iter()
                .filter(|entry| event.is_none_or(|event| entry.event == event))
                .filter(|entry| status.is_none_or(|status| entry.status == status))
                .filter(|entry| correlation.is_none_or(|correlation| entry.correlation == correlation))
                .filter(|entry| from.is_none_or(|from| entry.at >= from) && to.is_none_or(|to| entry.at < to))
                .map(|entry| entry.id.as_str())
                .collect();
            let filter = Filter {
                event_type: event.map(Into::into),
                status: status.map(Into::into),
                booking: None,
                correlation: correlation.map(Into::into),
                from,
                to,
            };
            let size = (1i64..8).new_tree(&mut runner).unwrap().current();
            let found = listed(db, &filter, size).await;
            let found: Vec<&str> = found.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
            assert_eq!(found, wanted, "{filter:?} in pages of {size}");
        }
    })
    .await;
}

async fn a_receipt_is_never_changed_and_outlives_its_row(engine: Engine) {
    on(engine, async |business| {
        let db = &business.db;
        let received = [
            delivery(WebhookSource::Stripe, "k", "one"),
            delivery(WebhookSource::TwilioStatus, "k", "two"),
            delivery(WebhookSource::TwilioStatus, "k", "again"),
        ];
        business.receive(&received, noon()).await;
        let shown = listed(db, &Filter::default(), 50).await;
        for change in [
            "UPDATE webhook_inbox SET provider = 'vapi'",
            "UPDATE webhook_inbox SET event_key = 'other'",
            "UPDATE webhook_inbox SET event_type = NULL",
            "UPDATE webhook_inbox SET verified = FALSE",
            "UPDATE webhook_inbox SET received_at = created_at",
            "UPDATE webhook_inbox SET request_id = NULL",
            "UPDATE webhook_inbox SET id = 'other'",
        ] {
            assert!(db.write(change).execute().await.is_err(), "{change} is allowed");
        }
        if engine == Engine::Postgres {
            assert!(db.write("TRUNCATE webhook_inbox").execute().await.is_err(), "TRUNCATE is allowed");
        }
        assert_eq!(listed(db, &Filter::default(), 50).await, shown);

        // Bodies are deleted after 30 days, and only those that are old enough.
        business.receive(&[delivery(WebhookSource::Vapi, "young", "three")], noon() + 20 * DAY).await;
        let shown = listed(db, &Filter::default(), 50).await;
        let bodies = "SELECT count(payload) FROM webhook_inbox";
        for (days, swept, left) in [(29, 0, 3), (31, 2, 1), (32, 0, 1), (51, 1, 0)] {
            assert_eq!(retention::sweep(db, noon() + DAY * days).await.unwrap().inbox_payloads, swept, "day {days}");
            assert_eq!(db.read(bodies).scalar::<i64>().await.unwrap(), left, "day {days}");
        }
        // After 180 days the rows are deleted, by the sweep or by the version before; their receipts stay.
        assert_eq!(retention::sweep(db, noon() + DAY * 181).await.unwrap().inbox_rows, 2);
        assert_eq!(listed(db, &Filter::default(), 50).await, shown);
        db.write("DELETE FROM webhook_inbox WHERE payload IS NULL").execute().await.unwrap();
        assert_eq!(db.read("SELECT count(*) FROM webhook_inbox").scalar::<i64>().await.unwrap(), 0);
        assert_eq!(stored_entries(db).await, 4);
        assert_eq!(listed(db, &Filter::default(), 50).await, shown);
    })
    .await;
}

async fn a_row_that_was_restored_from_a_backup_can_be_deleted_again(engine: Engine) {
    on(engine, async |business| {
        let db = &business.db;
        business.receive(&[delivery(WebhookSource::Stripe, "k", "one")], noon()).await;
        let shown = listed(db, &Filter::default(), 50).await;
        db.write("CREATE TABLE backup AS SELECT * FROM webhook_inbox").execute().await.unwrap();
        db.write("DELETE FROM webhook_inbox").execute().await.unwrap();
        db.write("INSERT INTO webhook_inbox SELECT * FROM backup").execute().await.unwrap();
        assert_eq!(listed(db, &Filter::default(), 50).await, shown);
        assert_eq!(retention::sweep(db, noon() + DAY * 181).await.unwrap().inbox_rows, 1);
        assert_eq!(listed(db, &Filter::default(), 50).await, shown);
        assert_eq!(view(db).await.len(), 1);
    })
    .await;
}

/// A batch may wait for the database. Its rows are in the order in which they were stored, each with its own time.
async fn what_is_stored_late_was_received_when_it_arrived(engine: Engine) {
    on(engine, async |business| {
        for verified in [true, false] {
            let clock = Clock::manual(noon());
            let arrived = |key: &str| Delivery {
                arrived: clock.moment(),
                verified,
                ..delivery(WebhookSource::Twilio, &format!("{key}-{verified}"), key)
            };
            let first = arrived("first");
            clock.advance(Duration::from_secs(2));
            let second = arrived("second");
            clock.advance(Duration::from_secs(3));
            let recorded = business.store(&[second, first], &clock).await;
            assert!(recorded[0].inbox_id.as_str() < recorded[1].inbox_id.as_str());
            for (recorded, seconds) in recorded.iter().zip([2, 0]) {
                let times: (Timestamp, Timestamp) = business
                    .db
                    .read("SELECT received_at, created_at FROM webhook_inbox WHERE id = $1")
                    .bind(&recorded.inbox_id)
                    .one()
                    .await
                    .unwrap();
                assert_eq!(times, (noon() + Duration::from_secs(seconds), noon() + Duration::from_secs(5)));
            }
        }
    })
    .await;
}

async fn the_bodies_of_a_time_are_found_by_the_primary_key(engine: Engine) {
    on(engine, async |business| {
        let openphone = |key: &str| delivery(WebhookSource::OpenPhone, key, key);
        business.receive(&[openphone("old")], noon()).await;
        business.receive(&[openphone("new"), delivery(WebhookSource::Vapi, "other", "other")], noon() + DAY).await;
        let since = noon() + DAY;
        let read = inbox::bodies_since(&business.db, WebhookSource::OpenPhone, since);
        let (found, statements) = statements_of(read).await;
        assert_eq!(found.unwrap(), ["{}"]);
        if engine == Engine::Sqlite {
            let steps = plan(&business.db, &statements[0]).await;
            assert!(steps.len() == 1 && steps[0].contains("(id>?)"), "{steps:?}");
        }
    })
    .await;
}

/// Stores a delivery with the statements of the version before, which know no `request_id` of the inbox. The ids are
/// made of `place`.
async fn receive_as_before(db: &Db, key: &str, place: u32, duplicate: bool) {
    let [inbox, entry] = [0, 1].map(|last| format!("{}{place:011}{last}", &lowest_id(noon())[..24]));
    let rows: Vec<(String,)> = db
        .write(
            "INSERT INTO webhook_inbox (id, provider, event_key, event_type, verified, headers, payload, deliveries,
                                        received_at, created_at, updated_at)
             VALUES ($1, 'stripe', $2, 'a.type', TRUE, '{}', '{}', 1, $3, $3, $3)
             ON CONFLICT (provider, event_key) DO UPDATE
             SET deliveries = webhook_inbox.deliveries + excluded.deliveries, updated_at = $3
             RETURNING id",
        )
        .bind(inbox)
        .bind(key)
        .bind(noon())
        .all()
        .await
        .unwrap();
    db.write(
        "INSERT INTO event_log (id, event_type, status, inbox_id, correlation_id, metadata, actor_type, created_at)
         VALUES ($1, 'webhook.stripe.received', 'success', $2, $3, $4, 'webhook', $5)",
    )
    .bind(entry)
    .bind(&rows[0].0)
    .bind(format!("before-{place}"))
    .bind(nightshift_db::Json(json!({"eventType": "a.type", "duplicate": duplicate})))
    .bind(noon())
    .execute()
    .await
    .unwrap();
}

async fn what_the_version_before_stores_is_shown_once(engine: Engine) {
    on(engine, async |business| {
        let db = &business.db;
        let (before, now) =
            (delivery(WebhookSource::Stripe, "before", "x"), delivery(WebhookSource::Stripe, "now", "y"));
        receive_as_before(db, "before", 1, false).await;
        business.receive(&[before, now.clone()], noon()).await;
        receive_as_before(db, "before", 2, true).await;
        receive_as_before(db, "now", 3, true).await;
        let again = Delivery { request_id: "z".to_owned(), ..now };
        assert!(!business.receive(&[again], noon()).await[0].first);

        let filter = Filter { event_type: Some(Event::WebhookStripeReceived.to_string()), ..Filter::default() };
        let told = async || {
            let mut told: Vec<_> = listed(db, &filter, 2)
                .await
                .iter()
                .map(|entry| (entry["correlationId"].to_string(), entry["metadata"]["duplicate"].to_string()))
                .collect();
            told.sort();
            told
        };
        let wanted =
            [("before-1", false), ("before-2", true), ("before-3", true), ("x", true), ("y", false), ("z", true)]
                .map(|(request, duplicate)| (format!("{request:?}"), duplicate.to_string()));
        assert_eq!(told().await, wanted);
        // Retention moves the receipts that the inbox holds, and no others.
        assert_eq!(retention::sweep(db, noon() + DAY * 181).await.unwrap().inbox_rows, 2);
        assert_eq!(told().await, wanted);
    })
    .await;
}
