//! How people say that they want no more texts, in English and a little Spanish.

use super::pattern::{find, stands_for};
use super::words::Sentence;

/// The words of a class.
pub(super) fn class(name: &str) -> &'static str {
    match name {
        // What is sent.
        "texts" => {
            "text texts message messages sms mms spam communication communications notification notifications alerts \
             reminders promotions promos promo marketing advertising advertisements ads solicitations newsletters blasts \
             emails updates contact chats nonsense crap garbage junk bs"
        }
        // What somebody does who sends it.
        "texting" => {
            "texting messaging contacting spamming bothering harassing pestering bugging annoying soliciting smsing \
             hounding hassling"
        }
        "text" => "text message contact txt sms bother spam pester solicit disturb dm hassle harass",
        "stop" => "stop quit cease halt discontinue",
        // Words between a verb and what it is about.
        "small" => {
            "the these those this that all any of your my me us such with more please so many further other ur kind \
             silly stupid damn fucking bloody darn annoying constant endless daily automated unwanted random sort \
             freaking unsolicited types anymore kinds future"
        }
        "me" => "me us",
        "please" => "please kindly just",
        "end" => {
            "again anymore ever please thanks thank now already immediately asap further altogether completely entirely \
             longer more here period today's fully forever for ok okay mate guys people you sir and or as i im this from \
             , at with about on to any because we cheers regardless unless since never your via my that the its"
        }
        "list" => {
            "list lists database contacts system files file records directory distribution mailing texts text messages \
             messaging sms group everything this it marketing campaign campaigns books subscription phonebook register \
             rota thread chat phones phone address broadcast notifications"
        }
        "number" => "number no phone cell mobile digits name info information details contact data email",
        "leave" => "remove take delete get drop strike scratch erase pull knock wipe unlist purge cut cross",
        "unwilling" => "dont didnt never wont not cant cannot shouldnt wouldnt",
        "want" => "want wanna wish need like care desire",
        "get" => "get getting receive receiving have see hear seeing hearing be",
        _ => "",
    }
}

/// A phrase that says so.
struct Phrase {
    pattern: &'static str,
    /// If it is about a part only, or asks for something else instead, the text is none.
    limited: bool,
}

const fn phrase(pattern: &'static str) -> Phrase {
    Phrase { pattern, limited: true }
}

/// A phrase that says so, whatever follows.
const fn firm(pattern: &'static str) -> Phrase {
    Phrase { pattern, limited: false }
}

