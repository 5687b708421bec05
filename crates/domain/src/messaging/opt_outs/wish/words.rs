//! The words of a text, without what does not change their meaning: case, quotes, accents, typing errors.

/// Words in which one wrong, missing, doubled or swapped letter is forgiven. The first letter must be right.
const LONG: [&str; 39] = [
    "texting",
    "message",
    "messages",
    "messaging",
    "contact",
    "contacting",
    "unsubscribe",
    "remove",
    "number",
    "sending",
    "receive",
    "receiving",
    "anymore",
    "delete",
    "database",
    "notifications",
    "notification",
    "spamming",
    "harassing",
    "bothering",
    "getting",
    "mailing",
    "marketing",
    "reminders",
    "further",
    "communications",
    "communication",
    "consent",
    "contacts",
    "stopping",
    "discontinue",
    "promotions",
    "interested",
    "subscription",
    "mensajes",
    "permission",
    "updates",
    "alerts",
    "please",
];

/// Real words that differ from a word of [`LONG`] in one letter.
const OTHERS: [&str; 25] = [
    "massage",
    "massages",
    "massaging",
    "testing",
    "removed",
    "removes",
    "remover",
    "deleted",
    "deletes",
    "received",
    "receives",
    "receiver",
    "messaged",
    "tenting",
    "contract",
    "contracting",
    "content",
    "consents",
    "getting",
    "petting",
    "numbers",
    "contacted",
    "messenger",
    "numbed",
    "pleased",
];

/// Short words as people mistype or shorten them.
const SHORT: [(&str, &str); 54] = [
    ("stpo", "stop"),
    ("sotp", "stop"),
    ("stp", "stop"),
    ("stopp", "stop"),
    ("stoop", "stoop"),
    ("satop", "stop"),
    ("stopt", "stop"),
    ("syop", "stop"),
    ("stoppp", "stop"),
    ("plz", "please"),
    ("pls", "please"),
    ("plse", "please"),
    ("pleas", "please"),
    ("u", "you"),
    ("ur", "your"),
    ("txt", "text"),
    ("txts", "texts"),
    ("tex", "text"),
    ("textx", "texts"),
    ("texs", "texts"),
    ("msg", "message"),
    ("msgs", "messages"),
    ("mesg", "message"),
    ("txting", "texting"),
    ("txtin", "texting"),
    ("textin", "texting"),
    ("texing", "texting"),
    ("msging", "messaging"),
    ("doint", "dont"),
    ("dnt", "dont"),
    ("dont", "dont"),
    ("don", "dont"),
    ("unsub", "unsubscribe"),
    ("lsit", "list"),
    ("thx", "thanks"),
    ("ty", "thanks"),
    ("num", "number"),
    ("nr", "number"),
    ("no1", "nobody"),
    ("fone", "phone"),
    ("evr", "ever"),
    ("agian", "again"),
    ("mre", "more"),
    ("thees", "these"),
    ("unsubscribing", "unsubscribe"),
    ("textig", "texting"),
    ("txet", "text"),
    ("txtn", "texting"),
    ("textn", "texting"),
    ("ion", "dont"),
    ("blowin", "blowing"),
    ("hittin", "hitting"),
    ("buggin", "bugging"),
    ("mor", "more"),
];

/// A sentence, as the words that mean the same.
pub(super) type Sentence = Vec<String>;

/// Cuts a text into sentences, and these into words.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let plain = drawn_out(text.chars().filter_map(plain).flatten());
    plain
        .split(['.', '!', '?', ';', '\n'])
        .map(|sentence| {
            let words = sentence.split(|c: char| !c.is_alphanumeric() && c != ',');
            let words = words.flat_map(|word| word.split_inclusive(','));
            expand(words.flat_map(split_comma).flat_map(split_joined).filter(|word| !word.is_empty()).map(meant))
        })
        .filter(|sentence| sentence.iter().any(|word| word != ","))
        .collect()
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
        'ç' => 'c',
        '¡' | '¿' | '…' => '.',
        c => c,
    }
}

/// The word that somebody meant to write.
fn meant(word: &str) -> String {
    if let Some((_, meant)) = SHORT.iter().find(|(written, _)| *written == word) {
        return (*meant).to_owned();
    }
    let is_long = word.chars().count() >= 5 && !OTHERS.contains(&word) && !LONG.contains(&word);
    let meant = LONG.iter().find(|long| is_long && is_near(word, long));
    meant.map_or_else(|| word.to_owned(), |meant| (*meant).to_owned())
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
            (Some("do" | "does"), "not") | (Some("dont"), "t") => Some("dont"),
            (Some("can"), "not") => Some("cant"),
            (Some("will"), "not") => Some("wont"),
            (Some("did"), "not") => Some("didnt"),
            (Some("any"), "more") => Some("anymore"),
            (Some("opt"), "out") => Some("optout"),
            (Some("opting"), "out") => Some("optout"),
            (Some("un"), "subscribe") => Some("unsubscribe"),
            (Some("e"), "mails") => Some("emails"),
            _ => None,
        };
        match joined {
            Some(joined) => {
                sentence.pop();
                sentence.push(joined.to_owned());
            }
            None => sentence.push(word),
        }
    }
    sentence
}
