//! Conversations as owners and sitters work with them over the API, the clients they are with, and a sitter's day.

use nightshift::web::table;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::access::api_keys::Scope;
use nightshift_lab::simulator::InboundSpec;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking, booking_of};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    the_owner_and_the_sitter_read_with_a_counter_each,
    a_conversation_is_put_away_closed_and_assigned_and_lists_follow,
    assigning_a_conversation_moves_its_mailbox_and_nothing_else,
    another_sitter_has_the_booking_its_window_and_its_conversation_at_once,
    a_change_that_cannot_be_is_refused_by_its_reason,
    a_text_shows_its_media_its_wish_and_its_author,
    a_sitters_day_shows_what_they_need,
    no_answer_to_a_sitter_holds_a_clients_number,
    clients_are_listed_found_and_shown_to_their_organisation,
}

const DIGITS: &str = "5551234567";
const CLIENT: &str = "+15551234567";
const OURS: &str = "+15550199001";

/// A confirmed booking with its conversation, on a program with authentication.
struct Scene {
    nightshift: Nightshift,
    owner: Caller,
    sitter: Caller,
    booking: String,
    thread: String,
}

impl Scene {
    async fn get(&self, path: &str, caller: &Caller) -> Answer {
        self.nightshift.send(Method::GET, path, caller, None).await
    }

    async fn patch(&self, body: Value) -> Answer {
        let path = format!("/api/messages/threads/{}", self.thread);
        self.nightshift.send(Method::PATCH, &path, &self.owner, Some(body)).await
    }

    async fn read(&self, caller: &Caller, body: Option<Value>) -> Answer {
        let path = format!("/api/messages/threads/{}/read", self.thread);
        self.nightshift.send(Method::POST, &path, caller, body).await
    }

    async fn thread(&self, caller: &Caller) -> Value {
        let path = format!("/api/messages/threads/{}", self.thread);
        self.get(&path, caller).await.expect(200).json()["thread"].clone()
    }

    /// The ids of the conversations that a list shows the owner.
    async fn listed(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/api/messages/threads{query}"), &self.owner).await.expect(200).json();
        answer["threads"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Moves the clock into the booking's window.
    fn during(&self) {
        self.nightshift.clock.set("2024-12-30T00:30:00Z".parse().unwrap());
    }

    /// Has the client write, and waits until the text is routed. Returns its id.
    async fn receive(&self, body: &str) -> String {
        let before = self.nightshift.webhooks("twilio").handled().count().await;
        let spec = InboundSpec::new(CLIENT, OURS, body).media_url("https://media.test/1.jpg");
        self.nightshift.simulator.twilio().receive(spec).await;
        self.nightshift.webhooks("twilio").handled().until(before + 1).await;
        let newest = "SELECT id FROM message_events WHERE direction = 'inbound' ORDER BY id DESC LIMIT 1";
        self.nightshift.db.read(newest).scalar().await.unwrap()
    }
}

async fn on_scene(engine: Engine, test: impl AsyncFnOnce(Scene)) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sitter = nightshift.sign_in(business::SITTER).await;
            let mut body = booking();
            (body["sitterId"], body["address"]) = (json!("sitter-sam"), json!("14 Juniper Street"));
            (body["startAt"], body["endAt"]) = (json!("2024-12-30T00:00:00Z"), json!("2024-12-30T01:00:00Z"));
            let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(body)).await.expect(201).json();
            let booking = made["booking"]["id"].as_str().unwrap().to_owned();
            let confirm = format!("/api/bookings/{booking}/confirm");
            nightshift.send(Method::POST, &confirm, &owner, Some(json!({}))).await.expect(200);
            nightshift.quiet().await;
            let thread = nightshift.threads().one().await.id;
            nightshift.simulator.twilio().set_inbound_url(format!("{}/api/twilio/inbound", nightshift.app.url()));
            test(Scene { nightshift, owner, sitter, booking, thread }).await;
        },
    )
    .await;
}