const PHRASES: &[Phrase] = &[
    // Stop texting.
    phrase("@stop @please* with? @small* @texting"),
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
    // No more texts.
    phrase(
        "^ please|hi|hey|hello|ok|okay|thanks|,|sorry|look|no|and|sir|stop|so* no @small* more|further|longer|additional @small* @texts",
    ),
    phrase("please no more|further|additional @small* @texts"),
    phrase("no more|further texting|messaging|contacting|contact"),
    phrase("^ please|hi|ok|,* no @small* texts|text|messages|sms please|thanks|thank|anymore|$"),
    phrase("^ @please* no thanks|thank|you|,* no|stop @small* @texts"),
    phrase("enough with|of? @small* @texts|texting"),
    phrase("enough is|of|,|with* enough with|of? @small* @texts|texting"),
    phrase("done|sick|tired|fed|over|through|finished|annoyed with|of|by|up|getting|receiving* @small* @texts|texting"),
    phrase("had|have|heard enough of|with|from* @small* @texts|you"),
    phrase("too|so many fucking|damn|bloody* texts|messages|notifications|reminders|alerts"),
    phrase("^ @please|hi|hey|hello|ok|okay|,* zero|nil more? @texts"),
    // Do not text me.
    phrase("@unwilling @please* ever|you|to|keep|be|again* @text me|us|my|this"),
    phrase("@unwilling @please* ever|keep|be* @texting me|us|my|this"),
    phrase("@unwilling @please* ever|keep|be* @text $"),
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
    phrase("never text|message|contact|write @me? again"),
    // Not wanted.
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
    // Off the list.
    phrase("@leave @me off|from|of|out|on|outta* @small* @list"),
    phrase("@leave @me off|out please|$|,|now|thanks|already|immediately|asap|cheers|thx"),
    phrase(
        "remove|delete|unlist|erase @please* @me please|$|,|now|thanks|immediately|asap|from your|the? list|database|contacts|system|records|texts|it|this|here|$",
    ),
    phrase("@leave @small* @number off|from|of|out|on|outta @small* @list|here"),
    phrase("@leave @small* @number off|out please|$|,|now|thanks|asap"),
    phrase(
        "remove|delete|erase|wipe|forget|lose|scrub|purge|bin|destroy my|this|our @number please|$|,|now|thanks|asap|and|from|forever|immediately|at|cheers|thx|or",
    ),
    phrase("lose|forget|ditch this|my|our cell|phone|mobile* number|digits|contact"),
    phrase(
        "off|from|on your|the|this|that|all text|texting|sms|marketing|mailing|message|contact|messaging|call|phone|spam list|lists|database",
    ),
    phrase(
        "@want|like|ask|need|asking|wanted to? be|get|getting? removed|deleted|taken|unsubscribed|erased|dropped off|from|out|please|$",
    ),
    phrase("unlist|unenroll|deregister|unregister|blacklist|deactivate|unfollow me|my|us|this"),
    phrase("sign|count me out of @small* @texts"),
    phrase("@unwilling @want to? be on|in|part @small* @list"),
    phrase("be|get|put on @small* do|dont not? @text|contact|call list"),
    phrase("add|put me|number|my|this|us* to|on @small* do|dont not? @text|contact|call list?"),
    // Opting out.
    phrase("unsubscribe"),
    phrase(
        "optout of? @small* @texts|texting|here|everything|it|this|these|them|your|all|please|$|,|now|thanks|sms|asap|from|immediately|marketing",
    ),
    phrase("opt|opted|opting me|us|my|number|this* out"),
    phrase("^ please|i|we|want|wish|like|need|id|would|would|how|do|can|to|to* optout $|,|please|now|thanks|of|from"),
    phrase(
        "cancel|end|terminate|stop @small* text|texting|sms|message|messaging|alert|notification subscription|service|membership|program|alerts|messages",
    ),
    phrase("cancel|end @small* subscription to|for @small* @texts"),
    // Leave me alone.
    firm("leave me|us the? fuck|hell|heck* alone"),
    firm("fuck|piss|bugger|eff off"),
    firm("buzz off"),
    firm("get|go lost|fuck|screw yourself|$"),
    firm("^ please|just|ok|hey|,* go away please|$|,|now"),
    phrase("leave me|my|us phone|number|be|in alone|be|peace"),
    phrase("give it a rest with|please|$|,"),
    phrase("lay off|knock|cut|give it|the* off|rest|out* with @small* @texts|texting"),
    phrase(
        "this|that|its|thats|is|are|youre|you|just|pure|clearly* @small* spam|harassment|harassing|spamming $|,|stop|please|and|me|us|im|i",
    ),
    phrase(
        "report|reporting|reported you|this|it|your|number|u|to|as|for* spam|fcc|ftc|carrier|ico|harassment|police|authorities",
    ),
    phrase("block|blocking|blocked|reporting|report you|this|your|u number|texts|if|now|$|,"),
    phrase(
        "wrong number|person ,|so|and|please|kindly|just|stop|you|have|the|here|delete|remove|dont|no|sorry|i|am|im|not* stop|remove|delete|dont|text|texting|again|lose|number",
    ),
    phrase("who|whoever are|is|you|u|this|ever|it|, stop|quit|leave|remove|dont"),
    // Spanish.
    phrase(
        "no me mandes|manden|mande|envies|envien|envie|escribas|escriban|escriba|contactes|contacten|contacte|textees|texteen|textee|molestes|molesten|moleste",
    ),
    phrase("no mandes|manden|mande|envies|envien|envie|escriban|escribas|contacten mas|mensajes|textos|sms|ya|$"),
    phrase(
        "deja|dejen|deje|dejar|dejenme|paren|pare|para|parar de mandar|enviar|escribir|textear|contactar|molestar|mandarme|enviarme|escribirme|textearme|contactarme|molestarme|molestarnos|escribirnos|mandarnos",
    ),
    phrase(
        "no quiero|deseo|queremos mas|recibir|sus|estos|tus|que|los* mensajes|textos|sms|escriban|manden|envien|contacten",
    ),
    phrase("ya no quiero|deseo|queremos mas|recibir|sus|estos|tus|los* mensajes|textos|sms|nada"),
    phrase("no mas mensajes|textos|sms"),
    phrase(
        "basta|alto|paren|pare|para|detengan|cancelen|cancelar|suspendan|suspender de|con|a* los|estos|sus|tantos|los|tus* mensajes|textos|sms",
    ),
    phrase(
        "quitame|quiteme|quitenme|sacame|saqueme|saquenme|borrame|borreme|borrenme|eliminame|elimineme|eliminenme|quitar|sacar de|mi la|su|esta|tu|numero lista|base|sistema|de|contactos|registros",
    ),
    phrase(
        "borra|borre|borren|elimina|elimine|eliminen|quita|quite|quiten|saca|saquen mi|este numero|telefono|contacto",
    ),
    phrase("dame|denme|deme|darme|darse|dar de baja"),
    phrase("cancelar|cancelen|cancela|cancele mi|la* suscripcion"),
    phrase("dejame|dejeme|dejenme en paz|tranquilo|tranquila"),
];

