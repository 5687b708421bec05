//! How people say that they want no more texts, in English, and what around it says otherwise.

use super::pattern::{find, stands_for};
use super::phrase::{Phrase, firm, phrase};
use super::words::Sentence;
use super::{foreign, rights, strangers};

const PHRASES: &[Phrase] = &[
    // Stop texting.
    phrase("@stop @please* with? @small* @texting $|@me|@end|people|everyone|number|everybody|man|dude"),
    phrase("@stop @please* with? @bothering $|@me|people|please|this|my|, with? $|@end|@small|number|phone|family"),
    phrase("@stop @please* sending|giving|writing|forwarding @small* @texts"),
    phrase("@stop @please* sending|writing @me $"),
    phrase(
        "@stop @please* sending|writing @me? this|these|those|them|stuff|anything|things|shit|crap $|,|please|to|thanks|now|anymore|or|and",
    ),
    phrase("@stop @please* sending|writing to @me|this|my"),
    phrase("@stop @please* sending anything|things|stuff to? @me|this|my"),
    phrase("@stop|end|kill|halt|cancel|disable|block|deactivate @please* @small* @texts"),
    phrase("turn|switch|shut off @small* @texts"),
    phrase("turn|switch|shut @small* @texts off"),
    phrase("@stop @please* contact|contacts with|to|from? @me?"),
    phrase("@stop blowing|lighting up my phone"),
    phrase("@stop this|these|the? number|phone"),
    phrase("@stop @please* using|texting|messaging|calling my|this number|phone|cell"),
    phrase("@stop calling and|or|& @texting"),
    phrase("put|make an? end|stop to @small* @texts"),
    phrase("make @small* @texts stop"),
    phrase("@small* @texts must|should|has|have|need|needs|got to? stop|end"),
    phrase("@texts|texting @small* must|should|has|have|need|needs to? stop|end"),
    phrase("@stop it|this with @small* @texts|texting"),
    phrase("@stop @small* hitting|blowing|lighting|filling|clogging|flooding up? my|@me phone|inbox|up"),
    phrase("@stop ~* texts|messages|texting|messaging|sms|spam"),
    phrase("refrain|abstain|desist from @small* @texting|@bothering|sending|calling"),
    phrase("no|dont need|reason|have for|to|you* @text @me? anymore|again|any|ever"),
    phrase("no|dont need|reason|point|have for|to|in|you* send|sending @me? @small* @texts"),
    phrase(
        "@texts|texting is|are|r so|really|very|getting|becoming* annoying|harassment|harassing|unwanted|unwelcome|irritating",
    ),
    phrase("@texts|these|this|getting|know but|and|,|so please|just|kindly* stop $"),
    phrase("but|and please stop $"),
    // No more texts.
    phrase(", @please* no more @small* @texts"),
    phrase("make|ensure|be sure? that? i|we|me dont @get @small* @texts"),
    phrase(
        "^ please|hi|hey|hello|ok|okay|thanks|,|sorry|look|no|and|sir|stop|so|i|said|told|you|cheers|but|ta|yo|bye|omg|lol|dude|man|mate|nah|nope|alright* no @small* more|further|longer|additional @small* @texts",
    ),
    phrase("please no more|further|additional @small* @texts"),
    phrase("no more|further texting|messaging|contacting|contact"),
    phrase("^ please|hi|ok|,* no @small* texts|text|messages|sms please|thanks|thank|anymore|$"),
    phrase("^ @please* no thanks|thank|you|,* no|stop @small* @texts"),
    phrase("enough with|of? @small* @texts|texting"),
    phrase("enough is|of|,|with* enough with|of? @small* @texts|texting"),
    phrase("done|sick|tired|fed|over|through|finished|annoyed with|of|by|up|getting|receiving* @small* @texts|texting"),
    phrase("had|have|heard enough of|with|from* @small* @texts|you"),
    phrase("too|so many fucking|damn|bloody* texts|messages|sms $|,|please|stop|from|per|a|every|day"),
    phrase("^ @please|hi|hey|hello|ok|okay|,* zero|nil more? @texts"),
    phrase("^ no more? communications|communication|notifications|messages|texts please|thanks|$"),
    phrase("nobody|noone|one asked|ask|asking for @small* @texts"),
    phrase("@want @small* @texts to stop|end|cease"),
    phrase("you @text too|way much|often $|,|please|and|so"),
    // Do not text me.
    phrase("@unwilling @please* ever|you|to|keep|be|again* @text me|us"),
    phrase("@unwilling @please* ever|you|to|keep|be|again* @text my|this number|phone|cell|mobile|line|no"),
    phrase("@unwilling @please* ever|keep|be* @texting me|us|my|this"),
    phrase("dont|never|not @please* ever|keep|be* @text $"),
    phrase("@unwilling @please* ever|keep|be* @text again|anymore|ever|please|further|any"),
    phrase(
        "@unwilling @please* ever|keep|be* send|sending me|us|this|my anymore|any|more|these|those|another|further|your|again|the|texts|messages|sms|spam|number|number|phone",
    ),
    phrase(
        "@unwilling @please* ever|keep|be* send|sending anymore|any|more|these|those|another|further|your|the* @texts",
    ),
    phrase("@unwilling @please* ever|keep|be* write|writing|message|ping me|us|to again|anymore|ever|further|me"),
    phrase(
        "@unwilling @please* ever|keep|be* use|call|try my|this number|phone again|anymore|to|for|, text? me? again|anymore|$",
    ),
    phrase("@unwilling @please* use|text|message|contact my|this number|phone|cell"),
    phrase("never|dont ever|please* @text|write|call|reach|hit @me? out|up? again|anymore|ever"),
    phrase("never|dont ever|please* @text here|there? again|anymore"),
    phrase("@stop sending|texting|messaging her|him|them|my ~? @small* @texts"),
    phrase("@leave my name and number off|from|out of? @small* @list"),
    phrase("@unwilling ever|please* hit me|us|this number? up"),
    phrase("@unwilling ever|please* reach out to @me"),
    phrase("dont|never|stop @please* call|phone|email|calling|phoning|emailing or|and|nor @text|@texting"),
    phrase(
        "@unwilling @please* ever|keep|be* send|sending @small* text|texts|messages|sms|spam|notifications|alerts $|@end|message|messages|@small|number",
    ),
    // Not wanted.
    phrase("dont do|use|care for? @small* texts|sms|messages|texting"),
    phrase("cant|cannot afford @small* @texts"),
    phrase(
        "charge|charges|charged|pay|paying|costs|cost @me? for? every|each|per|these|those text|texts|message|messages",
    ),
    firm("keep|keeps getting|receiving these|those|your texts|messages|sms"),
    phrase("keep|keeps getting|receiving these|those|this|your $|,|and|but"),
    phrase(
        "keep|keeps getting|receiving these|those|this|your|unwanted|all|so @small* texts|messages|sms|spam|reminders",
    ),
    phrase("you|youre|your|stop|keep|are spamming|harassing|pestering|bombarding|stalking me|us|my|this"),
    phrase("if|unless you|u|yall|they @please* @text me|us|this|here number? again|anymore|once|one"),
    phrase(
        "if|unless you|u|yall|they @please* dont|wont|keep stop|quit|texting|messaging|contacting $|,|@texting|this|sending|me|@me|ill|i",
    ),
    phrase("^ @text me|us again|once|one more|time* and|ill|im|or"),
    phrase("^ @please* mute|block|blacklist me|us|my|this|number* $|,|please|from|now|thanks"),
    phrase("@unwilling really|ever|even* @want to @get @small* these|this|those|them|any $|anymore|,"),
    phrase(
        "@unwilling authorize|authorise|permit|allow|allowed|authorized|authorised you|to|anyone|permission|my|consent* @text|send|contact",
    ),
    phrase("dont have my|our|any consent|permission|authorization to? $|,|@text|send|contact"),
    phrase("@unwilling really|ever|even|longer|to* @want @small* to? @get? @small* @texts|texting"),
    phrase(
        "@unwilling really|ever|even* @want @small* to? be|get texted|messaged|contacted|bothered|spammed|disturbed|on",
    ),
    phrase("@unwilling really|ever|even* @want @small* to? hear from you|yall|your"),
    phrase(
        "@unwilling really|ever|even* @want you|u|yall|anyone|anybody|them|your|business|company|people* to? @text|@texting|send|sending|write|writing @me?",
    ),
    phrase("@unwilling really|ever|even* @want anything from you|your|this"),
    phrase("@unwilling really|ever|even* @want this|these|those|them|any $|anymore"),
    phrase(
        "no longer|more @want|wishes|wishing|wants|interested|wanting @small* in|to|be|on* @get? @small* @texts|texted|messaged|contacted|part|list|hear",
    ),
    phrase("no desire|interest in|to @get? @small* @texts"),
    phrase(
        "not interested|keen|happy in|on|with|about @get? @small* texts|messages|sms|spam|notifications|alerts|promotions|marketing|texting",
    ),
    phrase("not interested ,|and|so* please|kindly|just* stop|remove|quit|delete|unsubscribe|take"),
    phrase(
        "rather|prefer|want|like|wish not|to|you|if* not to? @get? @small* @texts|@text|@texting|texted|contacted|messaged",
    ),
    phrase(
        "@want|like|love|wish|trying|how|can|could|do|does|way to|i|you|we|one|for|it|u|me* @please* @stop|end|opt|prevent|avoid @get? @small* @texts|these|them",
    ),
    phrase(
        "rather|prefer|appreciate|love|like|great|grateful|happy|glad|nice it|if|you|not|to|that|would|could|be|u|were* @stop|stopped|not|no|quit|didnt|dont|leave @please|sending* @texting|@texts|@text|texted|messaged|contacted",
    ),
    phrase(
        "didnt|never|not|dont @small* ask|asked|sign|signed|agree|agreed|consent|consented|subscribe|subscribed|request|requested|give|gave|opt|opted to|for|up|in|you|permission|my* @small* @get|be* @small* @texts|@texting|texted|contacted|this|these|it",
    ),
    phrase(
        "revoke|revoking|withdraw|withdrawing|rescind|removing|retract @small* consent|permission|authorization|authorisation|approval",
    ),
    phrase(
        "@unwilling have|give|gave|had|has|got @small* consent|permission|authorization|authorisation|right to|for|from* @text|@texting|@texts|send|my|me|us",
    ),
    phrase("@unwilling @small* consent to|for @small* @get? @small* @texts|@texting|being"),
    phrase("cease and|& desist"),
    phrase("cease @small* contact|communication|communications|texts|messages"),
    phrase("no|zero further|more|future contact|communication|communications|correspondence"),
    phrase("no contact|texting|texts|messages please|$"),
    phrase("consent|permission is|was|has|been|hereby* withdrawn|revoked|rescinded"),
    // Off the list.
    firm("have|want|like my|this|our @number @number? be? taken|removed|deleted|erased off|from|out|$|,|please"),
    phrase("my|this|our @number @number? be? taken|removed|deleted|erased|off off|from|out|of|$|,|please|your"),
    phrase(
        "@leave @me|my|this ~* off|from|out|of ~* list|lists|database|system|records|texts|messages|contacts|communications",
    ),
    phrase("removed|deleted|erased|unsubscribed|taken|struck|dropped|pulled off|from|out of? @small* @list|@texts"),
    phrase("@want|like off|out of|from? @small* list|lists|group|chat|text|texts|thread"),
    phrase("off|from|of you|ya|yr list|lists|database|system"),
    phrase("number|phone|list|texts|messages , please|kindly|so|and|then* remove|delete|lose|erase|stop it|me|this? $"),
    phrase("@leave @me off|from|form|of|out|outta of|from? @small* @list"),
    phrase("@leave @me off|out please|$|,|now|thanks|already|immediately|asap|cheers|thx"),
    phrase("remove|delete|unlist|erase @please* @me please|$|,|now|thanks|immediately|asap|and|or"),
    phrase("@leave @small* @number @number? off|from|of|out|on|outta @small* @list|here"),
    phrase("@leave @small* @number off|out please|$|,|now|thanks|asap"),
    phrase(
        "remove|delete|erase|wipe|forget|lose|scrub|purge|bin|destroy my|this|our @number @number? please|$|,|now|thanks|asap|and|from|forever|immediately|at|cheers|thx|or",
    ),
    phrase("lose|forget|ditch this|my|our cell|phone|mobile* number|digits|contact"),
    phrase(
        "off|from|on your|the|this|that|all text|texting|sms|marketing|mailing|message|contact|messaging|call|phone|spam list|lists|database",
    ),
    phrase(
        "@want|like|ask|need|asking|wanted to? be|get|getting? removed|deleted|taken|unsubscribed|erased|dropped off|from|out|please|$",
    ),
    phrase("unlist|unenroll|deregister|unregister|blacklist|deactivate|unfollow me|my|us|this"),
    phrase("removing|taking|deleting|dropping @me|my|this @number? off|from|out of? @small* @list"),
    phrase("^ @please|i|said|told|you,* no more please|$|,"),
    phrase("sign|count me out of @small* @texts"),
    phrase("@unwilling @want to? be on|in|part @small* @list"),
    phrase("be|get|put on @small* do|dont not? @text|contact|call list"),
    phrase("add|put me|number|my|this|us* to|on @small* do|dont not? @text|contact|call list?"),
    // Opting out.
    phrase("unsubscribe"),
    phrase(
        "optout of? @small* @texts|texting|here|everything|it|this|these|them|your|all|please|$|,|now|thanks|sms|asap|from|immediately|marketing",
    ),
    phrase("opt|opting me|us|my|this number? out"),
    phrase("i|we have|had|already|just* opted out $|,|already|and|please|so"),
    phrase("opted out of @small* @texts"),
    phrase("^ please|i|we|want|wish|like|need|id|would|would|how|do|can|to|to* optout $|,|please|now|thanks"),
    phrase(
        "cancel|end|terminate|stop @small* text|texting|sms|message|messaging|alert|notification subscription|service|membership|program|alerts|messages",
    ),
    phrase("cancel|end @small* subscription to|for @small* @texts"),
    // Leave me alone.
    firm("leave me|us the? fuck|hell|heck* alone"),
    firm("fuck|piss|bugger|eff off"),
    firm("buzz off"),
    firm("get|go lost|fuck|screw yourself|$"),
    firm("^ please|just|ok|hey|,* go away please|$|,|now|and"),
    phrase("leave me|my|us phone|number|be|in alone|be|peace"),
    phrase("give it a rest with|please|$|,"),
    phrase("lay|knock|cut|give|pack|quit|can it|the|a|in|off|out|rest* with @small* @texts|texting"),
    phrase("knock|cut|lay off|out @small* @texts|texting"),
    phrase(
        "this|that|its|thats|youre|you|these is|are|just|pure|clearly* @small* spam|harassment|harassing|spamming $|,|stop|please|and|me|us|im|i",
    ),
    phrase(
        "report|reporting|reported you|this|it|your|number|u|to|as|for|the* spam|fcc|ftc|carrier|ico|harassment|police|authorities",
    ),
    phrase("block|blocking|blocked|reporting|report you|this|your|u number|texts|if|now|$|,"),
    phrase("blocked|reported and|& reported|blocked"),
    phrase(
        "wrong number|person ,|so|and|please|kindly|just|stop|you|have|the|here|delete|remove|dont|no|sorry|i|am|im|not* stop|remove|delete|dont|text|texting|again|lose|number",
    ),
    phrase("who|whoever are|is|you|u|this|ever|it|,|the|hell|please|and* stop|quit|leave|remove|dont|lose|delete"),
];

