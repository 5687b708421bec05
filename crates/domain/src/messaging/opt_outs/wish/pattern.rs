//! Patterns of words.
//!
//! A pattern is a row of items, separated by spaces. An item is a word, or several of which one is enough (`stop|quit`).
//! Items that begin with `@` stand for the words of a named class. An item that ends in `?` may be missing; one that ends
//! in `*` may be missing and may occur up to four times. `^` is the start of the sentence, `$` its end.

use super::phrases::class;

/// How often an item with `*` may occur.
const REPEATED: usize = 4;

/// Returns where the pattern occurs in a sentence: the position of its first word and of the word after it.
pub(super) fn find(pattern: &str, sentence: &[String]) -> Option<(usize, usize)> {
    let items: Vec<&str> = pattern.split(' ').collect();
    (0..=sentence.len()).find_map(|start| Some((start, matched(&items, sentence, start)?)))
}

/// Returns the position after the words that the items stand for, if they are at this position.
fn matched(items: &[&str], sentence: &[String], at: usize) -> Option<usize> {
    let Some((item, rest)) = items.split_first() else { return Some(at) };
    match *item {
        "^" => return if at == 0 { matched(rest, sentence, at) } else { None },
        "$" => return if at == sentence.len() { matched(rest, sentence, at) } else { None },
        _ => {}
    }
    let (words, least, most) = match (item.strip_suffix('?'), item.strip_suffix('*')) {
        (Some(words), _) => (words, 0, 1),
        (_, Some(words)) => (words, 0, REPEATED),
        _ => (*item, 1, 1),
    };
    let here = sentence[at.min(sentence.len())..].iter().take(most).take_while(|word| stands_for(words, word)).count();
    (least..=here).rev().find_map(|count| matched(rest, sentence, at + count))
}

/// Whether an item stands for a word.
pub(super) fn stands_for(item: &str, word: &str) -> bool {
    item.split('|').any(|one| match one.strip_prefix('@') {
        Some(name) => class(name).split(' ').any(|member| member == word),
        None => one == word,
    })
}
