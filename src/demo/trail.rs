//! What the demo prints: one line per step, with the time since its start, and whether it came out as told.

use crate::output::{complain, say};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

/// The steps so far.
pub(super) struct Trail {
    started: Instant,
    wrong: Vec<String>,
}

impl Trail {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), wrong: Vec::new() }
    }

    /// Tells a step.
    pub(super) fn tell(&self, step: &str, told: impl Display) {
        say!("{:>6} ms  {step:10} {told}", self.started.elapsed().as_millis());
    }

    /// Tells a step whose outcome is known beforehand.
    pub(super) fn expect<T: PartialEq + Display>(&mut self, step: &str, what: &str, found: &T, expected: &T) {
        if found == expected {
            self.tell(step, format_args!("{what}: {found}"));
        } else {
            self.tell(step, format_args!("{what}: {found}   <-- should be {expected}"));
            self.wrong.push(format!("{what} is {found} and should be {expected}"));
        }
    }

    /// Something went wrong that is no step's outcome.
    pub(super) fn wrong(&mut self, why: impl Display) {
        self.tell("WRONG", &why);
        self.wrong.push(why.to_string());
    }

    /// The verdict.
    pub(super) fn end(self) -> ExitCode {
        say!();
        if self.wrong.is_empty() {
            say!("Everything came out as told, in {} ms.", self.started.elapsed().as_millis());
            return ExitCode::SUCCESS;
        }
        for wrong in &self.wrong {
            complain!("nightshift: {wrong}");
        }
        ExitCode::FAILURE
    }
}
