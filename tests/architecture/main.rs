//! The shape of the code base, held by tests: who may use whom, and that nothing is forgotten on one of the engines.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod circles;
mod floors;
mod imports;
mod links;
mod migrations;
mod modules;
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that call the rules of the domain and write no rows themselves.
const ABOVE_THE_RULES: [&str; 3] = ["crates/lab/src", "jobs/src", "src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The crates of this workspace that a crate's program uses (tests may use more).
fn uses(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = text(manifest).parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    dependencies.keys().filter_map(|name| name.strip_prefix("nightshift-")).map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn dependencies_point_one_way() {
    assert_eq!(uses("crates/db/Cargo.toml"), set(&[]));
    assert_eq!(uses("crates/queue/Cargo.toml"), set(&["db"]));
    assert_eq!(uses("crates/domain/Cargo.toml"), set(&["db"]));
    assert_eq!(uses("crates/providers/Cargo.toml"), set(&[]));
    assert_eq!(uses("crates/model/Cargo.toml"), set(&[]));
    assert_eq!(uses("jobs/Cargo.toml"), set(&["db", "domain", "providers", "queue"]));
    assert_eq!(uses("crates/lab/Cargo.toml"), set(&["db", "domain", "jobs", "providers", "queue"]));
    assert_eq!(uses("Cargo.toml"), set(&["db", "domain", "jobs", "lab", "providers", "queue"]));
}

#[test]
fn only_the_command_line_uses_the_lab() {
    let commands = root().join("src/cli");
    for path in sources("src").into_iter().filter(|path| !path.starts_with(&commands)) {
        assert!(!code(&path).contains("nightshift_lab"), "{} uses the lab", path.display());
    }
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_program_the_jobs_and_the_lab_write_no_sql() {
    // Generates benchmark data in SQL: the functions of the domain would take hours.
    let beside = root().join("crates/lab/src/bulk.rs");
    for path in ABOVE_THE_RULES.into_iter().flat_map(sources).filter(|path| *path != beside) {
        let source = fs::read_to_string(&path).unwrap();
        for statement in ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"] {
            let written = source.lines().find(|line| line.contains(&format!("\"{statement}")));
            assert_eq!(written, None, "{} holds SQL", path.display());
        }
    }
}

/// `println!` and `eprintln!` panic when nobody reads, and take whoever prints along.
#[test]
fn nothing_prints_but_what_goes_on_when_nobody_reads() {
    for path in imports::CRATES.into_iter().flat_map(sources) {
        let source = fs::read_to_string(&path).unwrap();
        let printed = source.lines().find(|line| {
            let code = line.trim_start();
            !code.starts_with("//") && ["println!(", "print!(", "dbg!("].iter().any(|printing| code.contains(printing))
        });
        assert_eq!(printed, None, "{} prints; see src/output.rs", path.display());
    }
}

#[test]
fn passwords_are_hashed_in_one_place() {
    let access = root().join("crates/domain/src/access");
    let places = [access.join("hashing.rs"), access.join("passwords.rs")];
    for path in ["src", "jobs/src", "crates"].into_iter().flat_map(sources).filter(|path| !places.contains(path)) {
        let source = fs::read_to_string(&path).unwrap();
        assert!(!source.contains("Argon2"), "{} hashes beside hashing.rs, which bounds the memory", path.display());
    }
}

/// A handler that made its own viewer could read anybody's rows.
#[test]
fn viewers_of_requests_are_made_where_callers_are_known() {
    let made_in = root().join("src/web/auth");
    for path in sources("src/web").into_iter().filter(|path| !path.starts_with(&made_in)) {
        let source = fs::read_to_string(&path).unwrap();
        assert!(!source.contains("Viewer::"), "{} makes a viewer beside Caller::viewer", path.display());
    }
}

/// A new column is as many places; `CONTRIBUTING.md` lists them. Columns that rules are about are in more files.
#[test]
fn a_column_of_bookings_is_named_in_five_files_of_its_area_at_most() {
    const IN_MORE: &[(&str, &str)] = &[
        ("id", "statements and history name the booking"),
        ("sitter_id", "lists and the history are narrowed to a sitter"),
        ("service", "lists are searched by it, and one without a price is warned of"),
        ("start_at", "lists are filtered by it, and an odd time is warned of"),
        ("end_at", "an odd time is warned of"),
        ("status", "transitions, and lists are filtered by it"),
    ];
    let area = root().join("crates/domain/src/bookings");
    let source = text("crates/domain/src/bookings/booking.rs");
    let fields = source.split_once("pub struct Booking {").unwrap().1.split_once("\n    }").unwrap().0;
    let columns = fields.lines().filter_map(|line| line.trim_start().strip_prefix("pub ")?.split_once(':'));
    let columns: Vec<&str> = columns.map(|(column, _)| column).collect();
    assert!(columns.len() > 20, "the fields of Booking are read");
    for column in columns {
        let mut named = Vec::new();
        for path in sources("crates/domain/src/bookings").into_iter().filter(|path| path.parent() == Some(&area)) {
            let source = fs::read_to_string(&path).unwrap();
            let program = source.split("#[cfg(test)]").next().unwrap();
            let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
            let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
            if words.any(|word| word == column) {
                named.push(path);
            }
        }
        let in_more = IN_MORE.iter().any(|(name, _)| *name == column);
        assert_eq!(named.len() > 5, in_more, "{column} is named in {named:?}");
    }
}

#[test]
fn every_setting_is_explained_and_in_the_operators_guide() {
    let defaults = text("config/default.toml");
    let guide = text("docs/operations.md");
    let mut section = String::new();
    let mut before = "";
    for line in defaults.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            assert!(before.starts_with("# "), "{section}.{key} has no explanation");
            assert!(guide.contains(&format!("`{section}.{key}`")), "docs/operations.md lacks {section}.{key}");
        }
        before = line;
    }
}