async fn the_owner_and_the_sitter_read_with_a_counter_each(engine: Engine) {
    on_scene(engine, async |scene| {
        // Before the window the conversation is not the sitter's to read.
        scene.read(&scene.sitter, None).await.expect(404);
        scene.receive("Is the window open?").await;
        scene.during();
        for body in ["Where are you?", "The dog waits"] {
            scene.receive(body).await;
        }
        // The first is the owner's, because no window was active; the others are the sitter's.
        assert_eq!(scene.thread(&scene.owner).await["unread"], 1);
        assert_eq!(scene.thread(&scene.sitter).await["unread"], 2);
        let shown = scene.get(&format!("/api/messages/threads/{}/messages", scene.thread), &scene.sitter).await;
        let up_to = shown.expect(200).json()["readUpTo"].clone();
        scene.receive("Never mind").await;
        let read = scene.read(&scene.sitter, Some(json!({"upTo": up_to}))).await.expect(200).json();
        assert_eq!(read["thread"]["unread"], 1, "the text that arrived meanwhile");
        assert_eq!(scene.listed("?mailbox=all&unread=true").await, std::slice::from_ref(&scene.thread));
        let read = scene.read(&scene.owner, None).await.expect(200).json();
        assert_eq!(read["thread"]["unread"], 0);
        assert_eq!(scene.thread(&scene.sitter).await["unread"], 1);
        // What the sitter has not read is the owner's when the sitter is taken off.
        let taken = scene.patch(json!({"assignedSitterId": null})).await.expect(200).json();
        assert_eq!((&taken["thread"]["mailbox"], &taken["thread"]["unread"]), (&json!("owner"), &json!(0)));
        scene.receive("Who comes now?").await;
        assert_eq!(scene.thread(&scene.owner).await["unread"], 1);
        scene.read(&scene.owner, Some(json!({"upTo": "all"}))).await.expect(422);
    })
    .await;
}

async fn a_conversation_is_put_away_closed_and_assigned_and_lists_follow(engine: Engine) {
    on_scene(engine, async |scene| {
        let (own, none) = (vec![scene.thread.clone()], Vec::<String>::new());
        // It is the sitter's: the owner's inbox shows it only on request.
        assert_eq!(scene.listed("").await, none);
        assert_eq!(scene.listed("?mailbox=sitter").await, own);
        assert_eq!(scene.listed("?mailbox=all").await, own);
        let mailbox = async |caller: &Caller| {
            let answer = scene.get("/api/sitters/sitter-sam/messages", caller).await.expect(200).json();
            answer["threads"].as_array().unwrap().len()
        };
        assert_eq!((mailbox(&scene.owner).await, mailbox(&scene.sitter).await), (1, 1));
        scene.get("/api/sitters/sitter-kim/messages", &scene.owner).await.expect(404);
        scene.get("/api/sitters/sitter-kim/messages", &scene.sitter).await.expect(404);
        scene.patch(json!({"assignedSitterId": null})).await.expect(200);
        assert_eq!((scene.listed("").await, mailbox(&scene.sitter).await), (own.clone(), 0));

        let done = scene.patch(json!({"done": true, "unread": true})).await.expect(200).json();
        assert!(done["thread"]["doneAt"].is_string(), "{done}");
        assert_eq!(scene.listed("?done=true&unread=true").await, own);
        assert_eq!(scene.listed("?done=false").await, none);
        scene.receive("One more thing").await;
        assert_eq!(scene.listed("?done=false&status=open").await, own);
        scene.patch(json!({"unread": false})).await.expect(200);
        assert_eq!(scene.listed("?unread=true").await, none);

        scene.patch(json!({"status": "closed"})).await.expect(200);
        assert_eq!(scene.listed("?status=closed").await, own);
        let path = format!("/api/messages/threads/{}/messages", scene.thread);
        let post = async || scene.nightshift.send(Method::POST, &path, &scene.owner, Some(json!({"body": "Hi"}))).await;
        assert_eq!(post().await.expect(409).code(), "thread_closed");
        scene.patch(json!({"status": "open"})).await.expect(200);
        post().await.expect(200);
        let changes = scene.get("/api/event-log?eventType=thread.changed", &scene.owner).await.expect(200).json();
        let entries = changes["events"].as_array().unwrap();
        assert_eq!(entries.len(), 5, "{changes}");
        assert!(entries.iter().all(|entry| entry["actorId"] == "user-owner"), "{changes}");
    })
    .await;
}

