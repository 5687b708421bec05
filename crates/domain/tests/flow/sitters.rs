//! Adding and changing sitters.

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json};
use nightshift_domain::ids::{OrgId, SitterId};
use nightshift_domain::metrics::Tier;
use nightshift_domain::people::sitters::{self, NewSitter, Patched, Sitter, SitterPatch, SitterView};
use nightshift_domain::{Error, Result};
use serde_json::{Value, json};

use crate::fixture::*;

each_engine! {
    a_sitter_is_added_with_a_number_that_nobody_else_has,
    a_change_is_recorded_without_the_number_and_nothing_changes_without_one,
    a_sitters_number_may_not_be_anothers,
    sitters_are_listed_by_name,
}

impl Business {
    async fn add_sitter(&self, org: &str, new: Value) -> Result<Sitter> {
        let new: NewSitter = serde_json::from_value(new).unwrap();
        self.write(async |tx| sitters::add(tx, &OrgId::from(org), new, &owner(), noon()).await).await
    }

    async fn change_sitter(&self, id: &str, patch: Value) -> Result<Patched> {
        let patch: SitterPatch = serde_json::from_value(patch).unwrap();
        self.write(async |tx| sitters::patch(tx, &org(), &SitterId::from(id), patch, &owner(), noon()).await).await
    }

    async fn sitters(&self, active: Option<bool>) -> Vec<SitterView> {
        sitters::list(&self.db, &viewer_of(&org()), active).await.unwrap()
    }
}

fn in_use<T: std::fmt::Debug>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Conflict { code: "phone_in_use", .. }))
}

async fn a_sitter_is_added_with_a_number_that_nobody_else_has(engine: Engine) {
    on(engine, async |business| {
        // The organisation is British, so this is how its people write their numbers.
        let added = business.add_sitter("org-1", json!({"name": " Alex ", "phone": "07700 900123"})).await.unwrap();
        assert_eq!((added.name.as_str(), added.phone_number.e164().as_str()), ("Alex", "+447700900123"));
        assert_eq!((added.active, added.tier, added.tier_computed_at), (true, Tier::Unrated, None));
        for same in ["+44 7700 900123", "07700900123", "0044 7700 900123"] {
            assert!(in_use(business.add_sitter("org-1", json!({"name": "Kim", "phone": same})).await), "{same}");
        }
        // One that was stored in another form.
        business.set("UPDATE sitters SET phone_number = '15550100001' WHERE id = 'sitter-1'").await;
        assert!(in_use(business.add_sitter("org-1", json!({"name": "Kim", "phone": "+15550100001"})).await));
        // Another business is another world; a masking number is nobody's.
        business.add_sitter("org-2", json!({"name": "Alex", "phone": "+447700900123", "active": false})).await.unwrap();
        business.add_number("pool-1", "pool", "org-2").await;
        let number: String = business.db.read("SELECT e164 FROM message_numbers").scalar().await.unwrap();
        assert!(in_use(business.add_sitter("org-1", json!({"name": "Kim", "phone": number})).await));

        for (wrong, fields) in [
            (json!({}), vec!["name", "phone"]),
            (json!({"name": " ", "phone": "12"}), vec!["name", "phone"]),
            (json!({"name": "x".repeat(201), "phone": "+15550100077"}), vec!["name"]),
            (json!({"name": "Kim", "phone": "+15550100077 and +15550100078"}), vec!["phone"]),
        ] {
            let refused = business.add_sitter("org-1", wrong).await;
            let Err(Error::Invalid(found)) = refused else { panic!("{refused:?}") };
            assert_eq!(found.keys().collect::<Vec<_>>(), fields);
        }
        assert_eq!(business.audited("sitter.added").await, 2);
    })
    .await;
}

async fn a_change_is_recorded_without_the_number_and_nothing_changes_without_one(engine: Engine) {
    on(engine, async |business| {
        let same = json!({"name": "Sam", "phone": "+1 555 010 0001", "active": true});
        for nothing in [json!({}), same] {
            let patched = business.change_sitter("sitter-1", nothing).await.unwrap();
            assert_eq!((patched.reactivated, patched.deactivated), (false, false));
        }
        assert_eq!(business.audited("sitter.changed").await, 0);
        let patched = business.change_sitter("sitter-1", json!({"name": "Sam B", "active": false})).await.unwrap();
        assert!(patched.deactivated && !patched.reactivated && !patched.sitter.active);
        let patched =
            business.change_sitter("sitter-1", json!({"phone": "+15550100011", "active": true})).await.unwrap();
        assert!(patched.reactivated && !patched.deactivated);
        assert_eq!((patched.sitter.name.as_str(), patched.sitter.phone_number.digits()), ("Sam B", "15550100011"));
        let noted: Vec<(Option<SitterId>, Json<Value>)> = business
            .db
            .read("SELECT sitter_id, metadata FROM event_log WHERE event_type = 'sitter.changed' ORDER BY id")
            .all()
            .await
            .unwrap();
        let noted: Vec<_> = noted.into_iter().map(|(who, facts)| (who.unwrap(), facts.0)).collect();
        let change = |fields: Value, active| (sitter(), json!({"changed": fields, "active": active}));
        assert_eq!(noted, [change(json!(["name", "active"]), false), change(json!(["phone", "active"]), true)]);
    })
    .await;
}

async fn a_sitters_number_may_not_be_anothers(engine: Engine) {
    on(engine, async |business| {
        assert!(in_use(business.change_sitter("sitter-1", json!({"phone": "+15550100002"})).await));
        let refused = business.change_sitter("sitter-1", json!({"phone": "none", "name": ""})).await;
        assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields.len() == 2), "{refused:?}");
        // That of another organisation is free, and its sitters can't be found.
        business.change_sitter("sitter-1", json!({"phone": "+15550100009"})).await.unwrap();
        assert!(matches!(business.change_sitter("sitter-9", json!({"name": "Mine"})).await, Err(Error::NotFound)));
        assert!(matches!(business.change_sitter("nobody", json!({})).await, Err(Error::NotFound)));
    })
    .await;
}

async fn sitters_are_listed_by_name(engine: Engine) {
    on(engine, async |business| {
        business.add_sitter("org-1", json!({"name": "Alex", "phone": "+15550100077", "active": false})).await.unwrap();
        let names = |listed: Vec<SitterView>| listed.into_iter().map(|view| view.sitter.name).collect::<Vec<_>>();
        assert_eq!(names(business.sitters(None).await), ["Alex", "Sam", "Sam"]);
        assert_eq!(names(business.sitters(Some(true)).await), ["Sam", "Sam"]);
        let inactive = business.sitters(Some(false)).await.remove(0);
        assert_eq!(inactive.sitter.phone, "+15550100077");
        assert!(inactive.metrics.seven_days.is_none() && inactive.metrics.twenty_eight_days.is_none());
    })
    .await;
}
