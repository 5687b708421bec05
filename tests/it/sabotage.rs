//! Deliberate defects of the whole program, each of which a test must notice; those of the queue are beside its tests.

use std::process::Command;

/// A defect, and the test that catches it; `*` stands for each engine.
const CAUGHT: &[(&str, &str)] = &[
    ("wishes_not_held", "opt_outs::postgres::no_text_is_asked_for_after_a_stop"),
    ("no_shield", "reconciliation::*::behind_the_shield_no_price_can_be_written_and_others_are_not_hindered"),
    #[cfg(target_os = "linux")]
    ("commits_not_synced", "power::whenever_the_power_fails_what_was_acknowledged_is_there_and_happens_once"),
    ("answered_without_a_commit", "receiver::*::with_validation_a_valid_signature_is_taken_under_any_of_the_secrets"),
];

#[test]
fn every_defect_is_caught_by_its_test() {
    let caught = CAUGHT.iter().flat_map(|(defect, test)| {
        let on: &[_] = if test.contains('*') { &["sqlite", "postgres"] } else { &[""] };
        on.iter().map(move |engine| (*defect, test.replace('*', engine)))
    });
    for (defect, test) in caught {
        let outcome = |defect: Option<&str>| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", &test]).envs(defect.map(|defect| ("NIGHTSHIFT_SABOTAGE", defect)));
            String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
        };
        // It is the defect that it fails of, and nothing else.
        let (without, with) = std::thread::scope(|scope| {
            let without = scope.spawn(|| outcome(None));
            let with = outcome(Some(defect));
            (without.join().unwrap(), with)
        });
        assert!(without.contains("1 passed"), "{test} fails by itself:\n{without}");
        assert!(with.contains("1 failed"), "{defect} was not noticed by {test}:\n{with}");
    }
}
