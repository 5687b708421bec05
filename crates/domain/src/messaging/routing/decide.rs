//! The routing decision: the rules in their order, of which the first that matches decides.

use super::facts::{Facts, KnownSitter, OpenThread, Reached, WindowOfThread};
use super::said::time;
use super::steps::{Check, Step, Steps};
use crate::ids::{SitterId, ThreadId};
use crate::messaging::message::RoutedTo;
use crate::messaging::numbers::NumberClass;
use crate::messaging::opt_outs::Keyword;
use crate::messaging::scope::Scope;
use crate::messaging::windows::WindowStatus;
use crate::offers::Command;
use crate::text_enum::text_enum;

text_enum! {
    /// Which rule decided.
    pub enum Outcome as RoutingOutcome {
        /// The number is the one for new businesses.
        Onboarding = "onboarding",
        /// The number is none of ours.
        Unroutable = "unroutable",
        /// A sitter answers an offer.
        OfferAnswer = "offer_answer",
        /// A sitter writes to the owner.
        Sitter = "sitter",
        /// A window of the client's thread is active.
        ActiveWindow = "active_window",
        /// A window of the client's thread is active but has no sitter.
        WindowWithoutSitter = "window_without_sitter",
        /// The client has an open thread, without an active window.
        ClosedWindow = "closed_window",
        /// The number is a sitter's own.
        SitterNumber = "sitter_number",
        /// A known client without an open thread on the number.
        NewConversation = "new_conversation",
        /// Nobody is known under the sender's number.
        UnknownSender = "unknown_sender",
    }
}

/// Where a text goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An open thread of the client.
    Thread(ThreadId),
    /// The client's general thread on the number, which is created if there is none. It is assigned to the sitter whose
    /// own number it is.
    General,
    /// The thread of the owner with this sitter.
    OwnerSitter(SitterId),
    /// Nowhere: the text is kept in the inbox of webhooks only.
    Nowhere,
}

/// As whom the sender writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    Client,
    Sitter(SitterId),
}

/// What a text changes about its sender's wish to get texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opting {
    Out,
    In,
    /// Lifts an opt-out that the carrier reported.
    LiftCarrier,
}

/// The text by which we answer a keyword that the carrier does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeywordReply {
    Stopped,
    Started,
    Help,
}

impl KeywordReply {
    /// Returns the text, in the name of an organisation.
    #[must_use]
    pub fn body(self, organization: &str) -> String {
        match self {
            Self::Stopped => "You are unsubscribed. Reply START to get messages again.".to_owned(),
            Self::Started => "You are subscribed again.".to_owned(),
            Self::Help => format!("This is {organization}. Reply to reach us. Reply STOP to unsubscribe."),
        }
    }
}

/// The decision about one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    pub destination: Destination,
    pub routed_to: RoutedTo,
    pub author: Author,
    /// The sitter who is to answer: the sitter of the active window, or of the number.
    pub sitter: Option<SitterId>,
    pub opting: Option<Opting>,
    pub reply: Option<KeywordReply>,
    /// Whether it is STOP, START or HELP, which the carrier or we answer, so that nobody has to.
    pub is_keyword: bool,
    /// The answer to an offer to act on.
    pub command: Option<Command>,
    pub steps: Vec<Step>,
    /// Why the text went where it went, in one sentence.
    pub summary: String,
}

/// What a text's keyword asks for.
#[derive(Debug, Default)]
struct Asked {
    opting: Option<Opting>,
    reply: Option<KeywordReply>,
    is_keyword: bool,
}

/// Where a text goes, before the steps are complete.
struct Verdict {
    outcome: Outcome,
    destination: Destination,
    routed_to: RoutedTo,
    author: Author,
    sitter: Option<SitterId>,
    command: Option<Command>,
    summary: String,
}

impl Verdict {
    /// A client's text for the owner.
    fn to_owner(outcome: Outcome, destination: Destination, why: &str) -> Self {
        let summary = format!("Routed to owner inbox: {why}.");
        let (routed_to, author) = (RoutedTo::Owner, Author::Client);
        Self { outcome, destination, routed_to, author, sitter: None, command: None, summary }
    }

    /// A client's text for a sitter.
    fn to_sitter(outcome: Outcome, destination: Destination, sitter: &KnownSitter, why: &str) -> Self {
        let summary = format!("Routed to {} (sitter): {why}.", sitter.name);
        let (routed_to, author) = (RoutedTo::Sitter, Author::Client);
        Self { outcome, destination, routed_to, author, sitter: Some(sitter.id.clone()), command: None, summary }
    }

