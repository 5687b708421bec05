//! What bookings cost: rules by version, what each booking was priced with, and pricing one anew.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{booking, booking_of, paid};
use crate::support::{Caller, Nightshift, on};

each_engine! {
    a_booking_is_priced_when_it_is_made_and_stays_so_until_somebody_asks,
    what_has_no_price_says_so,
    rules_are_versions_that_nobody_can_change,
}

/// 20.00 per half hour, 5.00 more per further pet.
pub fn rule() -> Value {
    json!({
        "service": "dog_walking", "effectiveFrom": "2024-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30,
        "extraQuantityMinor": 500, "addOns": {"key_pickup": 700},
    })
}

async fn pricing(nightshift: &Nightshift, booking: &str) -> Value {
    nightshift.get(&format!("/api/bookings/{booking}/pricing")).await.expect(200).json()
}

async fn a_booking_is_priced_when_it_is_made_and_stays_so_until_somebody_asks(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let mut body = booking();
        body["quantity"] = json!(2);
        body["addOns"] = json!(["key_pickup"]);
        body["discountMinor"] = json!(200);
        let made = nightshift.post("/api/bookings", body).await.expect(201).json();
        let id = made["booking"]["id"].as_str().unwrap();
        // Two half hours of 25.00, the key 7.00, less 2.00.
        assert_eq!(made["booking"]["totalMinor"], 5500);
        assert_eq!(made["booking"]["currency"], "USD");
        let first = pricing(&nightshift, id).await;
        assert_eq!(first["snapshot"]["id"], made["booking"]["pricingSnapshotId"]);
        assert_eq!(first["snapshot"]["totalMinor"], 5500);
        assert_eq!(first["recomputed"]["totalMinor"], 5500);
        assert_eq!(first["drift"], Value::Null);
        let lines = first["snapshot"]["lines"].as_array().unwrap();
        let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["base", "key_pickup", "discount"]);

        // A new price list changes nothing that was agreed, and an edit neither; the second is shown as drift.
        let mut dearer = rule();
        dearer["baseMinor"] = json!(9000);
        dearer["effectiveFrom"] = json!(nightshift.clock.now() + Duration::from_secs(60));
        nightshift.post("/api/pricing-rules", dearer).await.expect(201);
        nightshift.clock.advance(Duration::from_secs(120));
        assert_eq!(pricing(&nightshift, id).await["drift"], Value::Null);
        let edited = nightshift.patch(&format!("/api/bookings/{id}"), json!({"quantity": 1})).await.expect(200).json();
        assert_eq!(edited["booking"]["totalMinor"], 5500);
        let drift = pricing(&nightshift, id).await["drift"].clone();
        assert_eq!(
            drift,
            json!({"storedMinor": 5500, "recomputedMinor": 4500, "driftMinor": 1000,
                   "driftPercent": drift["driftPercent"], "severity": "high", "cause": "inputs_changed"})
        );

        // Priced anew it follows the list of today: two half hours of 90.00, the key, less 2.00.
        let path = format!("/api/bookings/{id}/reprice");
        let repriced = nightshift.post(&path, json!({"reason": "one dog only"})).await.expect(200).json();
        assert_eq!(repriced["snapshot"]["totalMinor"], 18_500);
        assert_eq!(repriced["booking"]["totalMinor"], 18_500);
        assert_eq!(repriced["booking"]["pricingSnapshotId"], repriced["snapshot"]["id"]);
        assert_eq!(pricing(&nightshift, id).await["drift"], Value::Null);
        let log = nightshift.get("/api/event-log?eventType=booking.repriced").await.expect(200).json();
        assert_eq!(log["events"][0]["metadata"]["reason"], "one dog only");
        assert_eq!(log["events"][0]["metadata"]["fromMinor"], 5500);

        // And with an edit in one step.
        let change = json!({"discountMinor": 0, "reprice": true});
        let both = nightshift.patch(&format!("/api/bookings/{id}"), change).await.expect(200).json();
        assert_eq!(both["booking"]["totalMinor"], 18_700);
        assert_eq!(nightshift.price_snapshots().count().await, 3, "each is kept");
        // A payment of another amount is put before people.
        nightshift.stripe(&paid("evt_1", id)).await.expect(200);
        nightshift.exceptions("payment_amount_mismatch").until(1).await;
    })
    .await;
}

