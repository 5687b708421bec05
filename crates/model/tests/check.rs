//! Every scope of the model is checked exhaustively, every defect is found, and every step names code that exists.

#![expect(clippy::expect_used, reason = "tests may panic")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use nightshift_model::{Defect, Protocol, SCOPES, Scope, Step, WIDE_SCOPES, check};

const THREADS: usize = 2;

fn holds_all_promises(scope: Scope) {
    let began = Instant::now();
    let checked = check(Protocol { scope, defect: None }, THREADS);
    println!("{}: {} states, {:?}", scope.name, checked.states, began.elapsed());
    if let Some((promise, steps)) = checked.broken {
        panic!("{}: {promise}: {steps:#?}", scope.name);
    }
}

/// `NIGHTSHIFT_TEST_MODEL=wide` checks the wide scopes as well.
#[test]
fn every_promise_holds_in_every_state() {
    let wide = std::env::var("NIGHTSHIFT_TEST_MODEL").is_ok_and(|which| which == "wide");
    SCOPES.into_iter().for_each(holds_all_promises);
    WIDE_SCOPES.into_iter().filter(|_| wide).for_each(holds_all_promises);
}

#[test]
fn every_defect_breaks_a_promise() {
    let mut missed = Vec::new();
    for defect in Defect::ALL {
        let scope = *SCOPES.iter().find(|scope| scope.name == defect.scope()).expect("the scope of a defect");
        let began = Instant::now();
        match check(Protocol { scope, defect: Some(defect) }, THREADS).broken {
            Some((promise, steps)) => println!("{defect:?}: {promise}, {} steps, {:?}", steps.len(), began.elapsed()),
            None => missed.push(defect),
        }
    }
    assert!(missed.is_empty(), "{missed:?} break no promise");
}

/// Walks through each scope along the first few hundred states and looks at all steps on the way.
#[test]
fn every_step_names_code_of_the_queue() {
    let queue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queue/src");
    let mut kinds = HashSet::new();
    for scope in SCOPES {
        let protocol = Protocol { scope, defect: None };
        let (mut seen, mut next) = (HashSet::new(), vec![protocol.start()]);
        while let Some(state) = next.pop().filter(|_| seen.len() < 20_000) {
            for step in protocol.steps(&state) {
                let after = protocol.take(&state, &step);
                if seen.insert(after.clone()) {
                    next.push(after);
                }
                if kinds.insert(std::mem::discriminant(&step)) {
                    names_what_exists(&queue, &step);
                }
            }
        }
    }
    assert_eq!(kinds.len(), 34, "every kind of step is taken");
}

fn names_what_exists(queue: &Path, step: &Step) {
    for (file, name) in step.code() {
        let source = fs::read_to_string(queue.join(file)).expect("a file of the queue");
        assert!(source.contains(name), "{step:?}: {file} has no `{name}`");
    }
}
