//! Nobody reads what the program prints: the log's reader has gone away or its disk is full, or a command's results go
//! into a pipe that closes.

use std::fs::File;
use std::process::{Command, Stdio};

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::{Process, World};

each_engine! {
    work_goes_on_when_nobody_reads_the_log(flavor = "multi_thread"),
    a_panic_outside_a_handler_is_one_line_of_the_log_and_a_failed_attempt(flavor = "multi_thread"),
    a_pipe_that_closes_ends_a_command_quietly_and_a_full_disk_with_one_line(flavor = "multi_thread"),
}

/// A pipe whose reader has gone away.
fn broken_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A pipe that is full, and its reader, who does not read.
fn full_pipe() -> (Stdio, std::io::PipeReader) {
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().unwrap();
    // No pipe of a process without privileges is larger; the rest of the log fills it.
    writer.write_all(&[b'\n'; 60 * 1024]).unwrap();
    (writer.into(), reader)
}

fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

async fn work_goes_on_when_nobody_reads_the_log(engine: Engine) {
    let mut world = World::on(engine).await;
    // Every statement and every request writes lines.
    world.set("RUST_LOG", "debug");
    business::load_bookings(world.db(), 6).await;
    let sender =
        StripeSender::new(format!("{}/api/webhooks/stripe", world.url()), STRIPE_SECRET.into(), http_client().unwrap());
    let (full, _reader) = full_pipe();
    for (round, log) in [broken_pipe(), full_disk(), full].into_iter().enumerate() {
        let mut command = world.command(&["serve"]);
        command.stderr(log);
        let mut process = Process::start(command);
        for number in [2 * round, 2 * round + 1] {
            let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
            assert!(sender.deliver(&event).await.unwrap().taken());
        }
        let texts = i64::try_from(2 * round + 2).unwrap();
        world.texts().sent().until(texts).await;
        world.until_quiet().await;
        process.terminate();
        assert!(process.wait().await.success(), "round {round}");
    }
    assert_eq!(world.failed_attempts().count().await, 0, "no attempt failed");
    world.shows_each_booking_once(6).await;
}

/// The handler has done its work; what panics is the run around it. The job is tried again without waiting for its lease.
async fn a_panic_outside_a_handler_is_one_line_of_the_log_and_a_failed_attempt(engine: Engine) {
    let world = World::on(engine).await;
    business::load_bookings(world.db(), 1).await;
    let _process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", "run.handled=panic")]);
    let sender =
        StripeSender::new(format!("{}/api/webhooks/stripe", world.url()), STRIPE_SECRET.into(), http_client().unwrap());
    assert!(sender.deliver(&paid("evt_1", "booking-0")).await.unwrap().taken());
    world.texts().sent().until(1).await;
    world.until_quiet().await;
    assert_eq!(world.failed_attempts().panicked().count().await, 1);
    assert_eq!(world.all_jobs().that_lost_a_lease().count().await, 0);
    world.shows_each_booking_once(1).await;
    let panics = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|message| message.starts_with("a thread panicked: fail point run.handled"))
    };
    let logged = world.logged();
    let lines = logged.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    assert_eq!(lines.filter(panics).count(), 1, "{logged}");
}

/// The exit code, what it said on standard error, and what it printed when that was to be read.
fn run(mut command: Command, out: Stdio) -> (Option<i32>, String, Vec<u8>) {
    let output = command.stdout(out).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap(), output.stdout)
}

/// Tables, JSON and findings: every way in which commands print.
const COMMANDS: [&[&str]; 4] = [&["queues", "list"], &["jobs", "list", "--json"], &["migrate", "--check"], &["doctor"]];

async fn a_pipe_that_closes_ends_a_command_quietly_and_a_full_disk_with_one_line(engine: Engine) {
    let world = World::on(engine).await;
    for arguments in COMMANDS {
        let (code, told, printed) = run(world.command(arguments), Stdio::piped());
        assert!(!printed.is_empty(), "{arguments:?}");
        assert!(!printed.contains(&0x1b) && !told.contains('\x1b'), "{arguments:?} prints colours into a pipe");
        assert_eq!(run(world.command(arguments), broken_pipe()), (code, told.clone(), Vec::new()), "{arguments:?}");
        let full = format!("{told}nightshift: the output can't be written: No space left on device (os error 28)\n");
        assert_eq!(run(world.command(arguments), full_disk()), (Some(1), full, Vec::new()), "{arguments:?}");
    }
}
