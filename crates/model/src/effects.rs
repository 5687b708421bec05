//! The ledger of effects and the provider: the protocol by which a request is sent at most once.

use crate::defect::Defect;
use crate::protocol::Protocol;
use crate::state::{Answer, Ledger, Outcome, Phase, State};
use crate::step::Step;

const fn ended(outcome: Outcome) -> Phase {
    Phase::Ended { outcome, cancel: false }
}

impl Protocol {
    pub(crate) fn change_effect(&self, state: &mut State, step: &Step) {
        match *step {
            Step::Intend { process, run } => self.intend(state, process, run),
            Step::Send { process, run, answer, done } => {
                state.effect.done += u8::from(done);
                self.set_phase(state, process, run, Phase::Answered(answer));
            }
            Step::Abstain { process, run } => self.set_phase(state, process, run, Phase::Unclear),
            Step::AskProvider { process, run } => {
                let answer = if state.effect.done > 0 { Answer::Taken } else { Answer::NotSent };
                self.set_asked_last(state, process, run);
                self.set_phase(state, process, run, Phase::Answered(answer));
            }
            Step::Settle { process, run } => self.settle(state, process, run),
            _ => {}
        }
    }

    /// The row stands for what this run has learned.
    fn set_asked_last(&self, state: &mut State, process: usize, run: usize) {
        if let Some(run) = &mut state.processes[process].runs[run] {
            run.asked_last = true;
        }
    }

    fn intend(&self, state: &mut State, process: usize, run: usize) {
        let effect = &mut state.effect;
        let phase = match effect.ledger {
            Ledger::None | Ledger::Reserved => Phase::Permit { age: 0 },
            Ledger::Asked | Ledger::Unknown if self.has(Defect::EffectsAskedAgain) => Phase::Permit { age: 0 },
            Ledger::Asked | Ledger::Unknown => Phase::Unclear,
            Ledger::Confirmed => ended(Outcome::Done),
            Ledger::Refused => ended(Outcome::FailForGood),
        };
        if matches!(phase, Phase::Permit { .. }) {
            (effect.ledger, effect.age) = (Ledger::Asked, 0);
            for run in state.processes.iter_mut().flat_map(|process| process.runs.iter_mut().flatten()) {
                run.asked_last = false;
            }
            self.set_asked_last(state, process, run);
        }
        self.set_phase(state, process, run, phase);
    }

    fn settle(&self, state: &mut State, process: usize, place: usize) {
        let Some(run) = state.processes[process].runs[place] else { return };
        let Phase::Answered(answer) = run.phase else { return };
        let effect = &mut state.effect;
        let open = matches!(effect.ledger, Ledger::Asked | Ledger::Unknown);
        // What is certain about one request says nothing about a later one.
        let current = open && (run.asked_last || self.has(Defect::LateAnswersSettle));
        let outcome = match answer {
            Answer::Taken => {
                effect.ledger = Ledger::Confirmed;
                Outcome::Done
            }
            // Also if somebody has found no trace of the request meanwhile.
            Answer::Refused if current || (effect.ledger == Ledger::Reserved && run.asked_last) => {
                effect.ledger = Ledger::Refused;
                Outcome::FailForGood
            }
            Answer::NotSent if current => {
                effect.ledger = Ledger::Reserved;
                Outcome::Fail
            }
            Answer::Unclear if current => {
                effect.ledger = Ledger::Unknown;
                Outcome::Fail
            }
            _ => Outcome::Fail,
        };
        self.set_phase(state, process, place, ended(outcome));
    }

    /// A person's retry reserves a refused effect again.
    pub(crate) fn reopen(&self, state: &mut State, job: usize) {
        if self.spec(job).effect && state.effect.ledger == Ledger::Refused {
            state.effect.ledger = Ledger::Reserved;
        }
    }
}
