//! The list of jobs: whatever the filters, it has the jobs that match, newest first, page by page.

use std::time::Duration;

use nightshift_db::sqlx::{self, AssertSqlSafe, Row as _};
use nightshift_db::testing::{each_engine, statements_of};
use nightshift_db::{Engine, Timestamp};
use nightshift_queue::admin::{Filter, JobRow};
use nightshift_queue::lifecycle::State;
use nightshift_queue::{Keys, NewJob};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::bed::{Act, Scripted, on};

each_engine! {
    whatever_the_filters_the_list_has_the_jobs_that_match_page_by_page,
}

const HOUR: Duration = Duration::from_secs(3600);

/// Each part is set, or not, at random.
fn filters(start: Timestamp) -> impl Strategy<Value = Filter> {
    let word = |words: &'static [&'static str]| {
        proptest::option::weighted(0.3, proptest::sample::select(words).prop_map(str::to_owned))
    };
    let hours = || proptest::option::weighted(0.3, (0u32..4).prop_map(move |hours| start + HOUR * hours));
    (
        (word(&["main", "side"]), word(&["org-1", "org-2"]), word(&["corr-0", "corr-1"]), word(&["key-1", "key-2"])),
        (word(&["50%_", "BOOM"]), word(&["transient", "permanent"]), hours(), hours()),
        proptest::option::weighted(0.3, proptest::sample::select(vec![State::Queued, State::Dead])),
    )
        .prop_map(|((queue, org_id, correlation_id, dedup_key), (error, error_class, since, until), state)| {
            Filter { queue, kind: None, state, org_id, error_class, error, since, until, correlation_id, dedup_key }
        })
}

fn matches(job: &JobRow, filter: &Filter) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, value: Option<&T>) -> bool {
        wanted.as_ref().is_none_or(|wanted| value == Some(wanted))
    }
    let error = job.last_error.as_deref().unwrap_or_default().to_lowercase();
    is(&filter.queue, Some(&job.queue))
        && is(&filter.state, Some(&job.state))
        && is(&filter.org_id, job.org_id.as_ref())
        && is(&filter.error_class, job.last_error_class.as_ref())
        && is(&filter.correlation_id, job.correlation_id.as_ref())
        && is(&filter.dedup_key, job.dedup_key.as_ref())
        && filter.error.as_ref().is_none_or(|text| error.contains(&text.to_lowercase()))
        && filter.since.is_none_or(|since| job.created_at >= since)
        && filter.until.is_none_or(|until| job.created_at < until)
}

async fn whatever_the_filters_the_list_has_the_jobs_that_match_page_by_page(engine: Engine) {
    on(engine, async |bed| {
        // Ids never go back in time within a process, and both engines' jobs are made by this one.
        if bed.db.engine() == Engine::Postgres {
            bed.clock.advance(HOUR * 24);
        }
        let start = bed.clock.now();
        for n in 0..40usize {
            let keys = Keys { dedup: Some(format!("key-{n}")), ..Keys::default() };
            let job = NewJob::of(&Scripted::new("listed", &[Act::Done]).keys(keys))
                .unwrap()
                .queue(["main", "side"][n % 2])
                .org(["org-1", "org-2", "org-3"][n % 3])
                .correlation(format!("corr-{}", n % 5));
            let mut tx = bed.tx().await;
            bed.queue.enqueue_all(&mut tx, vec![job]).await.unwrap();
            tx.commit().await.unwrap();
            if n % 10 == 9 {
                bed.clock.advance(HOUR);
            }
        }
        for (every, error, class) in [("3", "it said 50%_ and boom", "transient"), ("7", "boom 50 %", "permanent")] {
            bed.db
                .write(
                    "UPDATE jobs SET state = 'dead', last_error = $1, last_error_class = $2, finished_at = updated_at
                     WHERE dedup_key LIKE '%' || $3",
                )
                .bind(error)
                .bind(class)
                .bind(every)
                .execute()
                .await
                .unwrap();
        }
        let all = bed.queue.list(&Filter::default(), None, 1000).await.unwrap().jobs;
        assert_eq!(all.len(), 40);
        assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
        let mut runner = TestRunner::deterministic();
        for _ in 0..60 {
            let filter = filters(start).new_tree(&mut runner).unwrap().current();
            let limit = (1i64..9).new_tree(&mut runner).unwrap().current();
            let wanted: Vec<&JobRow> = all.iter().filter(|job| matches(job, &filter)).collect();
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = bed.queue.list(&filter, after.as_deref(), limit).await.unwrap();
                assert!(page.jobs.len() <= usize::try_from(limit).unwrap());
                found.extend(page.jobs);
                let Some(next) = page.next else { break };
                after = Some(next);
            }
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{filter:?}");
        }
    })
    .await;
}

/// The few dead jobs and the few of one correlation are read by their index, all others by the primary key.
#[tokio::test]
async fn the_list_walks_the_primary_key_or_an_index_that_leaves_few() {
    on(Engine::Sqlite, async |bed| {
        let text = || Some("a".to_owned());
        let time = Some(bed.clock.now());
        let none = Filter::default;
        let dead = || Filter { state: Some(State::Dead), ..none() };
        for (filter, index) in [
            (none(), "sqlite_autoindex_jobs_1"),
            (Filter { queue: text(), ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { kind: text(), ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { state: Some(State::Succeeded), ..none() }, "sqlite_autoindex_jobs_1"),
            (dead(), "jobs_dead"),
            (Filter { queue: text(), since: time, until: time, ..dead() }, "jobs_dead"),
            (Filter { correlation_id: text(), ..dead() }, "jobs_correlation"),
            (Filter { org_id: text(), ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { error_class: text(), ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { error: text(), ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { since: time, ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { until: time, ..none() }, "sqlite_autoindex_jobs_1"),
            (Filter { correlation_id: text(), ..none() }, "jobs_correlation"),
            (Filter { dedup_key: text(), ..none() }, "sqlite_autoindex_jobs_1"),
        ] {
            let (page, statements) = statements_of(bed.queue.list(&filter, None, 50)).await;
            page.unwrap();
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(bed.db.sqlite_path().unwrap());
            let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statements.last().unwrap()));
            let steps = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            assert!(
                steps.iter().all(|step| !step.starts_with("SCAN") || step.contains("INDEX")),
                "{filter:?}: {steps:?}"
            );
            let used = |index: &str| steps.iter().any(|step| step.contains(&format!("INDEX {index}")));
            assert!(used(index), "{filter:?}: {steps:?}");
            let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
            assert!(!sorts || index == "jobs_correlation", "{filter:?}: {steps:?}");
        }
    })
    .await;
}