/// Adds Ann, a second sitter, and signs her in.
async fn ann(scene: &Scene) -> Caller {
    let nightshift = &scene.nightshift;
    business::load(
        &nightshift.db,
        json!({
            "sitters": [{"id": "sitter-ann", "orgId": "org-paws", "name": "Ann", "phone": "+15550100003"}],
            "users": [{"id": "user-ann", "orgId": "org-paws", "email": "ann@paws.test", "name": "Ann", "role": "sitter",
                       "sitterId": "sitter-ann"}],
        }),
    )
    .await;
    let sql = "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = 'user-sam')
               WHERE id = 'user-ann'";
    nightshift.given(sql).await;
    nightshift.sign_in("ann@paws.test").await
}

/// What a sitter has: how many conversations are open to them, how many are in their mailbox, and whether they may write.
async fn has(scene: &Scene, id: &str, sitter: &Caller) -> (usize, usize, u16) {
    let count =
        async |path: String| scene.get(&path, sitter).await.expect(200).json()["threads"].as_array().unwrap().len();
    let (open, mailbox) =
        (count("/api/sitter/threads".to_owned()).await, count(format!("/api/sitters/{id}/messages")).await);
    let path = format!("/api/messages/threads/{}/messages", scene.thread);
    let wrote = scene.nightshift.send(Method::POST, &path, sitter, Some(json!({"body": "Hi"}))).await;
    (open, mailbox, wrote.status)
}

async fn window_of(scene: &Scene) -> Value {
    let path = format!("/api/assignments/windows?bookingId={}", scene.booking);
    scene.get(&path, &scene.owner).await.expect(200).json()["windows"][0]["sitterId"].clone()
}

async fn assigning_a_conversation_moves_its_mailbox_and_nothing_else(engine: Engine) {
    on_scene(engine, async |scene| {
        let ann = ann(&scene).await;
        scene.during();
        assert_eq!(has(&scene, "sitter-sam", &scene.sitter).await, (1, 1, 200));
        let moved = scene.patch(json!({"assignedSitterId": "sitter-ann"})).await.expect(200).json();
        assert_eq!(moved["thread"]["assignedSitterId"], "sitter-ann");
        // Who may read and write is decided by the window, which is that of the booking's sitter.
        assert_eq!(has(&scene, "sitter-sam", &scene.sitter).await, (1, 0, 200));
        assert_eq!(has(&scene, "sitter-ann", &ann).await, (0, 1, 403));
        let shown = scene.get(&format!("/api/bookings/{}", scene.booking), &scene.owner).await.expect(200).json();
        assert_eq!(
            (&shown["booking"]["sitterId"], &window_of(&scene).await),
            (&json!("sitter-sam"), &json!("sitter-sam"))
        );
    })
    .await;
}

async fn another_sitter_has_the_booking_its_window_and_its_conversation_at_once(engine: Engine) {
    on_scene(engine, async |scene| {
        let ann = ann(&scene).await;
        scene.during();
        // No job follows the change.
        scene.nightshift.pause("bookings").await;
        let give = async |sitter: Value| {
            let path = format!("/api/bookings/{}", scene.booking);
            let body = json!({"sitterId": sitter});
            scene.nightshift.send(Method::PATCH, &path, &scene.owner, Some(body)).await.expect(200);
        };
        assert_eq!(has(&scene, "sitter-sam", &scene.sitter).await, (1, 1, 200));
        give(json!("sitter-ann")).await;
        assert_eq!(has(&scene, "sitter-sam", &scene.sitter).await, (0, 0, 404));
        assert_eq!(has(&scene, "sitter-ann", &ann).await, (1, 1, 200));
        assert_eq!(window_of(&scene).await, "sitter-ann");
        let told = "SELECT count(*) FROM stream_events WHERE event = 'window.changed' AND topic = 'sitter:sitter-sam'";
        let before = scene.nightshift.count(told).await;
        give(json!("sitter-sam")).await;
        give(Value::Null).await;
        assert_eq!(scene.nightshift.count(told).await, before + 2, "whoever gets the window, and whoever loses it");
        assert_eq!(has(&scene, "sitter-sam", &scene.sitter).await, (0, 0, 404));
        assert_eq!(
            (window_of(&scene).await, &scene.thread(&scene.owner).await["mailbox"]),
            (Value::Null, &json!("owner"))
        );
    })
    .await;
}