/// Words after which a phrase is about a time, a place, a part, or asks for something else.
const LIMITS: [&str; 24] = [
    "in all|caps|capitals",
    "by|in accident|mistake|error",
    "twice|from the|my",
    "button on|is|does|doesnt|here|at|in",
    "@small* so late|early|loud|loudly|close|fast",
    "while|when|until|till|til|before|after|during|whenever|once",
    "at night|work|lunch|\u{0}|noon|midnight|home|dinner|school|church|weekends|all hours|in",
    "at 1|2|3|4|5|6|7|8|9|10|11|12",
    "on weekends|sundays|sunday|saturday|saturdays|monday|tuesday|wednesday|thursday|friday|whatsapp|facebook|messenger|instagram|email|work|weekdays",
    "in the morning|mornings|evening|afternoon|night|middle|group|meantime|car",
    "today|tonight|tomorrow|this week|morning|afternoon|evening|weekend",
    "for now|today|tonight|tomorrow|the a? moment|day|week|morning|evening|rest|night|afternoon|weekend",
    "for bella|rex|max|luna|charlie|monday|tuesday|wednesday|thursday|friday|saturday|sunday",
    "just|please|better|instead|rather|only|, just|please* call|ring|email|phone|knock|whatsapp me|us|her|him|my|the|instead|if|when",
    "call|ring|phone|email me|us instead|,|please|$",
    "call|ring|phone|email|knock|whatsapp instead",
    ", call|ring|phone|email|knock|whatsapp",
    "text|message|whatsapp|write|email @me instead|please|$",
    "and driving|drive|walking|walk",
    "back $|,|i|if|right|when",
    "if|unless|except|but about|for|when|it|there|the|only|you",
    "about the|my|bella|rex|tuesday|monday|wednesday|thursday|friday|saturday|sunday|that|today|tomorrow|it|his|her|booking|dog|cat key|keys|walk|walks|visit|visits|dog|cat|booking|payment|invoice|gate|$",
    "every|each hour|five|ten|time|few|single? hour|minute|minutes|walk|visit|day",
    "to the|my|our|his|her wife|husband|sitter|vet|neighbour|neighbor|mum|mom|dad|old|landline|son|daughter",
];

