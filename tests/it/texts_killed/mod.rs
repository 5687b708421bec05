//! The real program, killed at every statement of an inbound text: one event, one trace, one mailbox, one reply.
//!
//! Each test lets a text go through once to learn its steps, then kills a process at a step of the next text, has the
//! next process do the rest, and so on. A text ends as the first one did, wherever its process died.
//!
//! A run tries a few steps, others each time. With `NIGHTSHIFT_TEST_KILL_EVERY=n` it tries every n-th step, before it
//! and after it; 1 tries them all, which takes minutes per test.

mod text;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nightshift_db::testing::each_engine;
use nightshift_db::{Clock, Engine};
use nightshift_providers::http_client;
use nightshift_queue::Queue;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::text::{COUNTED, DESK, Kind, Outcome, Text};
use crate::support::business;
use crate::support::probes::LOOK_EVERY;
use crate::support::process::{Process, World};

each_engine! {
    a_text_within_a_window_is_the_sitters_once_wherever_it_is_killed,
    a_text_outside_of_windows_is_the_owners_once_wherever_it_is_killed,
    a_stop_is_heard_once_wherever_it_is_killed,
    a_stop_that_we_confirm_is_confirmed_once_wherever_it_is_killed,
    an_acceptance_is_answered_once_by_the_answer_wherever_it_is_killed,
    an_acceptance_is_answered_once_by_a_text_wherever_it_is_killed,
}

/// Longer than a text takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The steps that a run tries per test.
const TRIED: usize = 4;

/// Jobs of a text that have not ended. What waits for hours or for the figures of a day is not among them.
const UNFINISHED: &str = "SELECT count(*) FROM jobs WHERE finished_at IS NULL
    AND (kind IN ('webhook.twilio.inbound', 'webhook.twilio.status', 'sms.reply_fallback', 'sms.send',
                  'sms.confirm_delivery', 'offer.send', 'booking.confirm')
         OR kind = 'automation.run' AND run_at < $1)";

/// A text whose process died over it, or not.
struct Cut {
    text: Text,
    /// The answer, if Twilio got one.
    answer: Option<String>,
    /// Where the process was to die.
    death: Option<String>,
}

struct Test {
    world: World,
    queue: Queue,
    http: reqwest::Client,
    kind: Kind,
}

