//! How fast sitters answer: links between texts and answers, figures and tiers.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json, Timestamp};
use nightshift_domain::Error;
use nightshift_domain::ids::{MessageId, SitterId, ThreadId};
use nightshift_domain::messaging::post::{Author, Post, Posted, post, post_for_run};
use nightshift_domain::metrics::response_links::{self, ClientWrote, Expired, Responder};
use nightshift_domain::metrics::{self, Computed, Days, Tier};
use nightshift_domain::viewer::Viewer;
use serde_json::Value;

use crate::fixture::*;

each_engine! {
    a_reply_answers_the_text_that_waits_and_an_automatic_text_does_not,
    a_text_waits_a_day_for_its_answer_and_no_longer,
    a_text_that_becomes_known_after_an_answer_still_waits_for_one,
    an_answer_by_another_person_says_nothing_about_the_sitter,
    links_are_what_the_texts_of_a_thread_say,
    days_are_those_of_the_organisation,
    offers_count_when_the_sitter_answered_them_or_let_them_expire,
    a_tier_rises_at_once_falls_one_step_a_day_and_each_change_is_recorded_once,
    a_tier_ends_at_once_for_want_of_a_sample,
    figures_and_tiers_are_kept_apart_by_sitter,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Link {
    requires_response_event_id: MessageId,
    status: String,
    responder_type: Option<String>,
    sitter_id: Option<SitterId>,
    response_seconds: Option<i64>,
}

impl Business {
    /// A thread of a booking of the sitter's, whose window is open on 2024-12-31 from 10:00 to 12:00.
    async fn conversation(&self) -> ThreadId {
        self.add_number("pool-1", "pool", "org-1").await;
        let booking = self.confirmed(|draft| draft.sitter_id = Some(sitter())).await;
        self.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id
    }

    /// Stores a text without anything that follows.
    async fn store_text(&self, thread: &ThreadId, direction: &str, author: &str, now: Timestamp) -> MessageId {
        let id = MessageId::new(now);
        self.db
            .write(
                "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, actor_id, body, status)
                 VALUES ($1, 'org-1', $2, $3, $4, $5, 'hello', 'received')",
            )
            .bind(&id)
            .bind(thread)
            .bind(direction)
            .bind(author)
            .bind((author == "sitter").then(sitter))
            .execute()
            .await
            .unwrap();
        id
    }

    /// A client's text becomes known at `now`. Returns it, and the sitter of the link that expired with it.
    async fn client_writes(&self, thread: &ThreadId, at: Timestamp, now: Timestamp) -> (MessageId, Option<SitterId>) {
        let message = self.store_text(thread, "inbound", "client", now).await;
        let (org, sitter) = (org(), sitter());
        let wrote = ClientWrote { org: &org, thread, message: &message, sitter: Some(&sitter), at };
        let expired = self.write(async |tx| response_links::open(tx, &wrote, now).await.unwrap()).await;
        // A job that runs twice.
        self.write(async |tx| response_links::open(tx, &wrote, now).await.unwrap()).await;
        (message, expired)
    }

    async fn posts(&self, thread: &ThreadId, author: &Author, now: Timestamp) -> Option<SitterId> {
        let text = Post { body: "On my way".to_owned(), force_send: true, client_ref: None };
        let posted = self.write(async |tx| post(tx, &org(), thread, author, &text, &owner(), now).await.unwrap()).await;
        let Posted::Queued { answered_for, .. } = posted else { panic!("{posted:?}") };
        answered_for
    }

    async fn automation_writes(&self, thread: &ThreadId, run: &str, now: Timestamp) {
        let posted = self
            .write(async |tx| post_for_run(tx, thread, &run.into(), "See you soon", None, &job(), now).await.unwrap())
            .await;
        assert!(matches!(posted, Posted::Queued { answered_for: None, .. }), "{posted:?}");
    }

    async fn expire(&self, now: Timestamp) -> Expired {
        self.write(async |tx| response_links::expire(tx, 100, now).await.unwrap()).await
    }

    async fn links(&self) -> Vec<Link> {
        self.db
            .read(
                "SELECT requires_response_event_id, status, responder_type, sitter_id, response_seconds
                 FROM message_response_links ORDER BY required_at, id",
            )
            .all()
            .await
            .unwrap()
    }

    async fn compute(&self, sitter: &SitterId, now: Timestamp) -> Computed {
        self.write(async |tx| metrics::compute(tx, sitter, &job(), now).await.unwrap()).await
    }

    /// Texts that the sitter answered after so many seconds, or nobody if `None`.
    async fn answered(&self, thread: &ThreadId, at: Timestamp, seconds: &[Option<i64>]) {
        for after in seconds {
            let message = self.store_text(thread, "inbound", "client", at).await;
            let answer = self.store_text(thread, "outbound", "sitter", at).await;
            self.db
                .write(
                    "INSERT INTO message_response_links
                         (id, org_id, thread_id, requires_response_event_id, response_event_id, responder_type,
                          sitter_id, required_at, response_seconds, status)
                     VALUES ($1, 'org-1', $2, $1, $3, $4, 'sitter-1', $5, $6, $7)",
                )
                .bind(&message)
                .bind(thread)
                .bind(after.map(|_| &answer))
                .bind(after.map(|_| "sitter"))
                .bind(at)
                .bind(*after)
                .bind(if after.is_some() { "answered" } else { "expired" })
                .execute()
                .await
                .unwrap();
        }
    }

    async fn tier(&self) -> Tier {
        let shown = metrics::of_sitter(&self.db, &viewer_of(&org()), &sitter(), Days::TwentyEight).await.unwrap();
        shown.tier
    }

    async fn tier_history(&self) -> Vec<(Tier, Tier)> {
        self.db.read("SELECT from_tier, to_tier FROM sitter_tier_history ORDER BY computed_at, id").all().await.unwrap()
    }
}

fn as_sitter() -> Author {
    Author::Sitter(sitter())
}

async fn a_reply_answers_the_text_that_waits_and_an_automatic_text_does_not(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let asked = at("2024-12-31T10:00:00Z");
        let (first, _) = business.client_writes(&thread, asked, asked).await;
        let later = asked + Duration::from_secs(60);
        business.client_writes(&thread, later, later).await;
        business.automation_writes(&thread, "run-1", at("2024-12-31T10:02:00Z")).await;
        assert_eq!(business.links().await.iter().map(|link| &link.status[..]).collect::<Vec<_>>(), ["open"]);

        let answered_for = business.posts(&thread, &as_sitter(), at("2024-12-31T10:04:10Z")).await;
        assert_eq!(answered_for, Some(sitter()));
        let answered = Link {
            requires_response_event_id: first,
            status: "answered".to_owned(),
            responder_type: Some("sitter".to_owned()),
            sitter_id: Some(sitter()),
            response_seconds: Some(250),
        };
        assert_eq!(business.links().await, [answered]);
        // A second reply answers nothing, and neither does one that is refused.
        assert_eq!(business.posts(&thread, &as_sitter(), at("2024-12-31T10:05:00Z")).await, None);
        assert_eq!(business.posts(&thread, &Author::Owner(None), at("2024-12-31T10:06:00Z")).await, None);

        let computed = business.compute(&sitter(), at("2024-12-31T10:05:10Z")).await;
        assert_eq!(computed.seven_days, computed.twenty_eight_days);
        assert_eq!(computed.tier, Tier::Unrated);
        let (viewer, sitter) = (Viewer::sitter(org(), sitter()), sitter());
        let shown = metrics::of_sitter(&business.db, &viewer, &sitter, Days::Seven).await.unwrap();
        let shown = shown.metrics.unwrap();
        assert_eq!((shown.days, shown.window_end_date.as_str()), (7, "2024-12-31"));
        assert_eq!((shown.responses_required, shown.responses_given, shown.response_rate), (1, 1, Some(1.0)));
        for seconds in [shown.avg_response_seconds, shown.median_response_seconds, shown.p90_response_seconds] {
            assert_eq!(seconds, Some(250));
        }
        assert_eq!((shown.offers_received, shown.offer_accept_rate), (0, None));
    })
    .await;
}

