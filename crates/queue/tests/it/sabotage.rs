//! Deliberate defects, each of which a test must notice: what turns green tests into evidence.

use std::process::Command;
use std::sync::Mutex;

use nightshift_model::Defect;

/// A defect, and the test that catches it; `*` stands for each engine.
const CAUGHT: &[(&str, &str)] = &[
    ("one_lease_for_ever", "leases::*::a_frozen_handler_that_wakes_up_after_losing_its_lease_changes_nothing"),
    ("the_living_are_rescued", "leases::*::renewal_never_waits_for_a_row_that_somebody_has_locked"),
    ("lost_leases_not_counted", "lifecycle::any_history_keeps_the_promises"),
    ("failures_not_counted", "lifecycle::any_history_keeps_the_promises"),
    ("polls_spend_attempts", "lifecycle::any_history_keeps_the_promises"),
    (
        "shutdown_spends_attempts",
        "shutdown::*::what_is_not_done_within_the_grace_time_is_given_back_at_once_without_spending_an_attempt",
    ),
    ("dedup_skipped", "enqueue::*::an_active_dedup_key_names_the_job_that_stands_and_is_free_again_after_it"),
    ("once_skipped", "enqueue::*::a_once_key_is_never_free_again"),
    ("groups_forgotten", "groups::*::jobs_of_a_group_run_one_at_a_time_in_order"),
    ("answered_without_a_commit", "enqueue::*::submitted_jobs_share_commits_and_are_answered_after_them"),
    (
        "effects_asked_again",
        "effects::*::an_effect_is_asked_once_and_only_proof_that_nothing_left_lets_it_be_asked_again",
    ),
    ("effects_asked_again", "perform::*::a_request_leaves_again_only_when_it_is_proven_that_none_left"),
    ("permits_for_ever", "perform::*::a_request_leaves_again_only_when_it_is_proven_that_none_left"),
    ("late_answers_settle", "perform::*::a_request_leaves_again_only_when_it_is_proven_that_none_left"),
    ("late_answers_settle", "effects::*::what_is_known_of_a_request_settles_no_later_one"),
    ("slots_fire_twice", "schedule::*::each_occurrence_has_one_job_however_many_schedulers_look"),
    // On SQLite the processes of one machine look at the file as well.
    ("nobody_else_is_woken", "wakeups::postgres::a_job_of_another_process_starts_without_the_clock_moving"),
];
/// Tests run side by side: most of what a broken one does is wait.
const SIDE_BY_SIDE: usize = 7;

#[test]
fn every_defect_is_caught_by_its_test() {
    let caught = CAUGHT.iter().flat_map(|(defect, test)| {
        let on: &[_] = if test.contains('*') { &["sqlite", "postgres"] } else { &[""] };
        on.iter().map(move |engine| (*defect, test.replace('*', engine)))
    });
    let next = Mutex::new(caught);
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some((defect, test)) = next.lock().unwrap().next() else { return };
                    let outcome = |defect: Option<&str>| {
                        let mut command = Command::new(std::env::current_exe().unwrap());
                        command.args(["--exact", &test]).env("PROPTEST_FAILURE_PERSISTENCE", "off");
                        command.envs(defect.map(|defect| ("NIGHTSHIFT_SABOTAGE", defect)));
                        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
                    };
                    // It is the defect that it fails of, and nothing else.
                    let (without, with) = (outcome(None), outcome(Some(defect)));
                    if !without.contains("1 passed") {
                        missed.lock().unwrap().push(format!("{test} fails by itself:\n{without}"));
                    }
                    if !with.contains("1 failed") {
                        missed.lock().unwrap().push(format!("{defect} was not noticed by {test}:\n{with}"));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// The exhaustive check of the model must find each of them as well.
#[test]
fn every_defect_is_one_of_the_model() {
    let modelled: Vec<_> = Defect::ALL.iter().filter_map(|defect| defect.in_the_program()).collect();
    for (defect, _) in CAUGHT {
        assert!(modelled.contains(defect), "{defect} is not in the model");
    }
}
