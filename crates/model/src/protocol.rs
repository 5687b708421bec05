//! The protocol in one scope, and what all its parts share.

use crate::defect::Defect;
use crate::scope::{JobSpec, Scope};
use crate::state::{PAUSE_AFTER_START, Phase, Process, State, Up};

/// The protocol in one scope, possibly with a defect.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    pub scope: Scope,
    pub defect: Option<Defect>,
}

impl Protocol {
    #[must_use]
    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    pub(crate) fn spec(&self, job: usize) -> &JobSpec {
        &self.scope.jobs[job]
    }

    /// Returns a process that has just started. Where no clock is set, it need not wait before it looks for lost leases.
    pub(crate) fn started(&self) -> Process {
        let waits = self.scope.budget.jumps > 0 && !self.has(Defect::NoPauseAtTheStart);
        Process { looks_in: if waits { PAUSE_AFTER_START } else { 0 }, ..Process::STARTED }
    }

    pub(crate) fn set_phase(&self, state: &mut State, process: usize, run: usize, phase: Phase) {
        if let Some(run) = &mut state.processes[process].runs[run] {
            run.phase = phase;
        }
    }
}

/// Wakes the dispatcher of a process, and has it tell the others.
pub(crate) fn wake(state: &mut State, number: usize) {
    let process = &mut state.processes[number];
    if process.up != Up::Down {
        (process.woken, process.outgoing) = (true, true);
    }
}
