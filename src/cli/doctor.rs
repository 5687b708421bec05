//! `nightshift doctor`: finds what is wrong with an installation, and says what to do about it.

mod findings;
mod sms;

use std::process::ExitCode;
use std::time::Duration;

use nightshift_db::{Clock, Db, migration_state};
use nightshift_domain::calls::Dialing;
use nightshift_domain::people::doubtful::{self, Doubtful};
use nightshift_domain::phone::Doubt;
use nightshift_queue::Queue;

use self::findings::Findings;
use super::{open, published};
use crate::app::dialer;
use crate::app::timekeeping::WRONG_BY_MAX_MS;
use crate::config::{ConfigError, Environment, Finding, Settings, Severity};
use crate::output::say;

/// The largest acceptable offset of the machine's clock. The program itself uses the database's clock.
const SKEW_MAX: Duration = Duration::from_millis(WRONG_BY_MAX_MS.unsigned_abs());
/// The age of a due job from which it counts as not picked up by any worker.
const OLDEST_READY_MAX: Duration = Duration::from_secs(60);

/// How closely.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 when a check is WRONG; warnings and notes do not count.")]
pub(super) struct Args {
    /// Also checks every promise in the database; reads all jobs once.
    #[arg(long)]
    deep: bool,
}

pub(super) async fn run(args: &Args, settings: Result<Settings, ConfigError>) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    match settings {
        Err(error) => findings.wrong("settings", error),
        Ok(settings) => {
            check_settings(&settings, &mut findings);
            check_database(&settings, args.deep, &mut findings).await;
            sms::check(&settings, &mut findings).await;
            check_calls(&settings, &mut findings).await;
        }
    }
    say!();
    if findings.wrong == 0 {
        say!("nothing is wrong");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{} wrong", findings.wrong);
    Ok(ExitCode::FAILURE)
}

fn check_settings(settings: &Settings, findings: &mut Findings) {
    let found = settings.findings();
    if !found.iter().any(|finding| finding.severity == Severity::Refusal) {
        findings.good("settings", format_args!("readable, environment {}", settings.environment.as_str()));
    }
    for Finding { about, severity, sentence, .. } in found {
        match severity {
            Severity::Refusal => findings.wrong(about, format_args!("serve does not start: {sentence}")),
            Severity::Warning => findings.warning(about, sentence),
            Severity::Note => findings.note(about, sentence),
        }
    }
}

async fn check_database(settings: &Settings, deep: bool, findings: &mut Findings) {
    let shown = settings.database.shown();
    let db = match open::database(settings).await {
        Ok(db) => db,
        Err(error) => return findings.wrong("database", format_args!("{error:#}; check DATABASE_URL")),
    };
    let state = match migration_state(&db).await {
        Ok(state) => state,
        Err(error) => {
            let advice = "is the server running, and may this user connect?";
            return findings.wrong("database", format_args!("{shown} can't be reached: {error}; {advice}"));
        }
    };
    findings.good("database", format_args!("{shown} answers"));
    check_clock(&db, findings).await;
    check_server(&db, findings).await;
    if let Err(error) = state.check() {
        return findings.wrong("migrations", error);
    }
    if !state.newer.is_empty() {
        let newer = state.newer.join(", ");
        findings.note("migrations", format_args!("{newer} of a newer version, with which this one works too"));
    }
    if state.is_current() {
        findings.good("migrations", format_args!("all {} are applied", state.applied.len() - state.newer.len()));
        let clock = Clock::system();
        if let Err(error) = db.agree_on_time(&clock).await {
            return findings.wrong("database", format_args!("the time of {shown} can't be read: {error}"));
        }
        let queue = Queue::new(db, clock);
        check_queues(&queue, findings).await;
        check_passwords(&queue, settings.environment, findings).await;
        check_numbers(queue.db(), findings).await;
        if deep {
            check_promises(&queue, findings).await;
        }
    } else if settings.database.auto_migrate {
        findings.note("migrations", format_args!("the next `serve` applies {}", state.missing.join(", ")));
    } else {
        findings.wrong("migrations", format_args!("{} missing; run `nightshift migrate`", state.missing.join(", ")));
    }
}

async fn check_passwords(queue: &Queue, environment: Environment, findings: &mut Findings) {
    let found = match published::found_in(queue.db()).await {
        Ok(found) => found,
        Err(error) => return findings.wrong("passwords", format_args!("can't be checked: {error:#}")),
    };
    if found.is_empty() {
        return;
    }
    let sentence = format!(
        "{} can sign in with the demo's password, which is public; run `nightshift users set-password`",
        found.join(", ")
    );
    match environment {
        Environment::Production => findings.wrong("passwords", sentence),
        Environment::Development => findings.note("passwords", sentence),
    }
}