async fn a_change_that_cannot_be_is_refused_by_its_reason(engine: Engine) {
    on_scene(engine, async |scene| {
        for body in [
            json!({"assignedSitterId": "sitter-kim"}),
            json!({"assignedSitterId": "nobody"}),
            json!({"status": "archived"}),
            json!({"done": "yes"}),
        ] {
            let field = body.as_object().unwrap().keys().next().unwrap().clone();
            let refused = scene.patch(body).await.expect(422).json();
            assert!(refused["fields"][&field].is_string(), "{refused}");
        }
        for sql in [
            "INSERT INTO message_threads (id, org_id, scope, client_id, message_number_id, status)
             SELECT 'general-1', org_id, 'client_general', client_id, 'number-pool', 'closed' FROM bookings",
            "INSERT INTO message_threads (id, org_id, scope, client_id, message_number_id)
             SELECT 'general-2', org_id, 'client_general', client_id, 'number-pool' FROM bookings",
        ] {
            scene.nightshift.given(sql).await;
        }
        let open = async |id: &str| {
            let (path, body) = (format!("/api/messages/threads/{id}"), json!({"status": "open"}));
            scene.nightshift.send(Method::PATCH, &path, &scene.owner, Some(body)).await
        };
        assert_eq!(open("general-1").await.expect(409).code(), "already_open");
        open("nothing").await.expect(404);
    })
    .await;
}

async fn a_text_shows_its_media_its_wish_and_its_author(engine: Engine) {
    on_scene(engine, async |scene| {
        scene.during();
        let first = scene.receive("On my way").await;
        let second = scene.receive("Please stop texting me").await;
        let path = format!("/api/messages/threads/{}/messages", scene.thread);
        let answer = scene.get(&path, &scene.owner).await.expect(200).json();
        let texts = answer["messages"].as_array().unwrap();
        let ids: Vec<_> = texts.iter().map(|text| text["id"].as_str().unwrap()).collect();
        assert_eq!(ids[ids.len() - 2..], [first.as_str(), second.as_str()]);
        let last = texts.last().unwrap();
        assert_eq!(last["media"], json!(["https://media.test/1.jpg"]));
        let sql = "SELECT provider_at FROM message_events WHERE id = $1";
        let taken: Timestamp = scene.nightshift.db.read(sql).bind(&second).scalar().await.unwrap();
        assert_eq!(last["createdAt"], json!(taken));
        assert_eq!((&last["optOutSuggested"], &last["truncated"]), (&json!(true), &json!(false)));
        assert_eq!((&last["actorName"], &last["routedTo"]), (&json!("Test Client"), &json!("sitter")));
        let own = &texts[0];
        assert_eq!((&own["media"], &own["optOutSuggested"]), (&json!([]), &json!(false)));
        let before = scene.get(&format!("{path}?before={second}&limit=1"), &scene.owner).await.expect(200).json();
        assert_eq!((&before["messages"][0]["id"], &before["readUpTo"]), (&json!(first), &json!(1)));
    })
    .await;
}