async fn a_text_waits_a_day_for_its_answer_and_no_longer(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let asked = at("2024-12-29T10:00:00Z");
        let just_before = asked + DAY - Duration::from_millis(1);
        business.client_writes(&thread, asked, asked).await;
        assert_eq!(business.expire(just_before).await.links, 0);
        assert_eq!(business.compute(&sitter(), just_before).await.seven_days.responses_required, 0);
        // It counts as unanswered from that moment on, whether or not the job has run.
        assert_eq!(business.compute(&sitter(), asked + DAY).await.seven_days.responses_required, 1);
        // An answer is too late, whether or not the job has run.
        assert_eq!(business.posts(&thread, &Author::Owner(None), asked + DAY).await, Some(sitter()));
        let links = business.links().await;
        assert_eq!((&links[0].status[..], links[0].response_seconds), ("expired", None));

        // The next text waits anew, and the one after an expired one does not wait behind it.
        let again = asked + DAY * 2;
        assert_eq!(business.client_writes(&thread, again, again).await.1, None);
        let third = again + DAY;
        assert_eq!(business.client_writes(&thread, third, third).await.1, Some(sitter()));
        let expired = business.expire(third + DAY).await;
        assert_eq!((expired.links, expired.sitters), (1, vec![sitter()]));
        assert_eq!(business.expire(third + DAY).await.links, 0);
        let computed = business.compute(&sitter(), third + DAY).await;
        assert_eq!((computed.seven_days.responses_required, computed.seven_days.responses_given), (3, 0));
    })
    .await;
}

