//! Every list of conversations and sitters is read page by page: each row once, in the order of the whole list.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::InboundSpec;
use serde_json::{Value, json};

use crate::support::business::{self, booking_of};
use crate::support::{Nightshift, on};

each_engine! {
    every_list_is_paged_row_by_row,
    a_sitters_own_phone_is_no_masking_number,
}

const POOL: &str = "+15550199001";

/// Returns the rows of one page, and the cursor of the next.
async fn page(nightshift: &Nightshift, path: &str) -> (Vec<Value>, Option<String>) {
    let mut answer = nightshift.get(path).await.expect(200).json();
    let fields = answer.as_object_mut().unwrap();
    let next = fields.remove("nextCursor").expect(path);
    let rows = fields.values().next().and_then(Value::as_array).expect(path).clone();
    (rows, next.as_str().map(str::to_owned))
}

async fn every_list_is_paged_row_by_row(engine: Engine) {
    on(engine, async |nightshift| {
        let number = |id: &str, e164: &str| {
            json!({"id": id, "orgId": "org-paws", "e164": e164, "numberClass": "pool", "provider": "twilio"})
        };
        let sitter = |id: &str, phone: &str| json!({"id": id, "orgId": "org-paws", "name": "Lee", "phone": phone});
        let more = json!({
            "numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": "+15550199000", "numberClass": "front_desk", "provider": "twilio"}, number("number-2", "+15550199002"), number("number-3", "+15550199003")],
            "sitters": [sitter("sitter-lee", "+15550100003"), sitter("sitter-moe", "+15550100004")],
        });
        business::load(&nightshift.db, more).await;
        for number in 0..3 {
            let mut body = booking_of(number);
            body["sitterId"] = json!("sitter-sam");
            let booking = nightshift.book_as(body).await;
            nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        }
        let offered = nightshift.book().await;
        let offers = json!({"sitterIds": ["sitter-sam", "sitter-lee", "sitter-moe"]});
        nightshift.post(&format!("/api/bookings/{offered}/offers"), offers).await.expect(201);
        let twilio = nightshift.simulator.twilio();
        twilio.set_inbound_url(format!("{}/api/twilio/inbound", nightshift.app.url()));
        for body in ["one", "two", "three"] {
            twilio.receive(InboundSpec::new("+15550177001", POOL, body)).await;
        }
        nightshift.webhooks("twilio").processed().until(3).await;
        nightshift.quiet().await;
        // Within the windows of the bookings.
        nightshift.clock.set("2024-12-31T10:30:00Z".parse().unwrap());
        let found = nightshift.get("/api/messages/threads?scope=client_general").await.expect(200).json();
        let general = found["threads"][0]["id"].as_str().unwrap();
        for (list, rows) in [
            ("/api/assignments/windows?".to_owned(), 3),
            (format!("/api/messages/threads/{general}/routing-trace?"), 3),
            ("/api/messages/threads?mailbox=all&".to_owned(), 7),
            ("/api/messages/numbers?".to_owned(), 4),
            ("/api/sitters?".to_owned(), 3),
            ("/api/sitters/sitter-sam/messages?".to_owned(), 3),
            ("/api/sitter/threads?sitterId=sitter-sam&".to_owned(), 3),
            ("/api/offers?".to_owned(), 3),
            ("/api/clients?".to_owned(), 5),
        ] {
            let (whole, none) = page(&nightshift, &format!("{list}limit=200")).await;
            assert_eq!((whole.len(), none), (rows, None), "{list}");
            let (mut read, mut cursor) = (Vec::new(), String::new());
            loop {
                let (mut one, next) = page(&nightshift, &format!("{list}limit=1{cursor}")).await;
                assert_eq!(one.len(), 1, "{list}");
                read.append(&mut one);
                match next {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(read, whole, "{list}");
            assert_eq!(nightshift.get(&format!("{list}cursor=nonsense")).await.expect(400).code(), "bad_cursor");
        }
    })
    .await;
}

async fn a_sitters_own_phone_is_no_masking_number(engine: Engine) {
    on(engine, async |nightshift| {
        let new = |e164: &str| json!({"e164": e164, "numberClass": "pool", "provider": "twilio"});
        let refused = nightshift.post("/api/messages/numbers", new("+15550100001")).await.expect(409);
        assert_eq!(refused.code(), "phone_in_use");
        nightshift.post("/api/messages/numbers", new("+15550100009")).await.expect(201);
    })
    .await;
}