/// Words before a phrase that tell of something else: a question about the past, a condition, the contrary.
const BEFORE: [&str; 13] = [
    "why|when|did|does do|did|does|you|he|she|they|sam|we|i|it* $",
    "was|were|did|is|am i|we|he|she|they|it get|just? $",
    "how come you|he|she|they|i|we* $",
    "if|unless|until|before|because|since|whether|thought|think|knew|sorry|see|saw that? @small* you|he|she|they|i|we|there|it* $",
    "dont|didnt|never|not|wont|cant ever|please|you|want|to|me|have|need|mean|meant|going|intend* $",
    "have|had|has|got|are|there|were|is|was|see|seeing|received|getting|get|found|shows|showing $",
    "without|avoid|hate|before|after|about|than|instead of? $",
    "sorry|thanks|thank|you for|about all|the* $",
    "forget|remember|hesitate|afraid|feel free to $",
    "accidentally|mistakenly|mistake|error|accident i|,|by|was|got|have|been|to* $",
    "was|been|got|were accidentally|never* $",
    "trying|try|tried|had|has|able|busy|drive|driving to? $",
    "my|his|her|our|their|the phone|app|husband|wife|son|daughter|mother|sister|friend|mum|mom|dad|camera will|should|would|can|did|has|does|keeps|is* $",
];

