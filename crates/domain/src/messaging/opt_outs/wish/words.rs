//! The words of a text, without what does not change their meaning: case, quotes, accents, typing errors.

use super::vocabulary::{LONG, OTHERS, SHORT, SHORTENED};

/// A sentence, as the words that mean the same.
pub(super) type Sentence = Vec<String>;

/// Cuts a text into sentences, and these into words.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let plain = joined_letters(&drawn_out(text.chars().filter_map(plain).flatten()));
    plain
        .split_inclusive(['.', '!', '?', ';', '\n'])
        .filter(|sentence| !only_wonders(sentence))
        .map(|sentence| {
            let words = sentence.split(|c: char| !c.is_alphanumeric() && c != ',');
            let words = words.flat_map(|word| word.split_inclusive(','));
            expand(words.flat_map(split_comma).flat_map(split_joined).filter(|word| !word.is_empty()).map(meant))
        })
        .filter(|sentence| sentence.iter().any(|word| word != ","))
        .collect()
}

/// Whether a sentence wonders about what it would be a wish to say: `this is spam?`, `no texts?`. `No texts, ok?` asks.
fn only_wonders(sentence: &str) -> bool {
    const TELLING: [&str; 12] =
        ["this", "that", "these", "its", "it", "you", "youre", "u", "wrong", "no", "unsubscribe", "turn"];
    const ASKING: [&str; 6] = ["ok?", "okay?", "please?", "pls?", "k?", "thanks?"];
    let first = sentence.split_whitespace().next().unwrap_or_default();
    let asks = sentence.split_whitespace().last().is_some_and(|last| ASKING.contains(&last));
    sentence.ends_with('?')
        && !asks
        && (TELLING.contains(&first.trim_end_matches('?')) || sentence.split_whitespace().take(2).eq(["is", "this"]))
}

/// Writes a letter once that is written three times or more: `nooo`.
fn drawn_out(letters: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    let (mut last, mut times) = (None, 0);
    for letter in letters {
        times = if last == Some(letter) { times + 1 } else { 1 };
        last = Some(letter);
        if times == 3 && letter.is_alphabetic() {
            text.pop();
        } else if times < 3 || !letter.is_alphabetic() {
            text.push(letter);
        }
    }
    text
}

/// Joins single letters that stand apart: `s t o p`.
fn joined_letters(text: &str) -> String {
    const LEAST: usize = 4;
    let mut joined = String::with_capacity(text.len());
    let mut letters = Vec::new();
    for word in text.split(' ').chain([""]) {
        let mut chars = word.chars();
        match (chars.next(), chars.next()) {
            (Some(letter), None) if letter.is_alphabetic() => letters.push(letter),
            _ => {
                let between = if letters.len() >= LEAST { "" } else { " " };
                joined.push_str(&letters.drain(..).map(String::from).collect::<Vec<_>>().join(between));
                joined.push(' ');
                joined.push_str(word);
                joined.push(' ');
            }
        }
    }
    joined
}

/// A comma is a word of its own.
fn split_comma(word: &str) -> [&str; 2] {
    match word.strip_suffix(',') {
        Some(before) => [before, ","],
        None => [word, ""],
    }
}

/// Two words without the space between them: `stoptexting`, `textme`.
fn split_joined(word: &str) -> [&str; 2] {
    const FIRST: [&str; 8] = ["stop", "quit", "dont", "no", "text", "remove", "delete", "please"];
    const SECOND: [&str; 9] = ["texting", "messaging", "text", "texts", "me", "more", "my", "stop", "messages"];
    let split = |first: &&str| word.strip_prefix(*first).is_some_and(|second| SECOND.contains(&second));
    let at = FIRST.into_iter().find(split).map_or(word.len(), str::len);
    [&word[..at], &word[at..]]
}

/// A character in lower case without its accent; nothing for quotes and what is invisible.
fn plain(c: char) -> Option<Vec<char>> {
    if matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '"' | '“' | '”' | '„') || super::super::keyword::is_invisible(c)
    {
        return None;
    }
    Some(match c {
        '#' => " number ".chars().collect(),
        '&' => " and ".chars().collect(),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c).to_lowercase().collect(),
        _ => c.to_lowercase().map(without_accent).collect(),
    })
}

