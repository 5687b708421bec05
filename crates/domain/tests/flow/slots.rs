//! The slots that a number gives out, whatever happens to its clock and its texts.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::ids::{MessageId, NumberId};
use nightshift_domain::messaging::delivery;

use crate::fixture::*;

each_engine! {
    after_the_clock_was_set_back_texts_wait_no_longer_than_for_those_before_them,
    whatever_happens_slots_are_a_second_apart_and_no_further_ahead_than_the_texts_that_wait,
}

const SECOND: Duration = Duration::from_secs(1);

/// Creates texts of one number that wait to be sent.
async fn texts(business: &Business, count: usize) -> Vec<MessageId> {
    business.add_number("pool-1", "pool", "org-1").await;
    let (_, _, first) = business.confirmed_and_written(|_| {}).await;
    for copy in 1..count {
        business
            .db
            .write(
                "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status, from_number_id)
                 SELECT $2, org_id, thread_id, direction, 'owner', body, status, from_number_id
                 FROM message_events WHERE id = $1",
            )
            .bind(&first)
            .bind(format!("copy-{copy}"))
            .execute()
            .await
            .unwrap();
    }
    let ids: Vec<(MessageId,)> = business.db.read("SELECT id FROM message_events ORDER BY id").all().await.unwrap();
    ids.into_iter().map(|(id,)| id).collect()
}

async fn slot(business: &Business, id: &MessageId, now: Timestamp) -> Timestamp {
    let number = NumberId::from("pool-1".to_owned());
    business.write(async |tx| delivery::take_send_slot(tx, &number, id, now).await.unwrap()).await
}

async fn set(business: &Business, id: &MessageId, status: &'static str) {
    let sql = "UPDATE message_events SET status = $2 WHERE id = $1";
    business.db.write(sql).bind(id).bind(status).execute().await.unwrap();
}

async fn after_the_clock_was_set_back_texts_wait_no_longer_than_for_those_before_them(engine: Engine) {
    on(engine, async |business| {
        let ids = texts(&business, 7).await;
        for id in &ids[..5] {
            slot(&business, id, noon()).await;
        }
        set(&business, &ids[0], "sent").await;
        let earlier = noon() - Duration::from_secs(3600);
        // Some texts have a slot from the clock before, one never had any: each gets one of the first seconds.
        let mut slots = Vec::new();
        for id in ids[1..].iter().rev() {
            slots.push(slot(&business, id, earlier).await);
        }
        slots.sort();
        for (place, slot) in slots.iter().enumerate() {
            let expected = earlier + SECOND * u32::try_from(place + 1).unwrap();
            assert_eq!(*slot, expected, "{slots:?}");
        }
        for id in &ids[1..] {
            let again = slot(&business, id, earlier).await;
            assert!(slots.contains(&again), "a text keeps its slot");
        }
    })
    .await;
}

async fn whatever_happens_slots_are_a_second_apart_and_no_further_ahead_than_the_texts_that_wait(engine: Engine) {
    on(engine, async |business| {
        let ids = texts(&business, 12).await;
        let (mut random, mut now) = (Random::new(5), noon());
        for _ in 0..250 {
            let id = &ids[random.below(ids.len())];
            match random.below(10) {
                0 => now = now - Duration::from_millis(random.below(10_000_000) as u64),
                1 => now = now + Duration::from_millis(random.below(10_000_000) as u64),
                2..=4 => now = now + Duration::from_millis(random.below(1_500) as u64),
                5 => set(&business, id, "failed").await,
                6 => {
                    business.set("UPDATE message_events SET status = 'queued' WHERE status = 'sent'").await;
                    let sql = "UPDATE message_events SET status = 'sent', send_slot_at = NULL
                               WHERE id = $1 AND send_slot_at <= $2";
                    business.db.write(sql).bind(id).bind(now).execute().await.unwrap();
                }
                _ => {
                    set(&business, id, "queued").await;
                    let given = slot(&business, id, now).await;
                    let others: Vec<(Timestamp,)> = business
                        .db
                        .read(
                            "SELECT send_slot_at FROM message_events
                             WHERE status = 'queued' AND send_slot_at IS NOT NULL AND id <> $1",
                        )
                        .bind(id)
                        .all()
                        .await
                        .unwrap();
                    // Slots that are not whole seconds apart may each take up two seconds.
                    let latest = now + SECOND * (2 * u32::try_from(others.len()).unwrap() + 1);
                    assert!(given <= latest, "{given} is too far ahead of {now}: {others:?}");
                    for (other,) in others {
                        assert!(given.since(other).max(other.since(given)) >= SECOND, "{given} and {other}");
                    }
                }
            }
        }
    })
    .await;
}
