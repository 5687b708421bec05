//! Measures the queue: one line of JSON per run.
//!
//! `cargo run --release -p nightshift-queue --example bench -- MEASURE --database-url URL [--jobs N]`
//!
//! `enqueue-1`: one producer, one job per commit. `enqueue-16`: 16 producers, each waits for its job to be stored.
//! `enqueue-batch`: 100 jobs per call. `drain`: no-op jobs that stand before the worker starts, counted when all are
//! finished in the database. `latency`: from the call of enqueue to the start of the handler, one job at a time.
//! `idle`: a worker without work. `history`: `drain` again beside 5 million finished and 1 million future jobs.
//! `polls`: waiting jobs that are looked at every 5 s, and how late.
//!
//! Results that count jobs include microseconds of this process's processor time per job and, on PostgreSQL, bytes of
//! the write-ahead log per job. With the environment variable `BENCH_POSTGRES` set to the data directory of a server on
//! this machine, the processor time of all its processes is measured too.
//!
//! The database must be one that nobody needs: jobs are removed from it.
#![expect(clippy::print_stdout, reason = "its result")]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nightshift_db::{Clock, Db, DbOptions, Engine, Timestamp, migrate};
use nightshift_queue::{
    Handler, Job, JobContext, JobResult, Keys, NewJob, NoHooks, Outcome, Policy, Queue, Registry, Worker, WorkerHandle,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes of a job's payload, about.
const FILL: usize = 280;
const PRODUCERS: usize = 16;
const BATCH: usize = 100;
const SAMPLES: i64 = 500;
const FINISHED: i64 = 5_000_000;
const FUTURE: i64 = 1_000_000;
const POLL_EVERY: Duration = Duration::from_secs(5);

/// A job that does nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Nothing {
    n: i64,
    fill: String,
}

impl Nothing {
    fn new(n: i64) -> Self {
        Self { n, fill: "x".repeat(FILL) }
    }
}

impl Job for Nothing {
    const KIND: &'static str = "bench.nothing";
    const QUEUE: &'static str = "bench";
    fn keys(&self) -> Keys {
        Keys::default()
    }
    fn policy() -> Policy {
        Policy::standard(5)
    }
}

/// A job that waits for something outside.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    fill: String,
}

impl Job for Waiting {
    const KIND: &'static str = "bench.waiting";
    const QUEUE: &'static str = "bench";
    fn keys(&self) -> Keys {
        Keys::default()
    }
    fn policy() -> Policy {
        Policy::standard(5)
    }
}

/// What handlers note down.
#[derive(Default)]
struct Notes {
    /// The job whose start is awaited.
    started: AtomicI64,
    starts: Mutex<Vec<(i64, Instant)>>,
    late_ms: Mutex<Vec<f64>>,
}

impl Handler<Notes> for Nothing {
    type Hooks = NoHooks;
    async fn run(self, ctx: JobContext<Notes>) -> JobResult {
        if ctx.app.started.load(Ordering::Relaxed) >= 0 {
            lock(&ctx.app.starts).push((self.n, Instant::now()));
        }
        Ok(Outcome::done())
    }
}

