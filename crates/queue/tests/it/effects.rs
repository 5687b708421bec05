use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::Mode;
use nightshift_queue::effects::{self, EffectState};

use crate::bed::on;

each_engine! {
    an_effect_is_asked_once_and_only_proof_that_nothing_left_lets_it_be_asked_again,
}

async fn an_effect_is_asked_once_and_only_proof_that_nothing_left_lets_it_be_asked_again(engine: Engine) {
    on(engine, async |bed| {
        let now = bed.clock.now();
        let mut tx = bed.tx().await;
        let first = effects::reserve(&mut tx, "sms", "m1", Some("j1"), Mode::Live, now).await.unwrap();
        let again = effects::reserve(&mut tx, "sms", "m1", Some("j2"), Mode::Live, now).await.unwrap();
        assert_eq!(first, again, "one row per business fact");
        assert!(effects::ask(&mut tx, &first.id, now).await.unwrap());
        assert!(!effects::ask(&mut tx, &first.id, now).await.unwrap(), "whoever finds it asked must not ask");
        assert!(effects::mark_unknown(&mut tx, &first.id, "time-out", now).await.unwrap());
        assert!(!effects::ask(&mut tx, &first.id, now).await.unwrap());
        assert!(effects::not_sent(&mut tx, &first.id, "the provider does not know it", now).await.unwrap());
        assert!(effects::ask(&mut tx, &first.id, now).await.unwrap());
        assert!(effects::confirm(&mut tx, &first.id, "SM1", now).await.unwrap());
        assert!(!effects::refuse(&mut tx, &first.id, "late", now).await.unwrap(), "settled is settled");
        assert!(!effects::not_sent(&mut tx, &first.id, "late", now).await.unwrap());
        let settled = effects::find(&mut tx, "sms", "m1").await.unwrap().unwrap();
        assert_eq!((settled.state, settled.provider_ref.as_deref()), (EffectState::Confirmed, Some("SM1")));
        assert!(settled.state.is_settled());
        tx.commit().await.unwrap();
    })
    .await;
}