impl Test {
    async fn of(engine: Engine, kind: Kind) -> Self {
        let mut world = World::on(engine).await;
        let mut skipped = "rescue.pause_after_start,rescue.look_every".to_owned();
        if kind == Kind::AcceptanceByText {
            skipped.push_str(",reply.wait");
        }
        world.set("NIGHTSHIFT_SKIP", skipped);
        let desk = json!({"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                          "provider": "twilio"});
        business::load(world.db(), json!({"numbers": [desk]})).await;
        let queue = Queue::new(world.db().clone(), Clock::system());
        Self { world, queue, http: http_client().unwrap(), kind }
    }

    fn steps_file(&self) -> PathBuf {
        self.world.folder().join("steps")
    }

    /// Starts the program. Its steps are counted from the `deliveries`-th delivery of a text that it gets.
    fn serve(&self, deliveries: u32, death: Option<&str>) -> Process {
        let _ = std::fs::remove_file(self.steps_file());
        let (marked, file) = (format!("twilio:{deliveries}"), self.steps_file());
        let mut variables =
            vec![("NIGHTSHIFT_STEPS", marked.as_str()), ("NIGHTSHIFT_STEPS_FILE", file.to_str().unwrap())];
        variables.extend(death.map(|death| ("NIGHTSHIFT_DIE", death)));
        self.world.serve_with(&[], &variables)
    }

    async fn post(&self, path: &str, body: Value) {
        let request = self.http.post(format!("{}{path}", self.world.url())).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// What must be there before the text comes.
    async fn prepare(&self, number: usize) -> Text {
        let text = Text { number, kind: self.kind };
        let from = text.from();
        let (client, sitter) = (format!("client-{number}"), format!("sitter-{number}"));
        let booking = format!("booking-{number}");
        let db = self.world.db();
        match self.kind {
            Kind::OutsideWindows | Kind::Stop | Kind::ConfirmedStop => {}
            Kind::WithinWindow => {
                let now = Clock::system().now();
                let (start, end) = (now - Duration::from_secs(3600), now + Duration::from_secs(4 * 3600));
                let seed = json!({
                    "clients": [{"id": client, "orgId": "org-paws", "firstName": "Test", "lastName": "Client", "phone": from}],
                    "bookings": [{"id": booking, "orgId": "org-paws", "clientId": client, "sitterId": "sitter-sam",
                                  "service": "dog_walking", "startAt": start.to_string(), "endAt": end.to_string()}],
                });
                business::load(db, seed).await;
                self.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await;
            }
            Kind::AcceptanceInAnswer | Kind::AcceptanceByText => {
                let client_phone = format!("+1212{:07}", 6_660_000 + number);
                let seed = json!({
                    "sitters": [{"id": sitter, "orgId": "org-paws", "name": "Ann", "phone": from}],
                    "clients": [{"id": client, "orgId": "org-paws", "firstName": "Test", "lastName": "Client",
                                 "phone": client_phone}],
                    "bookings": [{"id": booking, "orgId": "org-paws", "clientId": client, "service": "dog_walking",
                                  "startAt": "2034-12-31T10:00:00Z", "endAt": "2034-12-31T11:00:00Z"}],
                });
                business::load(db, seed).await;
                self.post(&format!("/api/bookings/{booking}/offers"), json!({"sitterIds": [sitter]})).await;
            }
        }
        self.until_at_rest(None).await;
        text
    }

    /// Delivers a text as Twilio does. Returns the TwiML, or nothing if the process died over it.
    fn deliver(&self, text: &Text) -> JoinHandle<Option<String>> {
        let request = text.request(&self.http, &self.world.url());
        tokio::spawn(async move { request.send().await.ok()?.error_for_status().ok()?.text().await.ok() })
    }

    async fn unfinished(&self) -> i64 {
        let soon = Clock::system().now() + Duration::from_secs(30);
        self.world.db().read(UNFINISHED).bind(soon).scalar().await.unwrap()
    }

    /// Whether the text is processed and nothing of it is left to do. Lets what waits have its turn.
    async fn is_at_rest(&self, text: Option<&Text>) -> bool {
        if let Some(text) = text
            && self.world.all_webhooks().with_key(&text.sid()).processed().count().await == 0
        {
            return false;
        }
        if self.unfinished().await == 0 {
            return true;
        }
        self.world.run_look_ups_now().await;
        for job in self.world.jobs("sms.reply_fallback").queued().all().await {
            let mut tx = self.world.db().begin().await.unwrap();
            // It may have started meanwhile.
            if self.queue.run_now(&mut tx, &job.id).await.is_ok() {
                tx.commit().await.unwrap();
            }
        }
        false
    }

    async fn until_at_rest(&self, text: Option<&Text>) {
        let began = Instant::now();
        while !self.is_at_rest(text).await {
            assert!(began.elapsed() < PATIENCE, "{:#?}\n{}", self.world.unfinished().await, self.world.logged());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts a process, has it do what is left of the last text, and sends it the next one, over which it is to die.
    /// Returns whether it did.
    async fn next(&self, last: &Cut, number: usize, death: &str) -> (Cut, bool) {
        // The last text may be delivered once more.
        let mut process = self.serve(1 + u32::from(last.answer.is_none()), Some(death));
        self.shows_it_once(last).await;
        let text = self.prepare(number).await;
        let delivery = self.deliver(&text);
        let began = Instant::now();
        let died = loop {
            if process.has_ended() {
                break true;
            }
            // While a request waits for the reply, the reply is not hurried.
            if delivery.is_finished() && self.is_at_rest(Some(&text)).await {
                break process.has_ended();
            }
            assert!(began.elapsed() < PATIENCE, "{:#?}\n{}", self.world.unfinished().await, self.world.logged());
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        if !died {
            process.kill();
        }
        let answer = delivery.await.unwrap();
        self.world.leases_run_out().await;
        (Cut { text, answer, death: Some(death.to_owned()) }, died)
    }

    /// Has the program that runs now do what is left of a text, and looks at what there is of it. Twilio delivers it again
    /// if it got no answer.
    async fn shows_it_once(&self, cut: &Cut) {
        let again = match cut.answer {
            Some(_) => None,
            None => Some(self.deliver(&cut.text).await.unwrap().expect("an answer")),
        };
        self.until_at_rest(Some(&cut.text)).await;
        let (sid, from) = (cut.text.sid(), cut.text.from());
        let mut rows = Vec::new();
        for (what, sql) in COUNTED {
            let count: i64 = self.world.db().read(sql).bind(&sid).bind(&from[1..]).scalar().await.unwrap();
            rows.push((what, count));
        }
        let mailbox = "SELECT m.routed_to, t.owner_unread, t.sitter_unread FROM message_events m
                       JOIN message_threads t ON t.id = m.thread_id WHERE m.provider_message_sid = $1";
        let mailbox = self.world.db().read(mailbox).bind(&sid).one().await.unwrap();
        let carries = |twiml: &&String| self.kind.reply().is_some_and(|reply| twiml.contains(reply));
        let in_answers = cut.answer.iter().chain(&again).filter(carries).count();
        let as_texts = self
            .world
            .simulator
            .twilio()
            .read(|ledger| ledger.to(&from).filter(|text| self.kind.reply() == Some(text.body.as_str())).count());
        let outcome = Outcome { rows, mailbox, replies: in_answers + as_texts };
        assert_eq!(outcome, Outcome::once(self.kind), "{:?} {}", cut.death, self.world.logged());
    }
}

/// Where to die: of each list at the first step that is reached. Others of the program's statements run in between, so
/// some steps of one text are none of the next one.
fn deaths(steps: &[String]) -> Vec<Vec<String>> {
    let at = |step: &String, when: &str| format!("{when}={}", step.split(' ').next().unwrap_or_default());
    if let Ok(every) = std::env::var("NIGHTSHIFT_TEST_KILL_EVERY") {
        let steps = steps.iter().step_by(every.parse().unwrap());
        return steps.flat_map(|step| ["before", "after"].map(|when| vec![at(step, when)])).collect();
    }
    let any_of = |stretch: &[String]| {
        let mut steps = stretch.to_vec();
        fastrand::shuffle(&mut steps);
        steps.iter().take(3).map(|step| at(step, ["before", "after"][fastrand::usize(..2)])).collect()
    };
    steps.chunks(steps.len().div_ceil(TRIED)).map(any_of).collect()
}

/// Kills the program at the steps of a text, each time with another person's text.
async fn killed_anywhere(engine: Engine, kind: Kind) {
    let test = Test::of(engine, kind).await;
    let mut undisturbed = test.serve(1, None);
    let text = test.prepare(0).await;
    let answer = test.deliver(&text).await.unwrap();
    test.until_at_rest(Some(&text)).await;
    let steps: Vec<String> = std::fs::read_to_string(test.steps_file()).unwrap().lines().map(str::to_owned).collect();
    undisturbed.kill();
    let mut last = Cut { text, answer, death: None };
    let (deaths, mut tried, mut reached) = (deaths(&steps), 0, 0);
    for deaths in &deaths {
        for death in deaths {
            tried += 1;
            let died;
            (last, died) = test.next(&last, tried, death).await;
            if died {
                reached += 1;
                break;
            }
            let name = death.split('=').nth(1).unwrap();
            println!("not reached: {:?}", steps.iter().find(|step| step.starts_with(name)));
        }
    }
    let _rest = test.serve(u32::MAX, None);
    test.shows_it_once(&last).await;
    println!("{} steps, killed at {reached} of {tried}", steps.len());
    assert!(reached * 2 >= deaths.len(), "{reached} of {} were reached: {steps:#?}", deaths.len());
    test.world.keeps_its_promises().await;
    test.world.logs_are_discreet();
    assert!(!test.world.logged().contains("1212555"), "a number is logged");
}

async fn a_text_within_a_window_is_the_sitters_once_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::WithinWindow).await;
}

async fn a_text_outside_of_windows_is_the_owners_once_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::OutsideWindows).await;
}

async fn a_stop_is_heard_once_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::Stop).await;
}

async fn a_stop_that_we_confirm_is_confirmed_once_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::ConfirmedStop).await;
}

async fn an_acceptance_is_answered_once_by_the_answer_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::AcceptanceInAnswer).await;
}

async fn an_acceptance_is_answered_once_by_a_text_wherever_it_is_killed(engine: Engine) {
    killed_anywhere(engine, Kind::AcceptanceByText).await;
}
