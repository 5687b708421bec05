//! People who text back: each person answers the texts that reach their phone as a script says.
//!
//! A person answers to the number that the text came from, through the same carrier.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inbound::{Arrival, Carrier, InboundSpec, Reporting};

/// A person with a phone. As JSON:
/// `{"phone":"+12125550101","script":[{"contains":"Reply YES","say":"YES","afterMs":2000}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Person {
    /// A number in E.164 format.
    pub phone: String,
    /// The first reaction that applies to a text answers it. A text to which none applies is not answered.
    pub script: Vec<Reaction>,
}

/// What a person answers to which texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reaction {
    /// Only texts that contain this. `None` means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Only the n-th of these texts, counted from 1. `None` means each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// The answer.
    pub say: String,
    /// Milliseconds from the arrival of the text to the answer.
    #[serde(default)]
    pub after_ms: u64,
    /// Number of texts that are still to be answered so. 0 means all, which never ends if the answer causes such a text.
    #[serde(default = "one")]
    pub times: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_urls: Vec<String>,
    /// What the carrier says about the answer's keyword.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out_type: Option<String>,
    /// Number of texts seen that contain what they must contain.
    #[serde(skip)]
    seen: u32,
}

/// The people of a simulator and the carriers through which they text.
pub struct People {
    carriers: Vec<Arc<dyn Carrier>>,
    by_phone: Mutex<HashMap<String, Person>>,
}

impl Person {
    /// Creates a person who answers nothing.
    #[must_use]
    pub fn new(phone: impl Into<String>) -> Self {
        Self { phone: phone.into(), script: Vec::new() }
    }

    /// Adds a reaction.
    #[must_use]
    pub fn with(mut self, reaction: Reaction) -> Self {
        self.script.push(reaction);
        self
    }

    /// Returns the answer to a text and the time until then, and counts the text.
    fn answer(&mut self, arrival: &Arrival) -> Option<(InboundSpec, Duration)> {
        let mut answer = None;
        self.script.retain_mut(|reaction| {
            if reaction.contains.as_ref().is_some_and(|part| !arrival.body.contains(part.as_str())) {
                return true;
            }
            reaction.seen += 1;
            if answer.is_some() || reaction.nth.is_some_and(|nth| nth != reaction.seen) {
                return true;
            }
            let mut spec = InboundSpec::new(&arrival.to, &arrival.from, &reaction.say);
            spec.media_urls.clone_from(&reaction.media_urls);
            spec.opt_out_type.clone_from(&reaction.opt_out_type);
            answer = Some((spec, Duration::from_millis(reaction.after_ms)));
            let used_up = reaction.times == 1;
            reaction.times = reaction.times.saturating_sub(1);
            !used_up
        });
        answer
    }
}

impl Reaction {
    /// Creates an answer to the next text.
    #[must_use]
    pub fn say(answer: impl Into<String>) -> Self {
        Self {
            contains: None,
            nth: None,
            say: answer.into(),
            after_ms: 0,
            times: one(),
            media_urls: Vec::new(),
            opt_out_type: None,
            seen: 0,
        }
    }

    /// Limits the reaction to texts that contain `part`.
    #[must_use]
    pub fn to_texts_with(mut self, part: impl Into<String>) -> Self {
        self.contains = Some(part.into());
        self
    }

    /// Limits the reaction to the n-th text, counted from 1.
    #[must_use]
    pub fn to_text_number(mut self, nth: u32) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Sets the time from the arrival of the text to the answer.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.after_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sets how many texts are answered. 0 means all.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

impl People {
    pub(super) fn new(carriers: Vec<Arc<dyn Carrier>>) -> Arc<Self> {
        Arc::new(Self { carriers, by_phone: Mutex::default() })
    }

    /// Has people answer the texts of all carriers until `stop` is cancelled.
    pub(super) fn wake(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        for carrier in &self.carriers {
            let (people, carrier, mut arrivals) = (self.clone(), carrier.clone(), carrier.arrivals());
            let (answers, stop) = (tasks.clone(), stop.clone());
            tasks.spawn(async move {
                while let Some(Some(arrival)) = stop.run_until_cancelled(arrivals.recv()).await {
                    let Some((spec, pause)) = people.answer(&arrival) else { continue };
                    let (carrier, stop) = (carrier.clone(), stop.clone());
                    answers.spawn(async move {
                        let answering = async {
                            tokio::time::sleep(pause).await;
                            carrier.receive(spec).await;
                        };
                        stop.run_until_cancelled(answering).await;
                    });
                }
            });
        }
    }

    /// Adds a person, or gives a person another script.
    pub fn add(&self, person: Person) {
        self.lock().insert(person.phone.clone(), person);
    }

    /// Returns all people with what is left of their scripts, in the order of their phones.
    #[must_use]
    pub fn all(&self) -> Vec<Person> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| a.phone.cmp(&b.phone));
        all
    }

    /// Removes all people.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Sends a text of a person through a carrier. `None` if there is no carrier of this name.
    #[must_use]
    pub fn text(&self, carrier: &str, spec: InboundSpec) -> Option<Reporting<'_>> {
        Some(self.carriers.iter().find(|known| known.name() == carrier)?.receive(spec))
    }

    fn answer(&self, arrival: &Arrival) -> Option<(InboundSpec, Duration)> {
        self.lock().get_mut(&arrival.to)?.answer(arrival)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Person>> {
        self.by_phone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").field("people", &self.lock().len()).finish_non_exhaustive()
    }
}

const fn one() -> u32 {
    1
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::time::Duration;

    use super::{Arrival, Person, Reaction};

    fn answers(person: &mut Person, bodies: &[&str]) -> Vec<Option<String>> {
        let arrival = |body: &str| Arrival { from: "+1".into(), to: "+2".into(), body: body.into() };
        bodies.iter().map(|body| person.answer(&arrival(body)).map(|(spec, _)| spec.body)).collect()
    }

    #[test]
    fn the_first_reaction_that_applies_answers() {
        let mut person = Person::new("+2")
            .with(Reaction::say("YES").to_texts_with("Reply YES").times(2))
            .with(Reaction::say("STOP").to_text_number(2))
            .with(Reaction::say("ok").times(0));
        let told = answers(&mut person, &["Reply YES", "hello", "Reply YES", "Reply YES"]);
        let told: Vec<_> = told.iter().map(Option::as_deref).collect();
        assert_eq!(told, [Some("YES"), Some("STOP"), Some("YES"), Some("ok")]);
    }

    #[test]
    fn an_answer_goes_back_to_where_the_text_came_from() {
        let mut person = Person::new("+2").with(Reaction::say("hi").after(Duration::from_secs(2)));
        let (spec, pause) =
            person.answer(&Arrival { from: "+1".into(), to: "+2".into(), body: String::new() }).unwrap();
        assert_eq!((spec.from.as_str(), spec.to.as_str(), pause), ("+2", "+1", Duration::from_secs(2)));
        assert!(person.script.is_empty());
    }
}
