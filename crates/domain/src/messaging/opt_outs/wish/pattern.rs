//! Patterns of words, and the grammar that names them.
//!
//! A pattern is a row of items, separated by spaces. An item is a word, or several of which one is enough (`stop|quit`).
//! `@name` stands for whatever one of the patterns of that rule stands for. An item that ends in `?` may be missing; one
//! that ends in `*` may be missing and may occur up to four times. `~` is any word but those of the rule `else`, and `_`
//! is any word. `^` is the start of the sentence, `$` its end. An item that has `$` among its words is only looked at:
//! it does not count as a part of what was found.
//!
//! Rules name only rules before them, so that nothing recurs. All places that an item may lead to are followed together,
//! so the time for a sentence grows with its length and not with the ways to read it.

use std::collections::HashMap;

/// How often an item with `*` may occur.
const REPEATED: usize = 4;

/// A word as the grammar knows it: zero is a word that no pattern names.
pub(super) type Word = u16;

#[derive(Default, Clone)]
struct Words(Vec<u64>);

impl Words {
    fn insert(&mut self, word: Word) {
        let (at, bit) = (usize::from(word) / 64, word % 64);
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << bit;
    }

    fn contains(&self, word: Word) -> bool {
        self.0.get(usize::from(word) / 64).is_some_and(|bits| bits >> (word % 64) & 1 == 1)
    }

    fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }
}

enum Item {
    Start,
    End,
    /// One of these words, or one of these rules, so many times.
    Any {
        words: Words,
        all_but: Option<usize>,
        rules: Vec<usize>,
        least: usize,
        most: usize,
        only_looked_at: bool,
    },
}

pub(super) struct Pattern {
    items: Vec<Item>,
    /// The words with which it can begin, if not with any.
    first: Option<Words>,
}

/// A rule: the words that it stands for, and the patterns of several words.
struct Rule {
    words: Words,
    patterns: Vec<Pattern>,
}

#[derive(Default)]
pub(super) struct Grammar {
    words: HashMap<&'static str, Word>,
    names: HashMap<&'static str, usize>,
    rules: Vec<Rule>,
}

