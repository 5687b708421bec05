//! What the texts to a client say about the time of a booking, through moves, cancellations and lost answers.

use std::collections::VecDeque;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::automations::Executed;
use nightshift_domain::automations::runs::RunToStart;
use nightshift_domain::bookings::{self, Booking, Patch};
use nightshift_domain::confirmation;
use nightshift_domain::ids::{HistoryId, MessageId};
use nightshift_domain::messaging::delivery::{self, SendDecision};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    whatever_the_order_the_last_text_states_the_final_time_and_none_states_a_time_of_before,
    of_moves_in_quick_succession_the_client_hears_the_last,
    a_booking_that_moves_and_moves_back_before_anybody_is_told_causes_no_text,
    a_confirmation_that_has_not_left_is_replaced_by_one_with_the_new_time,
    a_text_that_would_repeat_the_one_before_it_once_the_one_between_is_taken_back_is_taken_back_too,
    a_reminder_that_comes_after_the_start_is_not_sent,
}

/// Hours of the same day; the first is the start of [`draft`].
const HOURS: [u32; 3] = [10, 12, 15];

/// A job that must follow a change of the booking.
enum Follow {
    Move(i64),
    Cancel(HistoryId),
}

/// A confirmed booking, the jobs that wait, and the texts that were sent or may have been.
struct Story<'a> {
    business: &'a Business,
    booking: Booking,
    hour: u32,
    cancelled: bool,
    follows: VecDeque<Follow>,
    runs: Vec<RunToStart>,
    waiting: Vec<MessageId>,
    in_the_air: Vec<MessageId>,
    unclear: Vec<MessageId>,
    resent: Vec<MessageId>,
    /// In the order of the requests to the carrier. A text that turns out not to have been sent is removed.
    left: Vec<(MessageId, String)>,
    sids: usize,
}

impl<'a> Story<'a> {
    async fn begin(business: &'a Business, number: u64) -> Self {
        let phone = format!("+1555{:07}", 3_000_000 + number);
        let booking = business.confirmed(|draft| draft.phone = Some(phone)).await;
        let runs = business.run_confirmation(&booking.id, noon()).await.starts;
        Self {
            business,
            booking,
            hour: HOURS[0],
            cancelled: false,
            follows: VecDeque::new(),
            runs,
            waiting: Vec::new(),
            in_the_air: Vec::new(),
            unclear: Vec::new(),
            resent: Vec::new(),
            left: Vec::new(),
            sids: 0,
        }
    }

    async fn move_to(&mut self, hour: u32) {
        if self.cancelled {
            return;
        }
        let times = json!({"startAt": format!("2024-12-31T{hour}:00:00Z"),
                           "endAt": format!("2024-12-31T{}:00:00Z", hour + 1)});
        let patch: Patch = serde_json::from_value(times).unwrap();
        let id = &self.booking.id;
        let change = self
            .business
            .write(async |tx| bookings::patch(tx, &org(), id, patch, &owner(), noon()).await.unwrap())
            .await;
        self.hour = hour;
        self.follows.extend(change.rescheduled_to_version.map(Follow::Move));
    }

    async fn cancel(&mut self) {
        let id = &self.booking.id;
        let change = self
            .business
            .write(async |tx| bookings::cancel(tx, &org(), id, None, &owner(), noon()).await.unwrap())
            .await;
        self.cancelled = true;
        self.follows.extend(change.history_id.map(Follow::Cancel));
    }

    async fn follow(&mut self) {
        let Some(follow) = self.follows.pop_front() else { return };
        let (id, by) = (&self.booking.id, job());
        let runs = self
            .business
            .write(async |tx| match follow {
                Follow::Move(version) => confirmation::rescheduled(tx, id, version, GRACE, &by, noon()).await.unwrap(),
                Follow::Cancel(history) => {
                    let record = bookings::load_record(tx, &history).await.unwrap();
                    confirmation::cancelled(tx, &record, &by, noon()).await.unwrap()
                }
            })
            .await;
        // Reminders are sent a day before the booking, and the clock does not move that far here.
        self.runs.extend(runs.into_iter().filter(|run| run.not_before.is_none()));
    }

    async fn execute(&mut self, at: usize) {
        if self.runs.is_empty() {
            return;
        }
        let run = self.runs.swap_remove(at % self.runs.len());
        if let Executed::Written { message_id, .. } = self.business.execute(&run, noon()).await {
            self.waiting.push(message_id);
        }
    }