async fn what_has_no_price_says_so(engine: Engine) {
    on(engine, async |nightshift| {
        let unpriced = nightshift.book().await;
        nightshift.get(&format!("/api/bookings/{unpriced}/pricing")).await.expect(404);
        let path = format!("/api/bookings/{unpriced}/reprice");
        let refused = nightshift.post(&path, json!({"reason": "why not"})).await.expect(409).json();
        assert_eq!(refused["code"], "no_pricing_rule");
        nightshift.post(&path, json!({})).await.expect(422);
        nightshift.post("/api/bookings/none/reprice", json!({"reason": "why not"})).await.expect(404);

        nightshift.post("/api/pricing-rules", rule()).await.expect(201);
        let mut odd = booking_of(1);
        odd["addOns"] = json!(["spa"]);
        let refused = nightshift.post("/api/bookings", odd).await.expect(422).json();
        assert!(refused["fields"]["addOns"].as_str().unwrap().contains("\"spa\""), "{refused}");
        // What came before the price can be priced now, unless it is cancelled.
        nightshift.post(&path, json!({"reason": "there is a price now"})).await.expect(200);
        nightshift.post(&format!("/api/bookings/{unpriced}/cancel"), json!({})).await.expect(200);
        nightshift.post(&path, json!({"reason": "too late"})).await.expect(409);
    })
    .await;
}

async fn rules_are_versions_that_nobody_can_change(engine: Engine) {
    on(engine, async |nightshift| {
        let first = nightshift.post("/api/pricing-rules", rule()).await.expect(201).json();
        assert_eq!((&first["rule"]["version"], &first["rule"]["currency"]), (&json!(1), &json!("USD")));
        let mut second = rule();
        second["effectiveFrom"] = json!("2023-12-31T23:59:59Z");
        let refused = nightshift.post("/api/pricing-rules", second.clone()).await.expect(422).json();
        assert!(refused["fields"]["effectiveFrom"].is_string(), "{refused}");
        second["effectiveFrom"] = json!("2025-01-01T00:00:00Z");
        nightshift.post("/api/pricing-rules", second).await.expect(201);
        let rules = nightshift.get("/api/pricing-rules").await.expect(200).json();
        let versions: Vec<_> = rules["rules"].as_array().unwrap().iter().map(|rule| rule["version"].clone()).collect();
        assert_eq!(versions, [json!(2), json!(1)]);

        let wrong = json!({
            "baseMinor": -1, "unitMinutes": 0, "weekendPercent": 1001, "holidays": ["2025-02-30"],
            "addOns": {"": 5}, "currency": "usd", "taxPercentBp": 10_001, "minUnits": 0,
        });
        let refused = nightshift.post("/api/pricing-rules", wrong).await.expect(422).json();
        let fields: Vec<_> = refused["fields"].as_object().unwrap().keys().map(String::as_str).collect();
        let all = [
            "addOns",
            "baseMinor",
            "currency",
            "effectiveFrom",
            "holidays",
            "minUnits",
            "service",
            "taxPercentBp",
            "unitMinutes",
            "weekendPercent",
        ];
        assert_eq!(fields, all);
        nightshift.post("/api/pricing-rules", json!({"price": 5})).await.expect(422);

        nightshift.book().await;
        for sql in [
            "UPDATE pricing_rules SET base_minor = 1",
            "DELETE FROM pricing_rules",
            "UPDATE pricing_snapshots SET total_minor = 1",
            "DELETE FROM pricing_snapshots",
        ] {
            let refusal = nightshift.db.write(sql).execute().await.unwrap_err().to_string();
            assert!(refusal.contains("immutable"), "{sql}: {refusal}");
        }
        // A version begins when it says: the booking was made before the second one did.
        let used: Vec<(Timestamp, i64)> = nightshift
            .rows("SELECT s.priced_at, r.version FROM pricing_snapshots s JOIN pricing_rules r ON r.id = s.rule_id")
            .await;
        assert_eq!(used[0].1, 1);
        nightshift.send(Method::DELETE, "/api/pricing-rules", &Caller::Nobody, None).await.expect(405);
    })
    .await;
}