/// The area and the module of a kind: `webhook.stripe.process` is `stripe_process` in `webhook`.
fn place(kind: &str) -> (&str, String) {
    let (area, rest) = kind.split_once('.').unwrap();
    (area, rest.replace('.', "_"))
}

/// The lines of a source that are no comments.
fn code(path: &Path) -> String {
    let source = fs::read_to_string(path).unwrap();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_job_has_a_file_that_the_architecture_names() {
    let map = text("docs/ARCHITECTURE.md");
    for kind in nightshift_jobs::registry().names() {
        let (area, module) = place(kind);
        let file = format!("jobs/src/{area}/{module}.rs");
        assert!(root().join(&file).exists(), "{kind} has no file {file}");
        assert!(map.contains(&format!("`{kind}`")), "docs/ARCHITECTURE.md does not name {kind}");
    }
}

/// Whether a source names a module of an area other than as an operation of that name: `area::module`, also without
/// anything behind it, or in a group `area::{..., module}`. Within the area, `super` is the area.
fn names_module(code: &str, area: &str, module: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let prefix = format!("{area}::");
    code.match_indices(&prefix).filter(|(at, _)| !code[..*at].ends_with(is_word)).any(|(at, _)| {
        let rest = &code[at + prefix.len()..];
        let is_it = |name: &str| name.strip_prefix(module).is_some_and(|behind| !behind.starts_with(is_word));
        let Some(group) = rest.strip_prefix('{') else {
            return is_it(rest) && !rest[module.len()..].starts_with('(');
        };
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => return false,
                '{' => depth += 1,
                '}' => depth -= 1,
                _ if depth == 0 && start && is_it(&group[at..]) => return true,
                _ => {}
            }
            start = depth == 0 && (c == ',' || (start && c.is_whitespace()));
        }
        false
    })
}

