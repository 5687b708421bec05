use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::Mode;
use nightshift_queue::effects::{self, EffectState, Settlement};

use crate::bed::on;

each_engine! {
    an_effect_is_asked_once_and_only_proof_that_nothing_left_lets_it_be_asked_again,
    what_is_known_of_a_request_settles_no_later_one,
}

async fn an_effect_is_asked_once_and_only_proof_that_nothing_left_lets_it_be_asked_again(engine: Engine) {
    on(engine, async |bed| {
        let now = bed.clock.now();
        let mut tx = bed.tx().await;
        let first = effects::reserve(&mut tx, "sms", "m1", Some("j1"), Mode::Live, now).await.unwrap();
        let again = effects::reserve(&mut tx, "sms", "m1", Some("j2"), Mode::Live, now).await.unwrap();
        assert_eq!(first, again, "one row per business fact");
        let asked = effects::ask(&mut tx, &first, now).await.unwrap().unwrap();
        assert!(effects::ask(&mut tx, &first, now).await.unwrap().is_none(), "whoever finds it asked must not ask");
        assert_eq!(effects::mark_unknown(&mut tx, &asked, "time-out", now).await.unwrap(), Settlement::Stored);
        assert!(effects::ask(&mut tx, &first, now).await.unwrap().is_none());
        let absent = "the provider does not know it";
        assert_eq!(effects::not_sent(&mut tx, &asked, absent, now).await.unwrap(), Settlement::Stored);
        let reserved = effects::reserve(&mut tx, "sms", "m1", Some("j1"), Mode::Live, now).await.unwrap();
        let asked = effects::ask(&mut tx, &reserved, now).await.unwrap().unwrap();
        assert!(effects::confirm(&mut tx, &first.id, "SM1", now).await.unwrap());
        let late = effects::refuse(&mut tx, &asked, "late", now).await.unwrap();
        assert_eq!(late, Settlement::Before, "settled is settled");
        assert_eq!(effects::not_sent(&mut tx, &asked, "late", now).await.unwrap(), Settlement::Before);
        let settled = effects::find(&mut tx, "sms", "m1").await.unwrap().unwrap();
        assert_eq!((settled.state, settled.provider_ref.as_deref()), (EffectState::Confirmed, Some("SM1")));
        assert!(settled.state.is_settled());
        tx.commit().await.unwrap();
    })
    .await;
}

/// All requests are sent in the same millisecond, between which the clock even goes back a little.
async fn what_is_known_of_a_request_settles_no_later_one(engine: Engine) {
    on(engine, async |bed| {
        let now = bed.clock.now();
        let mut tx = bed.tx().await;
        let mut earlier: Vec<effects::Effect> = Vec::new();
        for back_ms in [0, 0, 1, 0, 700] {
            let reserved = effects::reserve(&mut tx, "sms", "m1", Some("j1"), Mode::Live, now).await.unwrap();
            assert_eq!(reserved.state, EffectState::Reserved);
            let at = now - std::time::Duration::from_millis(back_ms);
            let asked = effects::ask(&mut tx, &reserved, at).await.unwrap().unwrap();
            for late in &earlier {
                assert_eq!(effects::not_sent(&mut tx, late, "late", now).await.unwrap(), Settlement::Outdated);
                assert_eq!(effects::refuse(&mut tx, late, "late", now).await.unwrap(), Settlement::Outdated);
                assert_eq!(effects::mark_unknown(&mut tx, late, "late", now).await.unwrap(), Settlement::Outdated);
            }
            assert_eq!(effects::find(&mut tx, "sms", "m1").await.unwrap().as_ref(), Some(&asked));
            assert_eq!(effects::not_sent(&mut tx, &asked, "not sent", now).await.unwrap(), Settlement::Stored);
            earlier.push(asked);
        }
        assert!(effects::confirm(&mut tx, &earlier[0].id, "SM1", now).await.unwrap(), "a fact holds");
        // After a long way back a search must begin with the new time.
        let reserved = effects::reserve(&mut tx, "sms", "m2", Some("j1"), Mode::Live, now).await.unwrap();
        let asked = effects::ask(&mut tx, &reserved, now).await.unwrap().unwrap();
        effects::not_sent(&mut tx, &asked, "not sent", now).await.unwrap();
        let reserved = effects::reserve(&mut tx, "sms", "m2", Some("j1"), Mode::Live, now).await.unwrap();
        let hour_ago = now - std::time::Duration::from_secs(3_600);
        assert_eq!(effects::ask(&mut tx, &reserved, hour_ago).await.unwrap().unwrap().asked_at, Some(hour_ago));
        tx.commit().await.unwrap();
    })
    .await;
}