impl Grammar {
    /// Reads rules: names and their patterns.
    pub(super) fn new(rules: &[(&'static str, &[&'static str])]) -> Self {
        let mut grammar = Self::default();
        for (name, patterns) in rules {
            let mut rule = Rule { words: Words::default(), patterns: Vec::new() };
            for pattern in *patterns {
                let pattern = grammar.pattern(pattern);
                match pattern.items.as_slice() {
                    [Item::Any { words, all_but: None, rules, least: 1, most: 1, only_looked_at: false }]
                        if rules.is_empty() =>
                    {
                        rule.words.add(words);
                    }
                    _ => rule.patterns.push(pattern),
                }
            }
            grammar.names.insert(name, grammar.rules.len());
            grammar.rules.push(rule);
        }
        grammar
    }

    pub(super) fn pattern(&mut self, pattern: &'static str) -> Pattern {
        let items: Vec<Item> = pattern.split_whitespace().map(|item| self.item(item)).collect();
        Pattern { first: self.first(&items), items }
    }

    /// The words with which a row of items can begin.
    fn first(&self, items: &[Item]) -> Option<Words> {
        let mut first = Words::default();
        for item in items {
            match item {
                Item::Start => {}
                Item::Any { words, all_but: None, rules, least, only_looked_at: false, .. } => {
                    first.add(words);
                    for pattern in rules.iter().flat_map(|rule| &self.rules[*rule].patterns) {
                        first.add(pattern.first.as_ref()?);
                    }
                    if *least > 0 {
                        return Some(first);
                    }
                }
                _ => return None,
            }
        }
        None
    }

    fn item(&mut self, item: &'static str) -> Item {
        let (names, least, most) = match (item.strip_suffix('?'), item.strip_suffix('*'), item) {
            (.., "^") => return Item::Start,
            (.., "$") => return Item::End,
            (Some(names), ..) => (names, 0, 1),
            (_, Some(names), _) => (names, 0, REPEATED),
            _ => (item, 1, 1),
        };
        let (mut words, mut all_but, mut rules, mut only_looked_at) = (Words::default(), None, Vec::new(), false);
        for name in names.split('|') {
            match name.strip_prefix('@') {
                Some(name) => {
                    let index = self.rule(name);
                    words.add(&self.rules[index].words);
                    if !self.rules[index].patterns.is_empty() {
                        rules.push(index);
                    }
                }
                None if name == "$" => only_looked_at = true,
                None if name == "_" => all_but = Some(self.rule("nothing")),
                None if name == "~" => all_but = Some(self.rule("else")),
                None => {
                    let next = Word::try_from(self.words.len() + 1).unwrap_or(Word::MAX);
                    words.insert(*self.words.entry(name).or_insert(next));
                }
            }
        }
        Item::Any { words, all_but, rules, least, most, only_looked_at }
    }

    /// Where a rule is. Those that write the tables see to it that each is above its use.
    fn rule(&self, name: &str) -> usize {
        let index = self.names.get(name).copied();
        index.unwrap_or_else(|| unreachable!("the rule {name} is not above its use"))
    }

    /// The words of a sentence as the grammar knows them.
    pub(super) fn read(&self, sentence: &[String]) -> Vec<Word> {
        sentence.iter().map(|word| self.words.get(word.as_str()).copied().unwrap_or(0)).collect()
    }

    /// Where a pattern occurs at or after a position: the position of its first word and of the word after it.
    pub(super) fn find(&self, pattern: &Pattern, sentence: &[Word], from: usize) -> Option<(usize, usize)> {
        let last = if matches!(pattern.items.first(), Some(Item::Start)) { 0 } else { sentence.len() };
        (from..=last).find_map(|start| {
            let ends = self.ends(pattern, sentence, start);
            ends.last().map(|end| (start, *end))
        })
    }

    /// The positions after the pattern, if it begins at this one, in order.
    fn ends(&self, pattern: &Pattern, sentence: &[Word], start: usize) -> Vec<usize> {
        let begins = |first: &Words| sentence.get(start).is_some_and(|word| first.contains(*word));
        if !pattern.first.as_ref().is_none_or(begins) {
            return Vec::new();
        }
        let mut places = vec![start];
        for item in &pattern.items {
            places = self.after(item, sentence, &places);
            if places.is_empty() {
                break;
            }
        }
        places
    }

    fn after(&self, item: &Item, sentence: &[Word], places: &[usize]) -> Vec<usize> {
        let Item::Any { least, most, only_looked_at, .. } = item else {
            let wanted = if matches!(item, Item::Start) { 0 } else { sentence.len() };
            return places.iter().copied().filter(|place| *place == wanted).collect();
        };
        if *only_looked_at {
            let is_next = |place: &usize| *place == sentence.len() || !self.once(item, sentence, *place).is_empty();
            return places.iter().copied().filter(is_next).collect();
        }
        let mut found = if *least == 0 { places.to_vec() } else { Vec::new() };
        let mut places = places.to_vec();
        for _ in 0..*most {
            places = places.iter().flat_map(|place| self.once(item, sentence, *place)).collect();
            places.sort_unstable();
            places.dedup();
            found.extend(&places);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The positions after an item that occurs once at this one.
    fn once(&self, item: &Item, sentence: &[Word], place: usize) -> Vec<usize> {
        let (Item::Any { words, all_but, rules, .. }, Some(word)) = (item, sentence.get(place)) else {
            return Vec::new();
        };
        let is_other = all_but.is_some_and(|rule| !self.rules[rule].words.contains(*word));
        let mut ends = if is_other || words.contains(*word) { vec![place + 1] } else { Vec::new() };
        for pattern in rules.iter().flat_map(|rule| &self.rules[*rule].patterns) {
            ends.extend(self.ends(pattern, sentence, place));
        }
        ends
    }
}