#[test]
fn a_module_is_found_however_it_is_imported() {
    let named = [
        "use crate::sms::send::SmsSend;",
        "use crate::sms::send;",
        "use crate::{App, sms::send};",
        "use crate::sms::{report, send::SmsSend};",
        "use crate::{sms::{\n    report::{a, b},\n    send,\n}};",
    ];
    for code in named {
        assert!(names_module(code, "sms", "send"), "{code}");
    }
    let others = [
        "sms::send(enqueuer)",
        "sms::send_now(enqueuer)",
        "use crate::sms::{report::send, resend};",
        "use crate::other_sms::send;",
        "use crate::sms::{report}; use crate::{send};",
    ];
    for code in others {
        assert!(!names_module(code, "sms", "send"), "{code}");
    }
}

/// What a job asks for goes through the operations of the areas.
#[test]
fn a_job_knows_no_other_job() {
    let places: Vec<_> = nightshift_jobs::registry().names().into_iter().map(place).collect();
    for (area, module) in &places {
        let path = root().join(format!("jobs/src/{area}/{module}.rs"));
        let code = code(&path);
        for (other_area, other) in places.iter().filter(|other| *other != &(*area, module.clone())) {
            let beside = area == other_area && names_module(&code, "super", other);
            let elsewhere = names_module(&code, other_area, other);
            assert!(!beside && !elsewhere, "{} uses {other_area}/{other}.rs", path.display());
        }
    }
}

/// Requests that must not be sent twice are made where `perform` hands out their permit.
#[test]
fn what_leaves_the_program_is_made_where_it_is_performed() {
    let makers = [
        ("SendMessage", "jobs/src/sms/send.rs"),
        ("StartCall", "jobs/src/dialer.rs"),
        ("effects::reserve", "crates/queue/src/handlers/perform.rs"),
        ("effects::ask", "crates/queue/src/handlers/perform.rs"),
    ];
    for path in ABOVE_THE_RULES.into_iter().chain(["crates/queue/src"]).flat_map(sources) {
        let code = code(&path);
        for (made, maker) in makers {
            let named = code.match_indices(made).any(|(at, _)| {
                !code[at + made.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
            });
            assert!(!named || path == root().join(maker), "{} names {made}", path.display());
        }
    }
}

/// Apart from operations: what they are given to enqueue with, the clock, and the receiver, which stores a delivery
/// together with its job.
#[test]
fn only_the_operations_of_an_area_enqueue() {
    let beside =
        ["jobs/src/enqueuer.rs", "jobs/src/schedules.rs", "src/web/receiver/job_for.rs", "src/web/receiver/store.rs"];
    let beside = beside.map(|file| root().join(file));
    let areas = root().join("jobs/src");
    let may = |path: &PathBuf| beside.contains(path) || (path.starts_with(&areas) && path.ends_with("mod.rs"));
    for path in ABOVE_THE_RULES.into_iter().flat_map(sources).filter(|path| !may(path)) {
        let code = code(&path);
        let enqueuing = [
            "NewJob::of(",
            ".new_job(",
            ".follow_up(",
            ".enqueue(",
            ".enqueue_new(",
            ".enqueue_all(",
            ".run_now(",
            ".run_now_by",
        ];
        for enqueuing in enqueuing {
            assert!(!code.contains(enqueuing), "{} enqueues: {enqueuing}", path.display());
        }
    }
}

/// Rules after which jobs must follow are called where those are enqueued, in the same transaction.
#[test]
fn what_jobs_must_follow_is_done_by_operations_only() {
    let operations: [(&str, &[&str]); 10] = [
        (
            "jobs/src/booking/mod.rs",
            &["bookings::create(", "bookings::patch(", "bookings::confirm(", "bookings::cancel("],
        ),
        // Called by the operation that receives a payment.
        ("jobs/src/booking/payment.rs", &["report.payment_succeeded(", ".checkout_paid(", ".invoice_paid("]),
        (
            "jobs/src/booking_call/mod.rs",
            &["calls::schedule(", "calls::started(", "calls::notify_despite_failure(", "calls::complete("],
        ),
        ("jobs/src/sms/mod.rs", &["post::post("]),
        ("jobs/src/metrics/mod.rs", &["sitters::patch(", "offers::sitter_left("]),
        (
            "jobs/src/offer/mod.rs",
            &["offers::create(", "offers::answer(", "offers::reply_to(", "offers::booking_changed("],
        ),
        (
            "jobs/src/thread/mod.rs",
            &["numbers::add(", "numbers::patch(", "masking::waiting_for_number(", "runs::waiting_for_front_desk("],
        ),
        ("jobs/src/pricing/mod.rs", &["reconciliation::begin(", "reconciliation::hand_over("]),
        ("jobs/src/seed.rs", &["seed::load("]),
        ("src/web/receiver/store.rs", &["NewDeliveries::of("]),
    ];
    // The call of a job that was given up ends without anything to follow.
    let exception = (root().join("jobs/src/booking_call/ending.rs"), "calls::complete(");
    for (file, rules) in operations {
        let file = root().join(file);
        for rule in rules {
            assert!(code(&file).contains(rule), "{} does not call {rule}", file.display());
            for path in ABOVE_THE_RULES.into_iter().flat_map(sources) {
                let allowed = path == file || (path.as_path(), *rule) == (exception.0.as_path(), exception.1);
                assert!(allowed || !code(&path).contains(rule), "{} calls {rule}", path.display());
            }
        }
    }
}

/// One behaviour each, and few enough to be read at once.
#[test]
fn script_modules_stay_small() {
    let folder = fs::read_dir(root().join("src/web/pages/assets/js")).unwrap();
    let lines = folder.map(|entry| {
        let path = entry.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 120, "{} has {lines} lines", path.display());
        lines
    });
    assert!(lines.sum::<usize>() < 600, "the script has too many lines");
}

