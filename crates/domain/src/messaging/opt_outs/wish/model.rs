//! The whole grammar, read once, and what it says about a sentence.

use std::sync::LazyLock;

use super::context::{
    ASKING, BEFORE, BOOKED, CLAUSE, COMPLAINT, FIRM, FOR_EVER, LEAVING, LIMITS, OF_OTHERS, OTHERS, PROMISE, QUESTION,
    QUOTABLE, QUOTED, RECEIVING, REFUSING, STOPPING, TOPICS,
};
use super::pattern::{Grammar, Pattern, Word};
use super::phrase::{Around, Phrase};
use super::rules::RULES;
use super::{english, foreign, rights, strangers};

/// How many words before a phrase are looked at.
const BEFORE_WORDS: usize = 5;
/// How far after a phrase a limit may begin, and how many words are looked at for it.
const LIMIT_STARTS: usize = 4;
const LIMIT_WORDS: usize = 8;

struct Model {
    grammar: Grammar,
    phrases: Vec<(Pattern, &'static Phrase)>,
    of_number: Vec<(Pattern, &'static Phrase)>,
    limits: Vec<Pattern>,
    topics: Vec<Pattern>,
    before: Vec<Pattern>,
    question: Vec<Pattern>,
    others: Pattern,
    complaint: Pattern,
    promise: Vec<Pattern>,
    receiving: Pattern,
    leaving: Pattern,
    booked: Pattern,
    quoted: Vec<Pattern>,
    quotable: Pattern,
    of_others: Pattern,
    asking: Pattern,
    firm: Pattern,
    clause: Pattern,
    for_ever: Pattern,
    refusing: Pattern,
    stopping: Pattern,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let mut grammar = Grammar::new(RULES);
    let tables = [english::OF_NUMBER, english::PHRASES, rights::PHRASES, strangers::PHRASES, foreign::PHRASES];
    Model {
        phrases: tables.into_iter().flatten().map(|phrase| (grammar.pattern(phrase.pattern), phrase)).collect(),
        of_number: english::OF_NUMBER.iter().map(|phrase| (grammar.pattern(phrase.pattern), phrase)).collect(),
        limits: LIMITS.iter().map(|limit| grammar.pattern(limit)).collect(),
        topics: TOPICS.iter().map(|topic| grammar.pattern(topic)).collect(),
        before: BEFORE.iter().map(|before| grammar.pattern(before)).collect(),
        question: QUESTION.iter().map(|question| grammar.pattern(question)).collect(),
        complaint: grammar.pattern(COMPLAINT),
        others: grammar.pattern(OTHERS),
        promise: PROMISE.iter().map(|promise| grammar.pattern(promise)).collect(),
        receiving: grammar.pattern(RECEIVING),
        leaving: grammar.pattern(LEAVING),
        booked: grammar.pattern(BOOKED),
        quoted: QUOTED.iter().map(|quoted| grammar.pattern(quoted)).collect(),
        quotable: grammar.pattern(QUOTABLE),
        of_others: grammar.pattern(OF_OTHERS),
        asking: grammar.pattern(ASKING),
        firm: grammar.pattern(FIRM),
        clause: grammar.pattern(CLAUSE),
        for_ever: grammar.pattern(FOR_EVER),
        refusing: grammar.pattern(REFUSING),
        stopping: grammar.pattern(STOPPING),
        grammar,
    }
});

/// Whether a sentence says that its author wants no more texts.
pub(super) fn is_wish(sentence: &[String]) -> bool {
    let model = &*MODEL;
    let words = model.grammar.read(sentence);
    model.phrases.iter().any(|(pattern, phrase)| model.says(pattern, phrase, &words))
}

/// Whether a sentence names a number, and the next one says that it is not to be used.
pub(super) fn is_wish_of_number(first: &[String], second: &[String]) -> bool {
    let model = &*MODEL;
    let words = model.grammar.read(&[first, &[",".to_owned()], second].concat());
    model.of_number.iter().any(|(pattern, phrase)| model.says(pattern, phrase, &words))
}

impl Model {
    fn says(&self, pattern: &Pattern, phrase: &Phrase, words: &[Word]) -> bool {
        let mut from = 0;
        while let Some((start, end)) = self.grammar.find(pattern, words, from) {
            let limited =
                || !self.occurs(&self.for_ever, &words[start..]) && self.is_limited(&words[start..end], &words[end..]);
            let means_else = match phrase.around {
                Around::Nothing => false,
                Around::After => limited() || self.is_asked(words, start),
                Around::Both => limited() || self.tells_of_else(words, start),
            };
            if !means_else {
                return true;
            }
            from = start + 1;
        }
        false
    }

    fn occurs(&self, pattern: &Pattern, words: &[Word]) -> bool {
        self.grammar.find(pattern, words, 0).is_some()
    }

    fn is_limited(&self, said: &[Word], after: &[Word]) -> bool {
        let clause = self.grammar.find(&self.clause, after, 0).map_or(after.len(), |(start, _)| start);
        let near = &after[..clause.min(LIMIT_WORDS)];
        let limits = |limits: &[Pattern]| {
            limits.iter().any(|limit| self.grammar.find(limit, near, 0).is_some_and(|(start, _)| start < LIMIT_STARTS))
        };
        limits(&self.limits) || (!self.occurs(&self.firm, said) && limits(&self.topics))
    }

    fn is_asked(&self, words: &[Word], start: usize) -> bool {
        self.question.iter().any(|question| self.occurs(question, &words[start.saturating_sub(BEFORE_WORDS)..start]))
    }

    fn tells_of_else(&self, words: &[Word], start: usize) -> bool {
        let near = &words[start.saturating_sub(BEFORE_WORDS)..start];
        let (first, said) = (&words[start..words.len().min(start + 1)], &words[start..]);
        self.before.iter().any(|before| self.occurs(before, near))
            || (self.occurs(&self.stopping, first)
                && !self.occurs(&self.receiving, said)
                && self.promise.iter().any(|promise| self.occurs(promise, near)))
            || (self.occurs(&self.leaving, first) && self.occurs(&self.booked, near))
            || (self.occurs(&self.quotable, first)
                && !self.occurs(&self.of_others, said)
                && self.quoted.iter().any(|quoted| self.occurs(quoted, near)))
            || (self.occurs(&self.refusing, first)
                && !self.occurs(&self.asking, near)
                && (self.occurs(&self.complaint, near)
                    || !self.occurs(&self.firm, said) && self.occurs(&self.others, near)))
    }
}