async fn a_sitters_day_shows_what_they_need(engine: Engine) {
    on_scene(engine, async |scene| {
        let dashboard = async || scene.get("/api/sitter/dashboard", &scene.sitter).await.expect(200).json();
        let before = dashboard().await;
        assert_eq!((&before["activeConversations"], &before["todaysAssignments"]), (&json!(0), &json!([])));
        assert_eq!(before["businessNumberMasked"], Value::Null);
        let status = json!({
            "active": false, "activeUntil": null, "nextWindowAt": "2024-12-30T00:00:00.000Z",
            "text": "You can message only during assignment windows",
        });
        assert_eq!(before["messagingStatus"], status);
        assert_eq!((&before["tier"], &before["metrics"]), (&json!("unrated"), &json!({"7": null, "28": null})));
        for sql in [
            "UPDATE message_numbers SET number_class = 'front_desk'",
            "INSERT INTO offer_events (id, org_id, sitter_id, booking_id, code, offered_at, expires_at)
             SELECT 'offer-1', org_id, 'sitter-sam', id, 2, '2024-12-30T00:00:00.000Z', '2024-12-30T02:00:00.000Z'
             FROM bookings",
            "INSERT INTO sitter_metrics_windows (id, org_id, sitter_id, window_days, window_end_date, response_rate,
                                                 median_response_seconds, responses_required, responses_given,
                                                 offers_received, computed_at)
             VALUES ('old', 'org-paws', 'sitter-sam', 7, '2024-12-29', 0.5, 700, 8, 4, 1, '2024-12-29T03:00:00.000Z'),
                    ('new', 'org-paws', 'sitter-sam', 7, '2024-12-30', 0.75, 600, 8, 6, 1, '2024-12-30T03:00:00.000Z')",
        ] {
            scene.nightshift.given(sql).await;
        }
        scene.during();
        scene.receive("Where are you?").await;
        let during = dashboard().await;
        assert_eq!((&during["activeConversations"], &during["unread"]), (&json!(1), &json!(1)));
        assert_eq!(during["businessNumberMasked"], "+1••••••••01");
        assert_eq!(during["messagingStatus"]["activeUntil"], "2024-12-30T02:00:00.000Z");
        let today = &during["todaysAssignments"][0];
        assert_eq!((&today["bookingId"], &today["threadId"]), (&json!(scene.booking), &json!(scene.thread)));
        assert_eq!((&today["clientFirstName"], &today["address"]), (&json!("Test"), &json!("14 Juniper Street")));
        assert_eq!(today["windowStatus"], "active");
        assert_eq!(during["pendingOffers"][0]["code"], 2);
        assert_eq!(during["metrics"]["7"]["medianResponseSeconds"], 600);
        assert_eq!(during["metrics"]["7"]["responseRate"], 0.75);
        scene.nightshift.clock.set("2024-12-30T02:00:00Z".parse().unwrap());
        let after = dashboard().await;
        assert_eq!((&after["activeConversations"], &after["pendingOffers"]), (&json!(0), &json!([])));
        assert_eq!(after["todaysAssignments"][0]["windowStatus"], "past");
        // The organisation's day ends at midnight of its zone: 05:00 in UTC.
        scene.nightshift.given("UPDATE organizations SET timezone = 'America/New_York'").await;
        for (now, assignments) in [("2024-12-30T04:59:59Z", 1), ("2024-12-30T05:00:00Z", 0)] {
            scene.nightshift.clock.set(now.parse().unwrap());
            let seen = dashboard().await;
            assert_eq!(seen["todaysAssignments"].as_array().unwrap().len(), assignments, "{now}");
        }
        let refused = scene.get("/api/sitter/dashboard?sitterId=sitter-sam", &scene.sitter).await.expect(422);
        assert!(refused.json()["fields"]["sitterId"].is_string());
    })
    .await;
}