/// Finds phone numbers that were stored before numbers were parsed by their organisation's country. Prints only ids,
/// because phone numbers are personal data.
async fn check_numbers(db: &Db, findings: &mut Findings) {
    let found = match doubtful::find(db).await {
        Ok(found) => found,
        Err(error) => return findings.wrong("numbers", format_args!("can't be checked: {error}")),
    };
    if found.is_empty() {
        findings.good("numbers", "every stored phone number is possible");
    }
    for Doubtful { of, doubt, count, examples } in found {
        let why = match doubt {
            Doubt::Impossible => "with a phone number that is not valid or is read as another one",
            Doubt::National => "with a foreign phone number that may be a national one of their organisation's country",
        };
        findings.note("numbers", format_args!("{count} {of} {why}: {}; correct them", examples.join(", ")));
    }
}

async fn check_promises(queue: &Queue, findings: &mut Findings) {
    match nightshift_jobs::promises::broken(queue).await {
        Err(error) => findings.wrong("promises", format_args!("can't be checked: {error}")),
        Ok(broken) if broken.is_empty() => findings.good("promises", "all hold"),
        Ok(broken) => {
            for broken in broken {
                findings.wrong("promises", format_args!("{}: {}", broken.promise, broken.examples.join(", ")));
            }
        }
    }
}

async fn check_clock(db: &Db, findings: &mut Findings) {
    match db.server_time().await {
        Err(error) => findings.wrong("clock", format_args!("the database's time can't be read: {error}")),
        Ok(theirs) => {
            let ours = Clock::system().now();
            let skew = ours.since(theirs).max(theirs.since(ours));
            let seconds = skew.as_secs_f64();
            if skew > SKEW_MAX {
                let way = if ours > theirs { "ahead of" } else { "behind" };
                let advice = "the database's is used; set both clocks by NTP";
                findings.wrong("clock", format_args!("{seconds:.1} s {way} the database's; {advice}"));
            } else {
                findings.good("clock", format_args!("{seconds:.1} s apart from the database's"));
            }
        }
    }
}

/// Checks the database server's settings on which this program relies.
async fn check_server(db: &Db, findings: &mut Findings) {
    match nightshift_db::settings(db).await {
        Err(error) => findings.wrong("server", format_args!("its settings can't be read: {error}")),
        Ok(settings) => {
            for setting in &settings {
                if let Some(trouble) = setting.trouble() {
                    findings.wrong("server", format_args!("{} is {}: {trouble}", setting.name, setting.value));
                }
            }
            let all: Vec<_> = settings.iter().map(|setting| format!("{}={}", setting.name, setting.value)).collect();
            findings.note("server", all.join(" "));
        }
    }
}

async fn check_queues(queue: &Queue, findings: &mut Findings) {
    let (settings, stats) = match tokio::try_join!(queue.settings(), queue.stats()) {
        Ok(both) => both,
        Err(error) => return findings.wrong("queues", error),
    };
    for state in settings.iter().filter(|state| state.paused) {
        let reason = state.paused_reason.as_deref().unwrap_or("no reason given");
        findings.note("queues", format_args!("{} is paused: {reason}", state.name));
    }
    let paused = |name: &str| settings.iter().any(|state| state.paused && state.name == name);
    for stats in &stats {
        let name = &stats.queue;
        if stats.dead > 0 {
            findings.note(
                "queues",
                format_args!("{name} has {} dead jobs; see `nightshift jobs list --state dead`", stats.dead),
            );
        }
        if let Some(seconds) = stats.oldest_ready_seconds.filter(|seconds| *seconds > OLDEST_READY_MAX.as_secs())
            && !paused(name)
        {
            let advice = "is a worker running, and is it fast enough?";
            findings.wrong("queues", format_args!("the oldest job of {name} has been due for {seconds} s; {advice}"));
        }
    }
    if stats.iter().all(|stats| stats.dead == 0) {
        findings.good("queues", "no dead jobs");
    }
}

async fn check_calls(settings: &Settings, findings: &mut Findings) {
    let dialing = settings.calls.dialing();
    let whom = match &dialing {
        Dialing::Simulated => {
            return findings.note("calls", "LIVE_CALL_ENABLED is not true: calls are simulated and nobody is called");
        }
        Dialing::Test(phone) => format!("test phone {}", phone.masked()),
        Dialing::Production => "providers".to_owned(),
    };
    let checked = match dialer(settings, &dialing) {
        Ok(caller) => caller.check().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match checked {
        Ok(()) => {
            findings.good(
                "calls",
                format_args!("{} answers and accepts the key; calls reach {whom}", settings.vapi.base_url),
            );
        }
        Err(error) => {
            let advice = "check VAPI_API_KEY and VAPI_BASE_URL";
            findings.wrong("calls", format_args!("{}: {error}; {advice}", settings.vapi.base_url));
        }
    }
    let reports = settings.vapi.credential_id.is_some() || !settings.webhooks.vapi_secrets.is_empty();
    if settings.calls.live && !reports {
        findings
            .note("calls", "VAPI_WEBHOOK_SECRET is not set: VAPI is not asked to report, and calls are only polled");
    }
}