/// After an outage a text is taken in late, or after a younger one.
async fn a_text_that_becomes_known_after_an_answer_still_waits_for_one(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let asked = at("2024-12-31T10:00:00Z");
        assert_eq!(business.posts(&thread, &as_sitter(), at("2024-12-31T10:30:00Z")).await, None);
        business.client_writes(&thread, asked, at("2024-12-31T11:00:00Z")).await;
        assert_eq!(business.posts(&thread, &as_sitter(), at("2024-12-31T11:10:00Z")).await, Some(sitter()));
        // The client waited an hour and ten minutes.
        assert_eq!(business.links().await[0].response_seconds, Some(4200));

        // A carrier whose clock is ahead.
        business.client_writes(&thread, at("2024-12-31T11:20:05Z"), at("2024-12-31T11:20:00Z")).await;
        business.posts(&thread, &as_sitter(), at("2024-12-31T11:20:01Z")).await;
        assert_eq!(business.links().await[1].response_seconds, Some(0));

        // Nobody could have answered this one in time.
        business.client_writes(&thread, asked, asked + DAY).await;
        assert_eq!(business.links().await.len(), 2);
    })
    .await;
}

async fn an_answer_by_another_person_says_nothing_about_the_sitter(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let asked = at("2024-12-31T10:00:00Z");
        business.client_writes(&thread, asked, asked).await;
        business.posts(&thread, &Author::Owner(None), asked + Duration::from_secs(10)).await;
        let links = business.links().await;
        assert_eq!((links[0].responder_type.as_deref(), links[0].response_seconds), (Some("owner"), Some(10)));
        // The other sitter was responsible when the text arrived.
        let later = asked + Duration::from_secs(60);
        business.client_writes(&thread, later, later).await;
        business.set("UPDATE message_response_links SET sitter_id = 'sitter-2' WHERE status = 'open'").await;
        let answered_for = business.posts(&thread, &as_sitter(), later + Duration::from_secs(10)).await;
        assert_eq!(answered_for, Some("sitter-2".into()));
        for who in ["sitter-1", "sitter-2"] {
            let computed = business.compute(&who.into(), later + DAY).await;
            assert_eq!(computed.twenty_eight_days.responses_required, 0, "{who}");
        }
    })
    .await;
}

/// Random texts, answers and times, against a simple model of one thread.
async fn links_are_what_the_texts_of_a_thread_say(engine: Engine) {
    for seed in 0..4 {
        on(engine, async |business| {
            let thread = business.conversation().await;
            let mut random = Random::new(seed);
            let mut now = at("2025-01-01T00:00:00Z");
            let mut expected: Vec<(MessageId, Timestamp, &str, Option<i64>)> = Vec::new();
            for _ in 0..40 {
                let steps = [0, 1, 60, 3600, 20 * 3600, 24 * 3600];
                now = now + Duration::from_secs(steps[random.below(steps.len())]);
                let open = expected.iter_mut().find(|link| link.2 == "open");
                match random.below(5) {
                    0 | 1 => {
                        let late = [0, 0, 30, 7200, 24 * 3600][random.below(5)];
                        let wrote_at = now - Duration::from_secs(late);
                        let (message, _) = business.client_writes(&thread, wrote_at, now).await;
                        if wrote_at + DAY <= now {
                            continue;
                        }
                        match open {
                            Some(link) if link.1 + DAY > now => {}
                            overdue => {
                                if let Some(link) = overdue {
                                    link.2 = "expired";
                                }
                                expected.push((message, wrote_at, "open", None));
                            }
                        }
                    }
                    2 | 3 => {
                        let responder = if random.below(2) == 0 { Responder::Sitter } else { Responder::Owner };
                        let answer = business.store_text(&thread, "outbound", "sitter", now).await;
                        let closed = business
                            .write(async |tx| {
                                response_links::answer(tx, &thread, &answer, responder, now).await.unwrap()
                            })
                            .await;
                        assert_eq!(closed.is_some(), open.is_some());
                        if let Some(link) = open {
                            let seconds = i64::try_from(now.since(link.1).as_secs()).unwrap();
                            let in_time = link.1 + DAY > now;
                            (link.2, link.3) = if in_time { ("answered", Some(seconds)) } else { ("expired", None) };
                        }
                    }
                    _ => {
                        let expired = business.expire(now).await;
                        let overdue = open.filter(|link| link.1 + DAY <= now);
                        assert_eq!(expired.links, usize::from(overdue.is_some()));
                        if let Some(link) = overdue {
                            link.2 = "expired";
                        }
                    }
                }
            }
            let mut found: Vec<_> = business
                .links()
                .await
                .into_iter()
                .map(|link| (link.requires_response_event_id, link.status, link.response_seconds))
                .collect();
            let mut expected: Vec<_> = expected
                .into_iter()
                .map(|(message, _, status, seconds)| (message, status.to_owned(), seconds))
                .collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "seed {seed}");
        })
        .await;
    }
}