    /// Begins to send a text, whose content must be true at this moment.
    async fn send(&mut self, at: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let id = self.waiting.swap_remove(at % self.waiting.len());
        let turn = self.business.write(async |tx| delivery::begin_send(tx, &id, &job(), noon()).await.unwrap()).await;
        let SendDecision::Send(envelope) = turn else { return };
        let present = format!("31 Dec 2024 at {}:00", self.hour);
        assert!(envelope.body.contains(&present), "{present} holds when it says: {}", envelope.body);
        assert_eq!(envelope.body.contains("cancelled"), self.cancelled, "{}", envelope.body);
        self.left.push((id.clone(), envelope.body));
        self.in_the_air.push(id);
    }

    async fn answered(&mut self, answer: usize) {
        let Some(id) = self.in_the_air.pop() else { return };
        self.sids += 1;
        let sid = format!("SM-{}-{}", self.booking.id, self.sids);
        let business = self.business;
        match answer % 4 {
            0 => {
                business.write(async |tx| delivery::back_to_queue(tx, &id, noon()).await.unwrap()).await;
                self.left.retain(|(left, _)| *left != id);
                self.waiting.push(id);
            }
            1 => {
                business.write(async |tx| delivery::mark_unconfirmed(tx, &id, noon()).await.unwrap()).await;
                self.unclear.push(id);
            }
            _ => business.write(async |tx| delivery::record_sent(tx, &id, &sid, &job(), noon()).await.unwrap()).await,
        }
    }

    async fn find_out(&mut self, it_left: bool) {
        let Some(id) = self.unclear.pop() else { return };
        self.sids += 1;
        let sid = format!("SM-{}-{}", self.booking.id, self.sids);
        let business = self.business;
        if it_left || self.resent.contains(&id) {
            business.write(async |tx| delivery::adopt_sid(tx, &id, &sid, &job(), noon()).await.unwrap()).await;
            return;
        }
        let resend = business.write(async |tx| delivery::resend_once(tx, &id, noon()).await.unwrap()).await;
        assert!(resend);
        self.left.retain(|(left, _)| *left != id);
        self.resent.push(id.clone());
        self.waiting.push(id);
    }

    /// Completes everything that waits, with an answer from the carrier for each request.
    async fn end(mut self, random: &mut Random) {
        while !(self.follows.is_empty()
            && self.runs.is_empty()
            && self.waiting.is_empty()
            && self.in_the_air.is_empty()
            && self.unclear.is_empty())
        {
            self.follow().await;
            self.execute(0).await;
            self.send(0).await;
            self.answered(2).await;
            self.find_out(random.below(2) == 0).await;
        }
        let told: Vec<&str> = self.left.iter().map(|(_, body)| body.as_str()).collect();
        let last = told.last().expect("a client whose booking was confirmed hears of it");
        assert!(last.contains(&format!("at {}:00", self.hour)), "{} holds: {told:#?}", self.hour);
        assert_eq!(last.contains("cancelled"), self.cancelled, "{told:#?}");
        for (before, after) in told.iter().zip(told.iter().skip(1)) {
            assert_ne!(before, after, "twice in a row: {told:#?}");
        }
    }
}

/// Moves, a cancellation and the sending of texts in random order, with requests that are answered, refused or
/// unanswered. `NIGHTSHIFT_TEST_MOVES` sets the number of stories.
async fn whatever_the_order_the_last_text_states_the_final_time_and_none_states_a_time_of_before(engine: Engine) {
    let stories = std::env::var("NIGHTSHIFT_TEST_MOVES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30);
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        for number in 0..stories {
            let mut random = Random::new(number + 1);
            let mut story = Story::begin(&business, number).await;
            for _ in 0..random.below(40) {
                match random.below(20) {
                    0..=4 => story.move_to(HOURS[random.below(HOURS.len())]).await,
                    5..=7 => story.follow().await,
                    8..=11 => story.execute(random.below(9)).await,
                    12..=14 => story.send(random.below(9)).await,
                    15..=17 => story.answered(random.below(4)).await,
                    18 => story.find_out(random.below(2) == 0).await,
                    _ if random.below(4) == 0 => story.cancel().await,
                    _ => {}
                }
            }
            story.end(&mut random).await;
        }
    })
    .await;
}

/// Returns the texts that a client gets when every job runs at once and nothing fails.
async fn told(business: &Business, moves: &[&[u32]]) -> Vec<String> {
    business.add_number("pool-1", "pool", "org-1").await;
    let mut story = Story::begin(business, 1).await;
    for quickly in moves {
        for hour in *quickly {
            story.move_to(*hour).await;
            story.follow().await;
            story.execute(0).await;
        }
        while !(story.waiting.is_empty() && story.in_the_air.is_empty()) {
            story.send(0).await;
            story.answered(2).await;
        }
    }
    let left = story.left.clone();
    story.end(&mut Random::new(1)).await;
    left.into_iter().map(|(_, body)| body.split(" on ").last().unwrap().to_owned()).collect()
}