    fn explained_by(self, asked: Asked, steps: Steps) -> Decision {
        Decision {
            outcome: self.outcome,
            destination: self.destination,
            routed_to: self.routed_to,
            author: self.author,
            sitter: self.sitter,
            opting: asked.opting,
            reply: asked.reply,
            is_keyword: asked.is_keyword,
            command: self.command,
            steps: steps.into_vec(),
            summary: self.summary,
        }
    }
}

/// Decides where a text goes. It always goes to exactly one place.
#[must_use]
pub fn decide(facts: &Facts) -> Decision {
    let mut steps = Steps::default();
    let to = format!("the text was sent to {}", facts.number);
    if facts.reached == Reached::Onboarding {
        steps.matched(Check::OnboardingNumber, to, "it is the number for new businesses");
        let asked = keyword(facts, &mut steps);
        steps.matched(Check::GeneralThread, sender(facts), "texts of a new business are kept in one conversation");
        let verdict = Verdict {
            outcome: Outcome::Onboarding,
            destination: Destination::General,
            routed_to: RoutedTo::None,
            author: Author::Client,
            sitter: None,
            command: None,
            summary: format!("Kept for onboarding: {} is the number for new businesses.", facts.number),
        };
        return verdict.explained_by(asked, steps);
    }
    steps.not(Check::OnboardingNumber, to.clone(), "it is not the number for new businesses");
    let Reached::Organization { class, sitter: number_sitter } = &facts.reached else {
        steps.not(Check::Number, to, "no organisation has this number");
        let verdict = Verdict {
            outcome: Outcome::Unroutable,
            destination: Destination::Nowhere,
            routed_to: RoutedTo::None,
            author: Author::Client,
            sitter: None,
            command: None,
            summary: format!("Not routed: it was sent to {}, which no organisation has.", facts.number),
        };
        return verdict.explained_by(Asked::default(), steps);
    };
    steps.matched(Check::Number, to, format!("it is a {} number of the organisation", shown(*class)));
    let asked = keyword(facts, &mut steps);
    let verdict = match &facts.sitter {
        Some(sitter) => of_sitter(facts, sitter, &mut steps),
        None => {
            steps.not(Check::Sitter, sender(facts), "no sitter has this number");
            of_client(facts, *class, number_sitter.as_ref(), &mut steps)
        }
    };
    verdict.explained_by(asked, steps)
}

fn sender(facts: &Facts) -> String {
    format!("the sender is {}", facts.from.shown())
}

const fn shown(class: NumberClass) -> &'static str {
    match class {
        NumberClass::Pool => "pool",
        NumberClass::Sitter => "sitter's",
        NumberClass::FrontDesk => "front desk",
    }
}

/// Rule 3. A keyword changes who gets texts; the text itself is then routed as any other.
fn keyword(facts: &Facts, steps: &mut Steps) -> Asked {
    const CHECKED: &str = "the whole text, without case and punctuation";
    let Some(keyword) = facts.keyword else {
        steps.not(Check::Keyword, CHECKED, "it is not a keyword");
        return Asked::default();
    };
    if facts.from.phone().is_none() {
        steps.not(Check::Keyword, CHECKED, "it is a keyword, but the sender can't be texted");
        return Asked::default();
    }
    let (opting, reply, meaning) = match keyword {
        Keyword::Stop => (Some(Opting::Out), Some(KeywordReply::Stopped), "STOP: the sender gets no more texts"),
        Keyword::Start => (Some(Opting::In), Some(KeywordReply::Started), "START: the sender gets texts again"),
        Keyword::Help => (None, Some(KeywordReply::Help), "HELP: the sender asks who we are"),
        // Twilio has lifted its own block, and so has nobody else.
        Keyword::Yes if facts.carrier_answers => {
            (Some(Opting::LiftCarrier), None, "YES: the carrier has lifted a block of its own, if there was one")
        }
        Keyword::Yes => {
            steps.not(
                Check::Keyword,
                CHECKED,
                "YES lifts nothing but a block of Twilio's own, and Twilio has not acted on this text",
            );
            return Asked::default();
        }
    };
    let answer = match (reply, facts.carrier_answers) {
        (None, _) => "",
        (Some(_), true) => "; the carrier answers it",
        (Some(_), false) => "; an answer, if one is due, is ours to give",
    };
    steps.matched(Check::Keyword, CHECKED, format!("{meaning}{answer}"));
    Asked { opting, reply: reply.filter(|_| !facts.carrier_answers), is_keyword: reply.is_some() }
}