/// Who does not write, before a phrase that refuses: `you don't text me` complains.
const OTHERS: &str = "you|he|she|they|sam|kim|sitter|people|who|someone|kids really|just|also|always|still* $";

/// Words by which a sentence about somebody asks something of them: `can you not text me`.
const ASKING: &str = "can|could|would|will|please|prefer|that|request|ask|demand|appreciate|insist|want|like";

/// Somebody who promises to stop, or proposes it to both: `I'll stop texting now`.
const PROMISE: &str = "ill|lets just|better|go* $";

/// What is refused again, or for ever, is refused whoever is named.
const FIRM: &str = "again|anymore|ever|unsubscribe|consent|permission|remove|list|off";

/// Whether a sentence says that its author wants no more texts.
pub(super) fn is_wish(sentence: &Sentence) -> bool {
    [PHRASES, rights::PHRASES, strangers::PHRASES, foreign::PHRASES]
        .into_iter()
        .flatten()
        .any(|phrase| says(phrase, sentence))
}

fn says(phrase: &Phrase, sentence: &Sentence) -> bool {
    let mut from = 0;
    while let Some((start, end)) = find(phrase.pattern, &sentence[from..]) {
        let (start, end) = (from + start, from + end);
        if !phrase.limited || !(is_limited(&sentence[end..]) || tells_of_else(&sentence[..start], &sentence[start..])) {
            return true;
        }
        from = start + 1;
        if phrase.pattern.starts_with('^') || from > sentence.len() {
            break;
        }
    }
    false
}