async fn days_are_those_of_the_organisation(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        business.set("UPDATE organizations SET timezone = 'America/New_York' WHERE id = 'org-1'").await;
        // 2025-03-09 has 23 hours there. The week that ends on the 15th begins with it, at 05:00 UTC.
        let first = at("2025-03-09T05:00:00Z");
        let ms = Duration::from_millis(1);
        business.answered(&thread, first - ms, &[Some(1)]).await;
        business.answered(&thread, first, &[Some(2)]).await;
        let last = at("2025-03-16T04:00:00Z");
        let computed = business.compute(&sitter(), last - ms).await;
        assert_eq!(computed.seven_days.median_response_seconds, Some(2));
        assert_eq!((computed.seven_days.responses_given, computed.twenty_eight_days.responses_given), (1, 2));
        assert_eq!(business.compute(&sitter(), last).await.seven_days.responses_given, 0);
        let dates: Vec<(i64, String)> = business
            .db
            .read(
                "SELECT window_days, window_end_date FROM sitter_metrics_windows ORDER BY window_end_date, window_days",
            )
            .all()
            .await
            .unwrap();
        let dates: Vec<_> = dates.iter().map(|(days, date)| (*days, date.as_str())).collect();
        assert_eq!(dates, [(7, "2025-03-15"), (28, "2025-03-15"), (7, "2025-03-16"), (28, "2025-03-16")]);
    })
    .await;
}

async fn offers_count_when_the_sitter_answered_them_or_let_them_expire(engine: Engine) {
    on(engine, async |business| {
        let offered = at("2024-12-30T08:00:00Z");
        for (code, status, seconds) in [
            (1, "accepted", Some(100)),
            (2, "declined", Some(201)),
            (3, "expired", None),
            (4, "pending", None),
            (5, "superseded", None),
            (6, "withdrawn", None),
        ] {
            let booking = business.book(|draft| draft.service = Some(format!("service_{code}"))).await.booking;
            business
                .db
                .write(
                    "INSERT INTO offer_events
                         (id, org_id, sitter_id, booking_id, code, status, offered_at, expires_at, response_seconds)
                     VALUES ($1, 'org-1', 'sitter-1', $2, $3, $4, $5, $6, $7)",
                )
                .bind(format!("offer-{code}"))
                .bind(&booking.id)
                .bind(i64::from(code))
                .bind(status)
                .bind(offered)
                .bind(offered + Duration::from_secs(7200))
                .bind(seconds)
                .execute()
                .await
                .unwrap();
        }
        let figures = business.compute(&sitter(), offered + Duration::from_secs(7199)).await.seven_days;
        assert_eq!((figures.offers_received(), figures.offer_accept_rate()), (3, Some(1.0 / 3.0)));
        assert_eq!(figures.avg_offer_response_seconds, Some(151));
        // Nobody can accept the pending one any more.
        let figures = business.compute(&sitter(), offered + Duration::from_secs(7200)).await.seven_days;
        assert_eq!((figures.offers_received(), figures.offer_expire_rate()), (4, Some(0.5)));
        assert_eq!(figures.sample(), 4);
    })
    .await;
}

