//! The exhaustive check, by stateright.

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::promises::PROMISES;
use crate::protocol::Protocol;
use crate::state::State;
use crate::step::Step;

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(self.steps(state));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.take(state, &step)).filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        PROMISES.iter().map(|(name, holds)| Property::always(name, *holds)).collect()
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// States that can be reached. Fewer if a promise is broken, because the check then stops.
    pub states: usize,
    /// Steps on the longest way to a state.
    pub depth: usize,
    /// The first broken promise, with the steps that lead to it.
    pub broken: Option<(&'static str, Vec<Step>)>,
}

/// Visits every state of the protocol in its scope, until a promise is broken.
#[must_use]
pub fn check(protocol: Protocol, threads: usize) -> Checked {
    let checker = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = checker.discoveries().into_iter().next().map(|(name, path)| (name, path.into_actions()));
    Checked { states: checker.unique_state_count(), depth: checker.max_depth(), broken }
}