/// Rule 4.
fn of_sitter(facts: &Facts, sitter: &KnownSitter, steps: &mut Steps) -> Verdict {
    let also =
        if facts.client.is_some() { "; the number is also a client's, and a sitter's number comes first" } else { "" };
    steps.matched(Check::Sitter, sender(facts), format!("it is the number of {}{also}", sitter.name));
    const CHECKED: &str = "whether the text is YES or NO, perhaps with the code of an offer";
    let command = match facts.command {
        None => {
            steps.not(Check::OfferCommand, CHECKED, "it is an ordinary text");
            None
        }
        Some(_) if !sitter.active => {
            steps.not(Check::OfferCommand, CHECKED, "it is, but only active sitters get offers");
            None
        }
        Some(command) => {
            steps.matched(Check::OfferCommand, CHECKED, "it answers an offer");
            Some(command)
        }
    };
    let (outcome, summary) = if command.is_some() {
        (Outcome::OfferAnswer, format!("Taken as an answer to an offer: the sender is {} (sitter){also}.", sitter.name))
    } else {
        let why = format!("the sender is {} (sitter), whose texts go to the owner{also}", sitter.name);
        (Outcome::Sitter, format!("Routed to owner inbox: {why}."))
    };
    Verdict {
        outcome,
        destination: Destination::OwnerSitter(sitter.id.clone()),
        routed_to: RoutedTo::Owner,
        author: Author::Sitter(sitter.id.clone()),
        sitter: None,
        command,
        summary,
    }
}

/// Rules 5 and 6.
fn of_client(facts: &Facts, class: NumberClass, owner: Option<&KnownSitter>, steps: &mut Steps) -> Verdict {
    if facts.client.is_some() {
        steps.matched(Check::Client, sender(facts), "it is a client of the organisation");
    } else {
        steps.not(Check::Client, sender(facts), "nobody is known under it, so a client is created");
    }
    if let Some(verdict) = in_active_window(facts, steps) {
        return verdict;
    }
    // Only a number of this class has a sitter.
    match owner.filter(|_| class == NumberClass::Sitter) {
        Some(sitter) if sitter.active => on_sitters_number(facts, sitter, steps),
        Some(left) => left_behind(without_window(facts, class, steps), facts, left),
        None => without_window(facts, class, steps),
    }
}

/// Says that nobody answers at the number of a sitter who is no longer active, so that the owner does.
fn left_behind(mut verdict: Verdict, facts: &Facts, sitter: &KnownSitter) -> Verdict {
    let why = format!("; {} is the number of {}, who is no longer active.", facts.number, sitter.name);
    verdict.summary = verdict.summary.trim_end_matches('.').to_owned() + &why;
    verdict
}

/// Rules 5a and 5b.
fn in_active_window(facts: &Facts, steps: &mut Steps) -> Option<Verdict> {
    let checked = match facts.threads.len() {
        0 => "the client has no open conversation on this number".to_owned(),
        1 => "the windows of the client's open conversation on this number".to_owned(),
        some => format!("the windows of the client's {some} open conversations on this number"),
    };
    let mut active: Vec<(&OpenThread, &WindowOfThread)> = facts
        .threads
        .iter()
        .flat_map(|thread| thread.windows.iter().map(move |window| (thread, window)))
        .filter(|(_, window)| window.status(facts.at) == WindowStatus::Active)
        .collect();
    active.sort_by(|(thread, window), (other, other_window)| {
        (window.starts_at, &thread.id).cmp(&(other_window.starts_at, &other.id))
    });
    let Some((thread, window)) = active.pop() else {
        let of = |status| {
            let windows = facts.threads.iter().flat_map(|thread| &thread.windows);
            windows.filter(move |window| window.status(facts.at) == status)
        };
        let next = of(WindowStatus::Future).map(|window| window.starts_at).min();
        let last = of(WindowStatus::Past).map(|window| window.ends_at).max();
        let shown = |at| time(at, facts.at, facts.zone);
        let reason = match (next, last) {
            (Some(at), _) => format!("none is active; the next one begins at {}", shown(at)),
            (None, Some(at)) => format!("none is active; the last one closed at {}", shown(at)),
            (None, None) => "none is active".to_owned(),
        };
        let elsewhere = "; one is active in a conversation that is closed or on another number";
        let reason = if facts.active_elsewhere { reason + elsewhere } else { reason };
        steps.not(Check::ActiveWindow, checked, reason);
        return None;
    };
    let until = time(window.ends_at, facts.at, facts.zone);
    let mut reason = format!("the window of conversation {} is active until {until}", thread.id);
    if !active.is_empty() {
        let others = active.iter().rev().map(|(thread, window)| {
            let since = time(window.starts_at, facts.at, facts.zone);
            let whose = window.sitter.as_ref().map_or_else(String::new, |sitter| format!("{}, ", sitter.name));
            format!("conversation {} ({whose}since {since})", thread.id)
        });
        let others = others.collect::<Vec<_>>().join(", ");
        reason = format!("{reason} and started last; also active: {others}");
    }
    steps.matched(Check::ActiveWindow, checked, reason);
    let destination = Destination::Thread(thread.id.clone());
    Some(match &window.sitter {
        Some(sitter) if !sitter.active => {
            let why = format!("{}, whose assignment window is active until {until}, is no longer active", sitter.name);
            Verdict::to_owner(Outcome::WindowWithoutSitter, destination, &why)
        }
        Some(sitter) => {
            let kind = if thread.scope == Scope::ClientBooking { "booking thread" } else { "thread" };
            let why = format!(
                "number {} carries this client's {kind} and its assignment window is active until {until}",
                facts.number
            );
            Verdict::to_sitter(Outcome::ActiveWindow, destination, sitter, &why)
        }
        None => {
            let why = format!("the assignment window that is active until {until} has no sitter");
            Verdict::to_owner(Outcome::WindowWithoutSitter, destination, &why)
        }
    })
}

