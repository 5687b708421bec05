//! However people write a phone number, the text or call reaches that phone or nobody.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use serde_json::{Value, json};

use crate::support::business::{self, booking};
use crate::support::probes::Probes;
use crate::support::process::World;
use crate::support::{Nightshift, on};

each_engine! {
    a_text_goes_to_the_phone_that_was_meant,
    one_number_written_in_many_ways_is_one_client,
    what_may_be_another_phone_is_refused_by_field,
    requesters_providers_and_numbers_are_read_in_the_organisations_country,
    a_seed_file_is_read_in_each_organisations_country,
    doctor_names_stored_numbers_that_may_be_somebody_elses(flavor = "multi_thread"),
}

/// Makes the first organisation one of New York, as it stood before organisations had a country.
async fn in_new_york(program: &Probes) {
    let sql = "UPDATE organizations SET country = NULL, timezone = 'America/New_York' WHERE id = 'org-paws'";
    program.given(sql).await;
}

async fn in_country(nightshift: &Nightshift, code: &str) {
    let sql = "UPDATE organizations SET country = $1 WHERE id = 'org-paws'";
    nightshift.db.write(sql).bind(code).execute().await.unwrap();
}

fn booking_with(phone: &str) -> Value {
    let mut body = booking();
    body["phone"] = json!(phone);
    body
}

async fn a_text_goes_to_the_phone_that_was_meant(engine: Engine) {
    on(engine, async |nightshift| {
        in_new_york(&nightshift).await;
        let meant = [
            ("(212) 555-0123", "+12125550123"),
            ("+44 (0)7911 123456", "+447911123456"),
            ("+49 (0) 1512 3456789", "+4915123456789"),
            ("5551234567", "+15551234567"),
            ("447900000001", "+447900000001"),
        ];
        for (number, (written, e164)) in meant.into_iter().enumerate() {
            let id = nightshift.book_as(booking_with(written)).await;
            nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
            let delivered = i64::try_from(number + 1).unwrap();
            nightshift.texts().delivered().until(delivered).await;
            let to = nightshift.simulator.twilio().read(|ledger| ledger.messages()[number].to.clone());
            assert_eq!(to, e164, "{written}");
        }
    })
    .await;
}

async fn one_number_written_in_many_ways_is_one_client(engine: Engine) {
    on(engine, async |nightshift| {
        in_new_york(&nightshift).await;
        for written in [
            "(212) 555-0123",
            "212.555.0123",
            "1-212-555-0123",
            "+1 212 555 0123",
            "tel:+1-212-555-0123",
            "\u{202a}+1\u{a0}212\u{2011}555\u{2011}0123\u{202c}",
            "２１２５５５０１２３",
        ] {
            nightshift.book_as(booking_with(written)).await;
        }
        assert_eq!(nightshift.clients().one().await.phone_number, "+12125550123");
    })
    .await;
}

async fn what_may_be_another_phone_is_refused_by_field(engine: Engine) {
    on(engine, async |nightshift| {
        in_new_york(&nightshift).await;
        for written in [
            "07911 123456",
            "555-0123",
            "+1 555 123 456",
            "+1 (555) 123-4567 x12",
            "+2125550123",
            "00 44 7911 123456",
            "55512345678",
            "2125550123 / 2125550124",
            "1-800-FLOWERS",
            "",
        ] {
            let answer = nightshift.post("/api/bookings", booking_with(written)).await.expect(422).json();
            assert!(answer["fields"]["phone"].is_string(), "{written}: {answer}");
            let request =
                json!({"title": "Teeth", "userPhone": written, "providers": [{"name": "A", "phone": written}]});
            let answer = nightshift.post("/api/v1/service-requests", request).await.expect(422).json();
            let fields = &answer["fields"];
            let fields = if fields.is_object() { fields } else { &answer["error"]["fields"] };
            assert!(fields["userPhone"].is_string() && fields["providers[0].phone"].is_string(), "{written}: {answer}");
            let number = json!({"e164": written, "numberClass": "pool", "provider": "mock"});
            let answer = nightshift.post("/api/messages/numbers", number).await.expect(422).json();
            assert!(answer["fields"]["e164"].is_string(), "{written}: {answer}");
        }
        assert_eq!(nightshift.clients().count().await, 0);
        assert_eq!(nightshift.service_requests().count().await, 0);
        // Without a country only what is international by itself is read.
        nightshift.move_organization("org-paws", "UTC").await;
        nightshift.post("/api/bookings", booking_with("(212) 555-0123")).await.expect(422);
        nightshift.post("/api/bookings", booking_with("447900000001")).await.expect(201);
    })
    .await;
}