/// Words after which a phrase is about a time, a place, a part, or asks for something else.
const LIMITS: [&str; 20] = [
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
const BEFORE: [&str; 12] = [
    "why|when|how|did|does|do did|do|does|come|you|he|she|they|sam|we|i|it* $",
    "if|unless|until|before|because|since|whether|that|thought|think|knew|sorry|see|saw @small* you|he|she|they|i|we|there|it* $",
    "dont|didnt|never|not|wont|cant ever|please|you|want|to|me|have|need|mean|meant|going|intend* $",
    "have|had|has|got|are|there|were|is|was|see|seeing|received|getting|get|found|shows|showing $",
    "you|he|she|they|sam|kim|sitter|people|who|someone|kids|we|i have|has|just|really|always|also* $",
    "without|avoid|hate|before|after|about|than|instead of? $",
    "forget|remember|hesitate|afraid|feel free to $",
    "accidentally|mistakenly|mistake|error|accident i|,|by|was|got|have|been|to* $",
    "i|we|was|been|got|get|were|am accidentally|was|been|got|not|never|mistakenly|just* $",
    "is|are|was|were there $",
    "trying|try|tried|had|has|able|busy|drive|driving to? $",
    "my|his|her|our|their|the phone|app|husband|wife|son|daughter|mother|sister|friend|mum|mom|dad* will|should|would|can|did|has|does|keeps|is* $",
];

/// Whether a sentence says that its author wants no more texts.
pub(super) fn is_wish(sentence: &Sentence) -> bool {
    PHRASES.iter().any(|phrase| says(phrase, sentence))
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

/// What is refused again, or for ever, is refused whoever is named.
const FIRM: &str = "again|anymore|ever|unsubscribe|consent|permission|remove|list|off";

fn tells_of_else(before: &[String], said: &[String]) -> bool {
    let near = &before[before.len().saturating_sub(5)..];
    let refused = said.first().is_some_and(|word| stands_for("@unwilling", word));
    for (number, pattern) in BEFORE.iter().enumerate() {
        if find(pattern, near).is_none() {
            continue;
        }
        // `you dont text me` complains; `i dont want texts` and `i never want texts again` refuse.
        let names_somebody = number == 4;
        let by_author = near.last().is_some_and(|word| stands_for("i|we|have|just|really|also|always", word));
        if names_somebody && (by_author || !refused || said.iter().any(|word| stands_for(FIRM, word))) {
            continue;
        }
        return true;
    }
    false
}

/// Whether a text says nothing but stop, in more words or with punctuation.
pub(super) fn is_bare_stop(sentences: &[Sentence]) -> bool {
    const FILLING: &str = "please|kindly|just|now|it|this|that|these|ok|okay|hey|hi|hello|thanks|thank|you|i|said|can|could|would|\
                           will|the|already|all|right|immediately|asap|,|make|im|asking|to|hello|sir|guys|no|me|cheers|want|\
                           mate|seriously|for|god|gods|sake|fucking|damn|bloody|everything|stop|stopall|omg|ffs|so|and|do|\
                           need|again|really|we|enough|id|like|texts";
    const STOPS: &str = "stop|stopall|unsubscribe|optout|revoke|cease";
    let words: Vec<&String> = sentences.iter().flatten().collect();
    let alone = ["cancel", "end", "quit", "stop", "alto", "basta", "unsubscribe"];
    if let [only] = words.as_slice() {
        return alone.contains(&only.as_str());
    }
    words.len() <= 12
        && words.iter().any(|word| stands_for(STOPS, word))
        && words.iter().all(|word| stands_for(FILLING, word) || stands_for(STOPS, word))
}