fn without_accent(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ã' => 'a',
        'õ' => 'o',
        'ç' => 'c',
        '¡' | '¿' | '…' => '.',
        c => c,
    }
}

/// A word of so many digits is the number of a telephone.
const PHONE_DIGITS: usize = 7;

/// The word that somebody meant to write.
fn meant(word: &str) -> String {
    if let Some((_, meant)) = SHORT.iter().find(|(written, _)| *written == word) {
        return (*meant).to_owned();
    }
    if word.len() >= PHONE_DIGITS && word.bytes().all(|digit| digit.is_ascii_digit()) {
        return "number".to_owned();
    }
    if let Some(meant) = dropped_g(word).or_else(|| without_vowels(word)) {
        return meant.to_owned();
    }
    let is_long = word.chars().count() >= 5 && !OTHERS.contains(&word) && !LONG.contains(&word);
    let meant = LONG.iter().find(|long| is_long && is_near(word, long));
    meant.map_or_else(|| word.to_owned(), |meant| (*meant).to_owned())
}

/// The word whose last g is left out: `botherin`.
fn dropped_g(word: &str) -> Option<&'static str> {
    LONG.into_iter().find(|long| word.ends_with("in") && long.strip_suffix('g') == Some(word))
}

/// The word of which some vowels are left out: `cntct`, `numbr`.
fn without_vowels(word: &str) -> Option<&'static str> {
    const LEAST: usize = 3;
    let is_vowel = |c: &char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u');
    let consonants = |word: &str| {
        let mut letters: Vec<char> = word.chars().filter(|c| !is_vowel(c)).collect();
        letters.dedup();
        letters
    };
    let is_part = |long: &str| {
        let mut letters = long.chars();
        word.chars().all(|c| letters.any(|letter| letter == c))
    };
    let shorter = |long: &&&str| word.len() < long.len() && long.chars().next() == word.chars().next();
    LONG.iter()
        .chain(&SHORTENED)
        .filter(shorter)
        .find(|long| word.len() >= LEAST && consonants(word) == consonants(long) && is_part(long))
        .copied()
}

/// Whether two words begin alike and differ in one letter, which is wrong, missing, too many or swapped with the next.
fn is_near(written: &str, meant: &str) -> bool {
    let (written, meant): (Vec<char>, Vec<char>) = (written.chars().collect(), meant.chars().collect());
    let same = written.iter().zip(&meant).take_while(|(a, b)| a == b).count();
    if same == 0 || written.len().abs_diff(meant.len()) > 1 {
        return false;
    }
    let (written, meant) = (&written[same..], &meant[same..]);
    match written.len().cmp(&meant.len()) {
        std::cmp::Ordering::Less => written == &meant[1..],
        std::cmp::Ordering::Greater => &written[1..] == meant,
        std::cmp::Ordering::Equal => {
            let swapped = written.len() >= 2 && written[0] == meant[1] && written[1] == meant[0];
            written.is_empty() || written[1..] == meant[1..] || (swapped && written[2..] == meant[2..])
        }
    }
}

/// Writes what belongs together in one way: `do not` is `dont`.
fn expand(words: impl Iterator<Item = String>) -> Sentence {
    let mut sentence = Sentence::new();
    for word in words {
        let last = sentence.last().map(String::as_str);
        let joined = match (last, word.as_str()) {
            (Some("does"), "not") => Some("doesnt"),
            (Some("do"), "not") | (Some("dont"), "t") => Some("dont"),
            (Some("can"), "not") => Some("cant"),
            (Some("will"), "not") => Some("wont"),
            (Some("did"), "not") => Some("didnt"),
            (Some("any"), "more") => Some("anymore"),
            (Some("opt"), "out") => Some("optout"),
            (Some("opting"), "out") => Some("optout"),
            (Some("un"), "subscribe") => Some("unsubscribe"),
            (Some("e"), "mails") => Some("emails"),
            (Some("up"), "4") => Some("up"),
            (Some("land"), "line") => Some("landline"),
            _ => None,
        };
        match joined {
            None if word == "idk" => sentence.extend(["dont".to_owned(), "know".to_owned()]),
            Some(joined) => {
                sentence.pop();
                sentence.push(joined.to_owned());
            }
            None => sentence.push(word),
        }
    }
    sentence
}
