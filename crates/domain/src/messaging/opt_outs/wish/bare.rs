//! Texts that say nothing but stop, in more words than the keyword.

use super::words::Sentence;

/// Words around a stop that add nothing to it.
const FILLING: &str = "\
    please kindly just now it this that these ok okay hey hi hello thanks thank you i said can could would will the \
    already all right immediately asap , make im asking to sir guys no me cheers want mate bro bruh fam dude man yo \
    maam seriously for god gods sake fucking damn bloody everything ffs so and do need again really we enough id like \
    texts more yes bot robot ugh argh jeez geez how many times have tell get my must dear mam madam begging us \
    nonsense with u is beg time last";
const STOPS: &str = "stop stopall unsubscribe optout revoke cease desist remove quit";
/// What people say to strangers, or about texts.
const STRANGER: &str = "\
    interested wrong know who died passed deceased stranger messages message harassing harassment spam consent police \
    lawyer block blocking hate annoying text texts texting number customer client scam asked signed reminders \
    reminder them";
/// What people say who are joking.
const PLAYFUL: &str = "lol lmao haha hahaha cute adorable omg hilarious funny cant perfect";
/// Such a text is not longer.
const BARE_MAX: usize = 16;

fn is_in(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// Whether a text says nothing but stop, in more words or with punctuation, or says so to a stranger.
pub(super) fn is_bare_stop(sentences: &[Sentence]) -> bool {
    let words: Vec<&String> = sentences.iter().flatten().collect();
    if let [only] = words.as_slice() {
        return is_in("cancel end quit stop alto basta unsubscribe remove cease desist", only);
    }
    let is_filling = |sentence: &Sentence| sentence.iter().all(|word| is_in(FILLING, word) || is_in(STOPS, word));
    let is_bare = |sentence: &Sentence| {
        is_filling(sentence)
            && sentence.iter().any(|word| is_in(STOPS, word))
            // A sitter resigns, and what ends for now is something else.
            && !(sentence[0] == "i" && sentence.get(1).is_some_and(|word| word == "quit"))
            && !sentence.windows(2).any(|pair| pair == ["for", "now"])
            // What is removed then is something that was named before.
            && !(sentence.iter().any(|word| word == "remove") && sentence.iter().any(|word| word == "it"))
    };
    let to_stranger = words.iter().any(|word| is_in(STRANGER, word));
    let ends_with_stop = sentences.last().is_some_and(|last| last.len() <= 3 && is_bare(last));
    let playful = words.iter().any(|word| is_in(PLAYFUL, word));
    !playful
        && words.len() <= BARE_MAX
        && (to_stranger || ends_with_stop || sentences.iter().all(is_filling))
        && sentences.iter().any(is_bare)
}