async fn of_moves_in_quick_succession_the_client_hears_the_last(engine: Engine) {
    on(engine, async |business| {
        let texts = told(&business, &[&[10], &[12, 15, 12], &[15]]).await;
        let moved = |hour: u32| format!("Your dog walking has moved to Tue 31 Dec 2024 at {hour}:00.");
        assert_eq!(texts.len(), 3, "{texts:#?}");
        assert_eq!(texts[1..], [moved(12), moved(15)]);
    })
    .await;
}

async fn a_booking_that_moves_and_moves_back_before_anybody_is_told_causes_no_text(engine: Engine) {
    on(engine, async |business| {
        let texts = told(&business, &[&[10], &[12, 15, 10]]).await;
        assert_eq!(texts.len(), 1, "{texts:#?}");
        let reasons: Vec<(String,)> = business
            .db
            .read("SELECT error FROM automation_runs WHERE type = 'bookingRescheduled' ORDER BY id")
            .all()
            .await
            .unwrap();
        let reasons: Vec<_> = reasons.iter().map(|(reason,)| reason.as_str()).collect();
        assert_eq!(reasons, ["booking_moved", "booking_moved", "already_told"]);
        assert_eq!(business.audited("message.taken_back").await, 2);
        assert_eq!(business.count("SELECT COUNT(*) FROM exceptions").await, 0);
    })
    .await;
}

async fn a_confirmation_that_has_not_left_is_replaced_by_one_with_the_new_time(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let mut story = Story::begin(&business, 1).await;
        story.execute(0).await;
        story.move_to(12).await;
        story.follow().await;
        story.move_to(15).await;
        story.follow().await;
        story.execute(0).await;
        story.execute(0).await;
        let skipped: Vec<(String,)> = business
            .db
            .read(
                "SELECT error FROM automation_runs WHERE type <> 'bookingReminder' AND status = 'skipped' ORDER BY id",
            )
            .all()
            .await
            .unwrap();
        let skipped: Vec<_> = skipped.iter().map(|(reason,)| reason.as_str()).collect();
        assert_eq!(skipped, ["booking_moved", "already_told"]);
        assert_eq!(story.waiting.len(), 2);
        story.send(0).await;
        story.send(0).await;
        assert_eq!(story.left.len(), 1);
        assert!(story.left[0].1.ends_with("at 15:00 is confirmed. Reply to this number with any questions."));
        story.end(&mut Random::new(1)).await;
    })
    .await;
}

async fn a_text_that_would_repeat_the_one_before_it_once_the_one_between_is_taken_back_is_taken_back_too(
    engine: Engine,
) {
    for first_left in [true, false] {
        on(engine, async |business| {
            business.add_number("pool-1", "pool", "org-1").await;
            let mut story = Story::begin(&business, 1).await;
            story.execute(0).await;
            story.send(0).await;
            story.answered(2).await;
            for (hour, answer) in [(12, Some(1)), (15, None), (12, None)] {
                story.move_to(hour).await;
                story.follow().await;
                story.execute(0).await;
                if hour == 15 || answer.is_some() {
                    story.send(0).await;
                }
                if let Some(answer) = answer {
                    story.answered(answer).await;
                }
            }
            // The answer about the first text is lost. Then the second turns out not to have been sent.
            assert_eq!((story.unclear.len(), story.in_the_air.len(), story.waiting.len()), (1, 1, 1));
            story.answered(0).await;
            assert_eq!(business.audited("message.taken_back").await, 2);
            story.find_out(first_left).await;
            story.end(&mut Random::new(1)).await;
        })
        .await;
    }
}

async fn a_reminder_that_comes_after_the_start_is_not_sent(engine: Engine) {
    on(engine, async |business| {
        let (booking, _, _) = {
            business.add_number("pool-1", "pool", "org-1").await;
            business.confirmed_and_written(|_| {}).await
        };
        let history: (String,) = business
            .db
            .read("SELECT id FROM booking_status_history WHERE to_status = 'confirmed'")
            .one()
            .await
            .unwrap();
        let reminder = business
            .write(async |tx| {
                let record = bookings::load_record(tx, &history.0.clone().into()).await.unwrap();
                confirmation::confirmed(tx, &record, &job(), noon()).await.unwrap()
            })
            .await
            .into_iter()
            .next()
            .expect("the booking is more than a day away");
        let executed = business.execute(&reminder, booking.start_at).await;
        assert!(matches!(executed, Executed::Ended(_)), "{executed:?}");
        let reason: (String, Option<Timestamp>) = business
            .db
            .read("SELECT error, executed_at FROM automation_runs WHERE type = 'bookingReminder'")
            .one()
            .await
            .unwrap();
        assert_eq!(reason, ("booking_started".to_owned(), Some(booking.start_at)));
    })
    .await;
}