fn newest<'a>(threads: impl Iterator<Item = &'a OpenThread>) -> Option<&'a OpenThread> {
    threads.max_by_key(|thread| (thread.last_message_at, &thread.id))
}

/// The client's open thread of this sitter on the sitter's own number, else their general thread: rule 5d comes before
/// 5c there.
fn on_sitters_number(facts: &Facts, sitter: &KnownSitter, steps: &mut Steps) -> Verdict {
    let checked = format!("the number is {}'s own", sitter.name);
    let why = format!("{} is {}'s own number; the assignment window is closed", facts.number, sitter.name);
    let theirs = |thread: &&OpenThread| thread.assigned_sitter.as_ref() == Some(&sitter.id);
    if let Some(thread) = newest(facts.threads.iter().filter(theirs)) {
        let reason = format!("conversation {} of the client with {} is open", thread.id, sitter.name);
        steps.matched(Check::SitterNumber, checked, reason);
        return Verdict::to_sitter(Outcome::SitterNumber, Destination::Thread(thread.id.clone()), sitter, &why);
    }
    // A client has one general thread on a number, whoever has it now.
    let general = facts.threads.iter().filter(|thread| thread.scope == Scope::ClientGeneral);
    if let Some(thread) = newest(general) {
        let whose = if thread.assigned_sitter.is_some() { "another sitter's" } else { "the owner's" };
        let reason = format!("conversation {} of the client is {whose}", thread.id);
        steps.not(Check::SitterNumber, checked, reason);
        return no_window(facts, thread, steps);
    }
    steps.matched(Check::SitterNumber, checked, format!("the client's general conversation with {}", sitter.name));
    Verdict::to_sitter(Outcome::SitterNumber, Destination::General, sitter, &why)
}

/// Rules 5c and 5e.
fn without_window(facts: &Facts, class: NumberClass, steps: &mut Steps) -> Verdict {
    if let Some(thread) = newest(facts.threads.iter()) {
        return no_window(facts, thread, steps);
    }
    steps.not(Check::OpenThread, "the client's open conversations on this number", "there is none");
    steps.not(Check::SitterNumber, "whether the number is a sitter's own", format!("it is a {} number", shown(class)));
    steps.matched(Check::GeneralThread, sender(facts), "the client's general conversation with the owner");
    if facts.client.is_none() {
        let why = "nobody is known under the sender's number, so a client was created";
        return Verdict::to_owner(Outcome::UnknownSender, Destination::General, why);
    }
    let why = format!("this client has no open conversation on number {}", facts.number);
    Verdict::to_owner(Outcome::NewConversation, Destination::General, &why)
}

fn no_window(facts: &Facts, thread: &OpenThread, steps: &mut Steps) -> Verdict {
    let chosen = if facts.threads.len() == 1 { "is open" } else { "has the latest text" };
    let reason = format!("conversation {} {chosen}; {}", thread.id, why_not_active(facts, thread));
    steps.matched(Check::OpenThread, "the client's open conversations on this number", reason);
    let mut why = "no active assignment window for this client".to_owned();
    if facts.active_elsewhere {
        why = format!("{why} in an open conversation on number {}", facts.number);
    }
    Verdict::to_owner(Outcome::ClosedWindow, Destination::Thread(thread.id.clone()), &why)
}

/// Says why no window of a thread is active.
fn why_not_active(facts: &Facts, thread: &OpenThread) -> &'static str {
    let any = |status| thread.windows.iter().any(|window| window.status(facts.at) == status);
    if thread.windows.is_empty() {
        "it has no assignment window"
    } else if any(WindowStatus::Future) {
        "its assignment window has not begun"
    } else if any(WindowStatus::Past) {
        "its assignment window is closed"
    } else {
        "its assignment window is cancelled"
    }
}