fn is_limited(after: &[String]) -> bool {
    const NEAR: usize = 4;
    let near = &after[..after.len().min(NEAR + 4)];
    LIMITS.iter().any(|limit| find(limit, near).is_some_and(|(start, _)| start < NEAR))
}

fn tells_of_else(before: &[String], said: &[String]) -> bool {
    let near = &before[before.len().saturating_sub(5)..];
    let refused = said.first().is_some_and(|word| stands_for("@unwilling", word));
    let firm = said.iter().any(|word| stands_for(FIRM, word));
    let asked = near.iter().any(|word| stands_for(ASKING, word));
    let stopping = said.first().is_some_and(|word| stands_for("@stop", word));
    BEFORE.iter().any(|pattern| find(pattern, near).is_some())
        || (stopping && find(PROMISE, near).is_some())
        || (refused && !firm && !asked && find(OTHERS, near).is_some())
}

/// Words around a stop that add nothing to it.
const FILLING: &str = "please|kindly|just|now|it|this|that|these|ok|okay|hey|hi|hello|thanks|thank|you|i|said|can|could|would|\
                       will|the|already|all|right|immediately|asap|,|make|im|asking|to|sir|guys|no|me|cheers|want|mate|bro|bruh|fam|dude|man|yo|maam|\
                       seriously|for|god|gods|sake|fucking|damn|bloody|everything|omg|ffs|so|and|do|need|again|really|we|\
                       enough|id|like|texts|more";