async fn requesters_providers_and_numbers_are_read_in_the_organisations_country(engine: Engine) {
    on(engine, async |nightshift| {
        in_country(&nightshift, "GB").await;
        let request = json!({"title": "Teeth", "userPhone": "07911 123456",
                             "providers": [{"name": "Bright Dental", "phone": "(020) 7946 0018"}]});
        let made = nightshift.post("/api/v1/service-requests", request).await.expect(201).json();
        let id = made["data"]["id"].as_str().unwrap();
        let more = json!({"name": "Other Dental", "phone": "00 1 212 555 0177"});
        nightshift.post(&format!("/api/v1/service-requests/{id}/providers"), more).await.expect(201);
        let number = json!({"e164": "07911 654321", "numberClass": "pool", "provider": "mock"});
        nightshift.post("/api/messages/numbers", number).await.expect(201);
        assert_eq!(nightshift.service_requests().one().await.user_phone.as_deref(), Some("+447911123456"));
        assert_eq!(nightshift.service_providers().count().await, 2);
        let bright = nightshift.service_providers().named("Bright Dental").one().await;
        let other = nightshift.service_providers().named("Other Dental").one().await;
        assert_eq!((bright.phone.as_str(), other.phone.as_str()), ("+442079460018", "+12125550177"));
        assert_eq!(nightshift.numbers().of_carrier("mock").one().await.e164, "+447911654321");

        // A wish names the provider's phone as people write it, and a customer's.
        let wish = |phone: &str, customer: &str| {
            json!({"serviceRequestId": id, "providerId": bright.id, "providerPhone": phone, "customerPhone": customer})
        };
        let path = "/api/v1/bookings/schedule-async";
        nightshift.post(path, wish("020 7946 0019", "07911 123456")).await.expect(422);
        nightshift.post(path, wish("020 7946 0018", "(212) 555-0123")).await.expect(422);
        nightshift.post(path, wish("020 7946 0018", "07911 000001")).await.expect(202);
        let told = nightshift.calls().one().await.request_body;
        assert_eq!((&told["providerPhone"], &told["customerPhone"]), (&json!("+442079460018"), &json!("+447911000001")));
    })
    .await;
}

async fn a_seed_file_is_read_in_each_organisations_country(engine: Engine) {
    on(engine, async |nightshift| {
        let seed = json!({
            "organizations": [
                {"id": "org-de", "name": "Hund", "slug": "hund", "timezone": "Europe/Berlin"},
                {"id": "org-us", "name": "Dog", "slug": "dog", "timezone": "UTC", "country": "US"},
            ],
            "sitters": [{"id": "s-de", "orgId": "org-de", "name": "Kim", "phone": "01512 3456789"}],
            "clients": [{"id": "c-us", "orgId": "org-us", "firstName": "A", "lastName": "B", "phone": "(212) 555-0123"}],
            "numbers": [{"id": "n-us", "orgId": "org-us", "e164": "(212) 555-0140", "numberClass": "pool", "provider": "mock"}],
            "bookings": [{"id": "b-us", "orgId": "org-us", "clientId": "c-us", "service": "dog_walking",
                          "startAt": "2034-12-31T10:00:00Z", "endAt": "2034-12-31T11:00:00Z"}],
        });
        business::load(&nightshift.db, seed).await;
        let sitter: Vec<(String,)> = nightshift.rows("SELECT phone_number FROM sitters WHERE id = 's-de'").await;
        assert_eq!(sitter, [("+4915123456789".to_owned(),)]);
        assert_eq!(nightshift.clients().one().await.phone_number, "+12125550123");
        assert_eq!(nightshift.numbers().of_carrier("mock").one().await.e164, "+12125550140");
        let countries: Vec<(Option<String>,)> = nightshift
            .rows("SELECT country FROM organizations WHERE id IN ('org-de', 'org-us', 'org-paws') ORDER BY id")
            .await;
        assert_eq!(countries, [(Some("DE".to_owned()),), (None,), (Some("US".to_owned()),)]);
    })
    .await;
}

// The simulator answers while the command waits for it.
async fn doctor_names_stored_numbers_that_may_be_somebody_elses(engine: Engine) {
    let world = World::on(engine).await;
    let doctor = || String::from_utf8(world.command(&["doctor"]).output().unwrap().stdout).unwrap();
    assert!(doctor().contains("every stored phone number is possible"));
    let db = world.db();
    in_new_york(&world).await;
    for (id, number) in [
        ("client-old", "+4407911123456"),
        ("client-nz", "+6465550123"),
        ("client-ok", "+15551234567"),
        // Whoever texts from a short code or under a name is a client as well.
        ("client-code", "24365"),
        ("client-name", "AMAZON"),
    ] {
        let sql = "INSERT INTO clients (id, org_id, phone_number) VALUES ($1, 'org-paws', $2)";
        db.write(sql).bind(id).bind(number).execute().await.unwrap();
    }
    let told = doctor();
    let line = |id: &str| told.lines().find(|line| line.contains(id)).unwrap_or_default().to_owned();
    assert!(line("client-old").contains("1 clients") && line("client-old").contains("not valid"), "{told}");
    assert!(line("client-nz").contains("1 clients") && line("client-nz").contains("foreign"), "{told}");
    assert!(!told.contains("client-ok") && !told.contains("7911123456") && !told.contains("6465550123"), "{told}");
    assert!(!told.contains("client-code") && !told.contains("client-name"), "{told}");
    assert!(told.contains("nothing is wrong"), "{told}");
}