async fn a_tier_rises_at_once_falls_one_step_a_day_and_each_change_is_recorded_once(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let monday = at("2025-01-06T12:00:00Z");
        let mut texts = vec![Some(600); 19];
        texts.push(None);
        business.answered(&thread, monday, &texts).await;
        let rise = business.compute(&sitter(), monday).await;
        assert_eq!((rise.tier_before, rise.tier), (Some(Tier::Unrated), Tier::Platinum));
        // The same figures give the same rows and no further history.
        let rows = async || {
            let sql =
                "SELECT id, responses_required, response_rate, median_response_seconds FROM sitter_metrics_windows
                       ORDER BY window_days";
            let rows: Vec<(String, i64, Option<f64>, Option<i64>)> = business.db.read(sql).all().await.unwrap();
            rows
        };
        let before = rows().await;
        assert_eq!(business.compute(&sitter(), monday + Duration::from_secs(60)).await.tier_before, None);
        assert_eq!(rows().await, before);
        assert_eq!(before.len(), 2);

        // From one moment to the next everything is left unanswered.
        business.answered(&thread, monday, &[None; 30]).await;
        let mut seen = Vec::new();
        for (day, hour) in [(0, 1), (0, 11), (1, 0), (1, 5), (2, 0), (3, 0)] {
            seen.push(business.compute(&sitter(), monday + DAY * day + Duration::from_secs(3600 * hour)).await.tier);
        }
        use Tier::{Bronze, Gold, Platinum, Silver, Unrated};
        assert_eq!(seen, [Gold, Gold, Silver, Silver, Bronze, Bronze]);
        assert_eq!(business.tier().await, Bronze);
        // It rises in one leap, and does not fall again on a day on which it fell.
        business.set("DELETE FROM message_response_links WHERE status = 'expired'").await;
        let tuesday = monday + DAY * 2 + Duration::from_secs(3600);
        assert_eq!(business.compute(&sitter(), tuesday).await.tier, Gold);
        business.answered(&thread, tuesday, &[None; 30]).await;
        assert_eq!(business.compute(&sitter(), tuesday).await.tier, Gold);

        let history = [(Unrated, Platinum), (Platinum, Gold), (Gold, Silver), (Silver, Bronze), (Bronze, Gold)];
        assert_eq!(business.tier_history().await, history);
        assert_eq!(business.audited("sitter.tier.changed").await, 5);
        let noted: Vec<(Option<SitterId>, Json<Value>)> = business
            .db
            .read("SELECT sitter_id, metadata FROM event_log WHERE event_type = 'sitter.tier.changed' ORDER BY id")
            .all()
            .await
            .unwrap();
        assert_eq!(noted[0].0, Some(sitter()));
        assert_eq!((&noted[0].1.0["from"], &noted[0].1.0["to"]), (&"unrated".into(), &"platinum".into()));
    })
    .await;
}

async fn a_tier_ends_at_once_for_want_of_a_sample(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let then = at("2025-01-06T12:00:00Z");
        business.answered(&thread, then, &[Some(60); 20]).await;
        assert_eq!(business.compute(&sitter(), then).await.tier, Tier::Platinum);
        assert_eq!(business.compute(&sitter(), then + DAY * 27).await.tier, Tier::Platinum);
        let ended = business.compute(&sitter(), then + DAY * 28).await;
        assert_eq!((ended.tier, ended.twenty_eight_days.sample()), (Tier::Unrated, 0));
        assert_eq!(business.tier_history().await.last(), Some(&(Tier::Platinum, Tier::Unrated)));
        // Nothing but a history row, which the database keeps as it is.
        let change = "UPDATE sitter_tier_history SET to_tier = 'gold'";
        assert!(business.db.write(change).execute().await.is_err());
    })
    .await;
}

async fn figures_and_tiers_are_kept_apart_by_sitter(engine: Engine) {
    on(engine, async |business| {
        let thread = business.conversation().await;
        let then = at("2025-01-06T12:00:00Z");
        business.answered(&thread, then, &[Some(60); 20]).await;
        let sitters = business.write(async |tx| metrics::active_sitters(tx, &org()).await.unwrap()).await;
        assert_eq!(sitters, [sitter(), "sitter-2".into()]);
        for sitter in &sitters {
            business.compute(sitter, then).await;
        }
        assert_eq!(business.tier().await, Tier::Platinum);
        let viewer = viewer_of(&org());
        let other = metrics::of_sitter(&business.db, &viewer, &"sitter-2".into(), Days::Seven).await.unwrap();
        assert_eq!((other.tier, other.metrics.unwrap().responses_required), (Tier::Unrated, 0));
        let unknown = business.write(async |tx| metrics::compute(tx, &"nobody".into(), &job(), then).await).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
    })
    .await;
}