const STOPS: &str = "stop|stopall|unsubscribe|optout|revoke|cease|desist";
/// What people say to strangers.
const STRANGER: &str = "interested|wrong|know|who|died|passed|deceased|stranger|messages|harassing|harassment|spam|consent|police|lawyer|block|blocking|hate|annoying";
/// A text in which a stop stands alone is not longer.
const BARE_MAX: usize = 12;

/// Whether a text says nothing but stop, in more words or with punctuation, or says so to a stranger.
pub(super) fn is_bare_stop(sentences: &[Sentence]) -> bool {
    let words: Vec<&String> = sentences.iter().flatten().collect();
    if let [only] = words.as_slice() {
        return ["cancel", "end", "quit", "stop", "alto", "basta", "unsubscribe", "remove", "cease"]
            .contains(&only.as_str());
    }
    let is_bare = |sentence: &Sentence| {
        sentence.iter().any(|word| stands_for(STOPS, word))
            && sentence.iter().all(|word| stands_for(FILLING, word) || stands_for(STOPS, word))
    };
    let to_stranger = words.iter().any(|word| stands_for(STRANGER, word));
    let all_filling =
        sentences.iter().all(|sentence| is_bare(sentence) || sentence.iter().all(|word| stands_for(FILLING, word)));
    words.len() <= BARE_MAX && (all_filling || to_stranger) && sentences.iter().any(is_bare)
}