#[test]
fn every_decision_is_listed() {
    let index = text("docs/decisions/README.md");
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&name), "docs/decisions/README.md does not list {name}");
    }
}

/// Whether this file has a test of this name, or one whose name begins so when the name ends in `*`.
fn has_test(code: &str, name: &str) -> bool {
    let (beginning, whole) = (name.trim_end_matches('*'), !name.ends_with('*'));
    let is_named = |function: &str| if whole { function == beginning } else { function.starts_with(beginning) };
    let listed =
        code.split_once("each_engine! {").map_or("", |(_, rest)| rest.split_once("\n}").map_or("", |(list, _)| list));
    let by_engine = listed.lines().filter_map(|line| line.trim().split(['(', ',']).next());
    let mut after_attribute = false;
    let single = code.lines().filter_map(|line| {
        let line = line.trim();
        if line.starts_with("#[tokio::test") || line == "#[test]" {
            after_attribute = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let function = line.trim_start_matches("async ").strip_prefix("fn ").filter(|_| after_attribute);
            after_attribute = false;
            return function?.split('(').next();
        }
        None
    });
    single.chain(by_engine).any(is_named)
}

/// `docs/promises.md` names tests as `file::name`, or `file::beginning*`, and the checks of `tests/it/support/checks.rs`.
#[test]
fn every_promise_is_shown_by_a_test_that_exists() {
    let promises = text("docs/promises.md");
    let table = promises.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    let named: Vec<(&str, &str)> = table.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 20, "the table is read");
    for (file, test) in named {
        let places = [
            "tests/it",
            "tests/it/offers",
            "tests/it/support",
            "crates/db/src",
            "crates/domain/tests/flow",
            "crates/lab/tests/it",
            "crates/providers/tests/it",
            "crates/queue/src",
            "crates/queue/src/job",
            "crates/queue/src/runtime",
            "crates/queue/src/store",
            "crates/queue/tests/it",
            "crates/queue/src/schedule",
        ];
        let names = [format!("{file}.rs"), format!("{file}/mod.rs")];
        let paths = places.iter().flat_map(|place| names.iter().map(move |name| root().join(place).join(name)));
        let mut files = paths.filter_map(|path| fs::read_to_string(path).ok());
        let found = if file == "checks" {
            files.any(|code| code.contains(&format!("fn {test}(")))
        } else {
            files.any(|code| has_test(&code, test))
        };
        assert!(found, "docs/promises.md names {file}::{test}, which is nowhere");
    }
}
