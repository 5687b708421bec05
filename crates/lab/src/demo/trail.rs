//! The output of the demo: one line per step, with the time since the start and the result.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

use crate::console::Console;

/// Prints the steps and collects the unexpected results.
pub(super) struct Trail<'a> {
    console: &'a dyn Console,
    started: Instant,
    wrong: Vec<String>,
}

impl<'a> Trail<'a> {
    pub(super) fn start(console: &'a dyn Console) -> Self {
        Self { console, started: Instant::now(), wrong: Vec::new() }
    }

    /// Prints a step.
    pub(super) fn tell(&self, step: &str, told: impl Display) {
        let ms = self.started.elapsed().as_millis();
        self.console.say(format_args!("{ms:>6} ms  {step:10} {told}"));
    }

    /// Prints an empty line.
    pub(super) fn gap(&self) {
        self.console.say(format_args!(""));
    }

    /// Prints a step and compares its result with the expected one.
    pub(super) fn expect<T: PartialEq + Display>(&mut self, step: &str, what: &str, found: &T, expected: &T) {
        if found == expected {
            self.tell(step, format_args!("{what}: {found}"));
        } else {
            self.tell(step, format_args!("{what}: {found}   <-- should be {expected}"));
            self.wrong.push(format!("{what} is {found} and should be {expected}"));
        }
    }

    /// Prints and records an error outside of a comparison.
    pub(super) fn wrong(&mut self, why: impl Display) {
        self.tell("WRONG", &why);
        self.wrong.push(why.to_string());
    }

    /// Prints the summary. Returns exit code 1 if a result was unexpected.
    pub(super) fn end(self) -> ExitCode {
        self.gap();
        if self.wrong.is_empty() {
            let ms = self.started.elapsed().as_millis();
            self.console.say(format_args!("Every step gave the expected result, in {ms} ms."));
            return ExitCode::SUCCESS;
        }
        for wrong in &self.wrong {
            self.console.remark(format_args!("nightshift: {wrong}"));
        }
        ExitCode::FAILURE
    }
}
