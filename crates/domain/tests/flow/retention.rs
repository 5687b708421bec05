//! Webhook events are deleted by their age, and their ids don't matter.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Db, Engine, lowest_id};
use nightshift_domain::retention;

use crate::fixture::*;

each_engine! {
    bodies_and_rows_are_deleted_by_their_age_whatever_their_ids,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Stores an event that was received on the day `received`, under an id of the day `made`.
async fn store_event(db: &Db, key: &str, made: u32, received: u32, body: Option<&str>) {
    db.write(
        "INSERT INTO webhook_inbox (id, provider, event_key, verified, payload, received_at, request_id)
         VALUES ($1, 'stripe', $2, TRUE, $3, $4, $2)",
    )
    .bind(format!("{}{key:0>12}", &lowest_id(noon() + DAY * made)[..24]))
    .bind(key)
    .bind(body)
    .bind(noon() + DAY * received)
    .execute()
    .await
    .unwrap();
}

async fn bodies_and_rows_are_deleted_by_their_age_whatever_their_ids(engine: Engine) {
    on(engine, async |business| {
        let db = &business.db;
        let keys = async |condition: &'static str| -> Vec<String> {
            let rows: Vec<(String,)> = db.read(condition).all().await.unwrap();
            rows.into_iter().map(|(key,)| key).collect()
        };
        let with_a_body =
            async || keys("SELECT event_key FROM webhook_inbox WHERE payload IS NOT NULL ORDER BY event_key").await;
        // A clock was behind, so the id is below those of a thousand events without a body.
        store_event(db, "behind", 1, 1, Some("{}")).await;
        for place in 0..1_000 {
            store_event(db, &format!("emptied-{place:04}"), 20, 20, None).await;
        }
        store_event(db, "plain", 40, 40, Some("{}")).await;
        // A clock was ahead: by some days, and by so much that time has not caught up when the event is forgotten.
        store_event(db, "ahead", 50, 40, Some("{}")).await;
        store_event(db, "far-ahead", 900, 40, Some("{}")).await;
        store_event(db, "young", 60, 60, Some("{}")).await;

        assert_eq!(retention::sweep(db, noon() + DAY * 70).await.unwrap().inbox_payloads, 1);
        assert_eq!(with_a_body().await, ["ahead", "far-ahead", "plain", "young"]);
        assert_eq!(retention::sweep(db, noon() + DAY * 71).await.unwrap().inbox_payloads, 3);
        assert_eq!(with_a_body().await, ["young"]);

        assert_eq!(retention::sweep(db, noon() + DAY * 201).await.unwrap().inbox_rows, 1_001);
        assert_eq!(retention::sweep(db, noon() + DAY * 221).await.unwrap().inbox_rows, 3);
        assert_eq!(keys("SELECT event_key FROM webhook_inbox").await, ["young"]);
    })
    .await;
}