impl Handler<Notes> for Waiting {
    type Hooks = NoHooks;
    async fn run(self, ctx: JobContext<Notes>) -> JobResult {
        if ctx.job.polls > 0 {
            lock(&ctx.app.late_ms).push(ctx.now().since(ctx.job.run_at).as_secs_f64() * 1000.0);
        }
        Ok(Outcome::poll(POLL_EVERY))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Bench {
    queue: Queue,
    db: Db,
    jobs: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let (Some(measure), Some(url)) = (arguments.first().cloned(), value("--database-url")) else {
        bail!("usage: bench MEASURE --database-url URL [--jobs N]; the measures are at the top of this file");
    };
    let default = if measure == "enqueue-1" { 5_000 } else { 20_000 };
    let jobs = value("--jobs").map(|n| n.parse()).transpose().context("--jobs takes a number")?.unwrap_or(default);
    let db = Db::connect(url, &DbOptions::default()).await?;
    migrate(&db).await?;
    empty(&db).await?;
    let bench = Bench { queue: Queue::new(db.clone(), Clock::system()), db: db.clone(), jobs };
    let mut result = match measure.as_str() {
        "enqueue-1" => bench.enqueue(1).await?,
        "enqueue-16" => bench.enqueue(PRODUCERS).await?,
        "enqueue-batch" => bench.enqueue_batches().await?,
        "drain" => bench.drain().await?,
        "latency" => bench.latency().await?,
        "idle" => bench.idle().await?,
        "history" => bench.history().await?,
        "polls" => bench.polls().await?,
        other => bail!("{other} is no measure; see the top of this file"),
    };
    let engine = match db.engine() {
        Engine::Postgres => "postgres",
        Engine::Sqlite => "sqlite",
    };
    if let Some(result) = result.as_object_mut() {
        result.insert("peer".to_owned(), json!("nightshift"));
        result.insert("engine".to_owned(), json!(engine));
        result.insert("measure".to_owned(), json!(measure));
    }
    println!("{result}");
    Ok(())
}

/// Removes what an earlier run left; refuses to touch anybody's jobs.
async fn empty(db: &Db) -> anyhow::Result<()> {
    let foreign: i64 = db
        .read("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE kind NOT LIKE 'bench.%' LIMIT 1) AS f")
        .scalar()
        .await?;
    if foreign > 0 {
        bail!("this database holds jobs that are not the benchmark's; name an empty one");
    }
    match db.engine() {
        Engine::Postgres => {
            db.write("TRUNCATE jobs CASCADE").execute().await?;
            db.write("VACUUM (ANALYZE) jobs").execute().await?;
        }
        Engine::Sqlite => {
            db.write("DELETE FROM jobs").execute().await?;
            db.write("PRAGMA wal_checkpoint(TRUNCATE)").all::<(i64, i64, i64)>().await?;
        }
    }
    Ok(())
}

impl Bench {
    fn worker(&self, notes: &std::sync::Arc<Notes>) -> std::io::Result<WorkerHandle> {
        let registry = Registry::new().job::<Nothing>().job::<Waiting>();
        Worker::new(self.queue.clone(), registry, notes.clone()).start()
    }

    async fn enqueue(&self, producers: usize) -> anyhow::Result<Value> {
        let each = self.jobs / i64::try_from(producers)?;
        let before = self.costs().await?;
        let started = Instant::now();
        let tasks: Vec<_> = (0..producers)
            .map(|_| {
                let queue = self.queue.clone();
                tokio::spawn(async move {
                    for n in 0..each {
                        queue.submit(NewJob::of(&Nothing::new(n))?).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        let result = rate(each * i64::try_from(producers)?, started);
        self.add_costs(result, &before).await
    }

    async fn enqueue_batches(&self) -> anyhow::Result<Value> {
        let before = self.costs().await?;
        let started = Instant::now();
        let mut n = 0;
        while n < self.jobs {
            let jobs: Vec<NewJob> = (0..BATCH).map(|_| NewJob::of(&Nothing::new(n))).collect::<Result<_, _>>()?;
            let mut tx = self.db.begin().await?;
            self.queue.enqueue_all(&mut tx, jobs).await?;
            tx.commit().await?;
            n += i64::try_from(BATCH)?;
        }
        self.add_costs(rate(n, started), &before).await
    }

    async fn fill(&self) -> anyhow::Result<()> {
        let mut n = 0;
        while n < self.jobs {
            let jobs: Vec<NewJob> =
                (n..(n + 1_000).min(self.jobs)).map(|n| NewJob::of(&Nothing::new(n))).collect::<Result<_, _>>()?;
            n += i64::try_from(jobs.len())?;
            let mut tx = self.db.begin().await?;
            self.queue.enqueue_all(&mut tx, jobs).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn drain(&self) -> anyhow::Result<Value> {
        self.fill().await?;
        let notes = std::sync::Arc::new(Notes { started: AtomicI64::new(-1), ..Notes::default() });
        // Looking must not cost more than what is looked at: never all rows.
        let looks = self.db.sibling(1, &[("enable_seqscan", "off"), ("enable_bitmapscan", "off")]);
        let before = self.costs().await?;
        let started = Instant::now();
        let worker = self.worker(&notes)?;
        loop {
            let due = "SELECT count(*) FROM (SELECT 1 FROM jobs
                       WHERE queue = 'bench' AND state IN ('queued', 'retrying') AND NOT waiting LIMIT 1) AS due";
            let unfinished: i64 = looks.read(due).scalar().await?;
            let running = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'running' LIMIT 1) AS running";
            let running: i64 = looks.read(running).scalar().await?;
            if unfinished + running == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let result = self.add_costs(rate(self.jobs, started), &before).await;
        worker.shutdown(Duration::from_secs(5)).await;
        result
    }

    async fn costs(&self) -> anyhow::Result<Costs> {
        let log_bytes = match self.db.engine() {
            Engine::Postgres => {
                let sql = "SELECT CAST(pg_current_wal_lsn() - '0/0' AS DOUBLE PRECISION)";
                Some(self.db.read(sql).scalar().await?)
            }
            Engine::Sqlite => None,
        };
        Ok(Costs { own_cpu: cpu_seconds()?, server_cpu: server_cpu_seconds()?, log_bytes })
    }

    /// Adds to a result what each job has cost since `before`.
    async fn add_costs(&self, mut result: Value, before: &Costs) -> anyhow::Result<Value> {
        let after = self.costs().await?;
        let jobs = result["jobs"].as_f64().context("the result counts jobs")?;
        result["cpu_us"] = json!(round((after.own_cpu - before.own_cpu) * 1e6 / jobs));
        if let Some((after, before)) = after.server_cpu.zip(before.server_cpu) {
            result["server_cpu_us"] = json!(round((after - before) * 1e6 / jobs));
        }
        if let Some((after, before)) = after.log_bytes.zip(before.log_bytes) {
            result["log_bytes"] = json!(round((after - before) / jobs));
        }
        Ok(result)
    }

    async fn latency(&self) -> anyhow::Result<Value> {
        let notes = std::sync::Arc::new(Notes::default());
        let worker = self.worker(&notes)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut latencies = Vec::new();
        for n in 0..SAMPLES {
            let began = Instant::now();
            self.queue.submit(NewJob::of(&Nothing::new(n))?).await?;
            loop {
                let start = lock(&notes.starts).iter().rev().find(|(job, _)| *job == n).map(|(_, at)| *at);
                if let Some(start) = start {
                    latencies.push(start.duration_since(began).as_secs_f64() * 1000.0);
                    break;
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.shutdown(Duration::from_secs(5)).await;
        Ok(
            json!({"samples": SAMPLES, "p50_ms": percentile(&mut latencies, 50), "p99_ms": percentile(&mut latencies, 99)}),
        )
    }

    async fn idle(&self) -> anyhow::Result<Value> {
        const SECONDS: u64 = 10;
        let worker = self.worker(&std::sync::Arc::new(Notes::default()))?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (cpu, commits) = (cpu_seconds()?, self.commits().await?);
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        let cpu = cpu_seconds()? - cpu;
        // Statistics are told with a delay of up to a second; the question itself is one.
        let commits = self.commits().await?.zip(commits).map(|(after, before)| after - before - 1);
        worker.shutdown(Duration::from_secs(5)).await;
        #[expect(clippy::cast_precision_loss, reason = "a handful of statements")]
        let statements = commits.map(|commits| round(commits as f64 / SECONDS as f64));
        Ok(json!({
            "cpu_pct": round(cpu / 10.0 * 100.0), "statements_per_s": statements, "rss_mb": resident_mb()?,
        }))
    }

    /// Transactions of this database so far; unknown on SQLite.
    async fn commits(&self) -> anyhow::Result<Option<i64>> {
        if self.db.engine() == Engine::Sqlite {
            return Ok(None);
        }
        let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        Ok(Some(self.db.read(sql).scalar().await?))
    }

    async fn history(&self) -> anyhow::Result<Value> {
        let empty_rate = self.drain().await?["jobs_per_s"].as_f64().unwrap_or_default();
        empty(&self.db).await?;
        self.fill_history().await?;
        let full = self.drain().await?;
        let full_rate = full["jobs_per_s"].as_f64().unwrap_or_default();
        Ok(json!({
            "jobs": self.jobs, "jobs_per_s": full_rate, "jobs_per_s_empty": empty_rate,
            "ratio": round(full_rate / empty_rate), "finished": FINISHED, "future": FUTURE,
        }))
    }

    async fn fill_history(&self) -> anyhow::Result<()> {
        const ROWS: &str = "
WITH RECURSIVE numbers (i) AS (
  SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < CAST($2 AS BIGINT))
INSERT INTO jobs (id, queue, kind, payload, state, run_at, waiting, max_attempts, finished_at, created_at, updated_at)
SELECT '0000-' || $3 || '-' || substr('0000000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1), 'bench',
       'bench.nothing', '{\"n\":0,\"fill\":\"\"}', $3, $4, $5, 5, $6, $7, $7
FROM numbers";
        let now = Clock::system().now();
        let later = now + Duration::from_secs(24 * 3600);
        for (state, rows, run_at, waits, finished) in
            [("succeeded", FINISHED, now, false, Some(now)), ("queued", FUTURE, later, true, None::<Timestamp>)]
        {
            let mut from = 0;
            while from < rows {
                let until = (from + 50_000).min(rows);
                self.db
                    .write(ROWS)
                    .bind(from)
                    .bind(until)
                    .bind(state)
                    .bind(run_at)
                    .bind(waits)
                    .bind(finished)
                    .bind(now)
                    .execute()
                    .await?;
                from = until;
            }
        }
        // As it is when these jobs have stood for long: counted, and on the disk.
        let settling: &[&'static str] = match self.db.engine() {
            Engine::Postgres => &["VACUUM (ANALYZE) jobs", "CHECKPOINT"],
            Engine::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
        };
        for settle in settling {
            self.db.write(settle).execute().await?;
        }
        Ok(())
    }

    async fn polls(&self) -> anyhow::Result<Value> {
        let mut n = 0;
        while n < self.jobs {
            let size = 1_000.min(self.jobs - n);
            let jobs: Vec<NewJob> =
                (0..size).map(|_| NewJob::of(&Waiting { fill: "x".repeat(FILL) })).collect::<Result<_, _>>()?;
            let mut tx = self.db.begin().await?;
            self.queue.enqueue_all(&mut tx, jobs).await?;
            tx.commit().await?;
            n += size;
        }
        let notes = std::sync::Arc::new(Notes::default());
        let worker = self.worker(&notes)?;
        // The first looks are all due at once; what counts is how it goes on.
        tokio::time::sleep(Duration::from_secs(15)).await;
        lock(&notes.late_ms).clear();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut late = std::mem::take(&mut *lock(&notes.late_ms));
        worker.shutdown(Duration::from_secs(5)).await;
        Ok(json!({
            "jobs": self.jobs, "looks": late.len(), "late_p50_ms": percentile(&mut late, 50),
            "late_p99_ms": percentile(&mut late, 99),
        }))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rate(jobs: i64, started: Instant) -> Value {
    let seconds = started.elapsed().as_secs_f64();
    json!({"jobs": jobs, "seconds": round(seconds), "jobs_per_s": (jobs as f64 / seconds).round()})
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn percentile(values: &mut [f64], percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(round(values[last * percent / 100]))
}

/// Seconds of processor time this process has used (Linux).
/// What has been used since the processes started.
struct Costs {
    own_cpu: f64,
    server_cpu: Option<f64>,
    log_bytes: Option<f64>,
}

/// The fields of /proc/PID/stat from the state on; none if the process has ended.
fn stat_fields(process: &str) -> Vec<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Seconds of processor time, of the process alone (2 fields) or with its children that have ended (4 fields).
fn cpu_of(fields: &[String], count: usize) -> f64 {
    let ticks: f64 = fields.iter().skip(11).take(count).filter_map(|field| field.parse::<f64>().ok()).sum();
    // Clock ticks of a hundredth of a second, on every Linux there is.
    ticks / 100.0
}

fn cpu_seconds() -> anyhow::Result<f64> {
    let fields = stat_fields("self");
    anyhow::ensure!(!fields.is_empty(), "only Linux tells");
    Ok(cpu_of(&fields, 2))
}

/// Processor time of all processes of the server in the directory `BENCH_POSTGRES`.
fn server_cpu_seconds() -> anyhow::Result<Option<f64>> {
    let Some(directory) = std::env::var_os("BENCH_POSTGRES") else { return Ok(None) };
    let pid = std::fs::read_to_string(Path::new(&directory).join("postmaster.pid"))?;
    let postmaster = pid.lines().next().unwrap_or_default();
    let mut sum = cpu_of(&stat_fields(postmaster), 4);
    for process in std::fs::read_dir("/proc")? {
        let fields = stat_fields(&process?.file_name().to_string_lossy());
        if fields.get(1).is_some_and(|parent| parent == postmaster) {
            sum += cpu_of(&fields, 2);
        }
    }
    Ok(Some(sum))
}

fn resident_mb() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("only Linux tells")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(round(kilobytes / 1024.0))
}