async fn no_answer_to_a_sitter_holds_a_clients_number(engine: Engine) {
    on_scene(engine, async |scene| {
        scene.during();
        scene.receive("Where are you?").await;
        scene.read(&scene.sitter, None).await.expect(200);
        let client: String = scene.nightshift.db.read("SELECT client_id FROM bookings").scalar().await.unwrap();
        let mut read = 0;
        for route in table().iter().filter(|route| route.method == Method::GET && route.path.starts_with("/api/")) {
            if route.path == "/api/events/stream" {
                continue;
            }
            let id = match route.path.split('/').nth(2) {
                Some("bookings") => &scene.booking,
                Some("clients") => &client,
                Some("sitters") => "sitter-sam",
                _ => &scene.thread,
            };
            let answer = scene.get(&route.path.replace("{id}", id), &scene.sitter).await;
            assert!(!answer.text.contains(DIGITS), "{}: {}", route.path, answer.text);
            read += u32::from(answer.status == 200);
        }
        assert!(read >= 10, "a sitter reads {read} routes");
        // The whole conversation of a sitter, with a number searched for.
        for query in ["?q=5551234567", "?q=Test"] {
            scene.get(&format!("/api/messages/threads{query}"), &scene.sitter).await.expect(403);
        }
    })
    .await;
}

async fn clients_are_listed_found_and_shown_to_their_organisation(engine: Engine) {
    on_scene(engine, async |scene| {
        let nightshift = &scene.nightshift;
        let mut second = booking_of(1);
        (second["firstName"], second["lastName"]) = (json!("Ada"), json!("Lovelace"));
        nightshift.clock.set("2024-12-29T22:00:05Z".parse().unwrap());
        nightshift.send(Method::POST, "/api/bookings", &scene.owner, Some(second)).await.expect(201);
        let names = async |query: &str| {
            let answer = scene.get(&format!("/api/clients{query}"), &scene.owner).await.expect(200).json();
            let clients = answer["clients"].as_array().unwrap().clone();
            clients.iter().map(|client| client["firstName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("").await, ["Ada", "Test"]);
        assert_eq!(names("?limit=1").await, ["Ada"]);
        for (query, found) in [
            ("?q=love", vec!["Ada"]),
            ("?q=TEST%20cl", vec!["Test"]),
            ("?q=(555)%20123-4567", vec!["Test"]),
            ("?q=%2B15551234567", vec!["Test"]),
            ("?q=nobody", vec![]),
            ("?optedOut=true", vec![]),
        ] {
            assert_eq!(names(query).await, found, "{query}");
        }
        let page = scene.get("/api/clients?limit=1", &scene.owner).await.expect(200).json();
        let next = format!("?cursor={}", page["nextCursor"].as_str().unwrap());
        assert_eq!(names(&next).await, ["Test"]);

        nightshift
            .given(
                "INSERT INTO opt_outs (id, org_id, phone_digits, since, source)
                 VALUES ('out', 'org-paws', '15551234567', '2024-12-30T08:00:00.000Z', 'keyword'),
                        ('other', 'org-other', '15552000001', '2024-12-30T08:00:00.000Z', 'keyword')",
            )
            .await;
        assert_eq!(names("?optedOut=true").await, ["Test"]);
        let client: String =
            nightshift.db.read("SELECT client_id FROM bookings WHERE sitter_id IS NOT NULL").scalar().await.unwrap();
        let path = format!("/api/clients/{client}");
        let shown = scene.get(&path, &scene.owner).await.expect(200).json()["client"].clone();
        assert_eq!(shown["optedOutAt"], "2024-12-30T08:00:00.000Z");
        assert_eq!((&shown["phone"], &shown["bookings"]), (&json!("+15551234567"), &json!(1)));
        assert_eq!((&shown["lastName"], &shown["email"]), (&json!("Client"), &Value::Null));
        assert!(shown["lastMessageAt"].is_string(), "the confirmation was sent: {shown}");

        let key = nightshift.key(&[Scope::BookingsRead]).await;
        scene.get(&path, &key).await.expect(200);
        scene.get(&path, &scene.sitter).await.expect(403);
        scene.get("/api/clients", &scene.sitter).await.expect(403);
        let stranger = nightshift.sign_in(business::STRANGER).await;
        scene.get(&path, &stranger).await.expect(404);
        let theirs = scene.get("/api/clients", &stranger).await.expect(200).json();
        assert_eq!(theirs["clients"], json!([]));
    })
    .await;
}
