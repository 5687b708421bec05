//! What around a wish says that it is none: a time, a place, a part, another channel, a question, a promise.

/// After a phrase.
pub(super) const LIMITS: &[&str] = &[
    "in all|caps|capitals",
    "by|in accident|mistake|error",
    "twice|double",
    "button on|is|does|doesnt|here|at|in",
    "@det* so late|early|loud|loudly|close|fast",
    "while|when|until|till|til|before|during|whenever|once|b4",
    "after ~|my|the|his|her|work|school",
    "at night|work|lunch|noon|midnight|home|dinner|school|church|weekends $|hours|,|please|and",
    "at 1|2|3|4|5|6|7|8|9|10|11|12",
    "on weekends|sundays|sunday|saturday|saturdays|monday|tuesday|wednesday|thursday|friday|whatsapp|facebook|\
     messenger|instagram|email|work|weekdays",
    "in the morning|mornings|evening|afternoon|night|middle|group|meantime|car",
    "today|tonight|tomorrow|tmrw",
    "this week|morning|afternoon|evening|weekend",
    "for now|today|tonight|tomorrow|the a? moment|day|week|morning|evening|rest|night|afternoon|weekend",
    "for bella|rex|max|luna|charlie|monday|tuesday|wednesday|thursday|friday|saturday|sunday",
    "just|please|better|instead|rather|only|, just|please* call|ring|email|phone|knock|whatsapp me|us|her|him|my|the|\
     instead|if|when",
    "call|ring|phone|email me|us instead|,|please|$",
    "call|ring|phone|email|knock|whatsapp instead",
    ", call|ring|phone|email|knock|whatsapp",
    "text|message|whatsapp|write|email @me instead|please|$",
    "and driving|drive|walking|walk",
    "use|only use|text|call",
    "and use|text|save|call",
    "on|from|of the ~? cam|camera|doorbell|alarm|app|oven|router",
    "back $|,|i|if|right|when",
    "with the|that|my|his|her ~",
    "unless ~",
    ", weekly|daily|once|one|twice|less|fewer|only",
    "^ of the|my|that|a",
    "^ al ~",
    ", please* use",
    ", meant|ignore|disregard",
    ", text|texts|texting|sms is|are|fine|me|instead|ok|okay",
    "but keep|text|leave|call",
    "and look|watch|drive|walk|focus|enjoy|play|pay|start",
    "^ lol|haha|lmao|hehe _ _",
    "with ~* pics|pictures|photos|pic|photo|videos|selfies",
    "kidding|joking|jk",
    "for a|one|two|three|four|1|2|3|4|the|next few|couple|of|next* day|days|week|weeks|month|months|hour|hours|minute|\
     minutes|bit|sec",
    "from a|another|your|the|different|other|new* number|phone",
    "for the|my|a ~ $|,|its|her|his",
    "if|unless|except|but about|for|when|it|there|the|only|you",
    "only if|when",
    "every|each hour|five|ten|time|few|single? hour|minute|minutes|walk|visit|day",
    "to the|my|our|his|her wife|husband|sitter|vet|neighbour|neighbor|mum|mom|dad|old|landline|son|daughter",
];

/// Begins another sentence within a sentence without a mark: `stop texting me I'm at work`.
pub(super) const CLAUSE: &str = "i|im|ive|id|we|weve";

/// What is refused for ever is not limited: `do not contact me ever again after this`.
pub(super) const FOR_EVER: &str = "ever|never again";

/// What a phrase is about, after it, unless it refuses for good.
pub(super) const TOPICS: &[&str] =
    &["about the|my|bella|rex|tuesday|monday|wednesday|thursday|friday|saturday|sunday|that|today|tomorrow|his|her|\
     booking|dog|cat key|keys|walk|walks|visit|visits|dog|cat|booking|payment|invoice|gate|$"];

/// Before a phrase.
pub(super) const BEFORE: &[&str] = &[
    "why|when|did|does do|did|does|you|he|she|they|sam|we|i|it* $",
    "was|were|did|is|am i|we|he|she|they|it get|just? $",
    "the|my|his|her|our alarm|camera|cam|doorbell|app|sensor|lock keeps? $",
    "how come you|he|she|they|i|we* $",
    "if|unless|until|because|since|whether|thought|think|knew|sorry|see|saw that? @det* you|he|she|they|i|we|there|it* \
     $",
    "dont|didnt|never|not|wont|cant ever|please|you|want|to|me|have|need|mean|meant|going|intend* $",
    "there is|are|was $",
    "want|need|like|wanted me|us to $",
    "gave|give|wrote|left|told $",
    "^ is|are $",
    "it|they|text|message says|said|say to? reply|text|send? stop? to? $",
    "on $",
    "^ please|just|ok|hi* call|ring|phone|email me|us? ~? ~? ,|and|but? $",
    "please|so|rather|better|prefer call|calls|ring|phone me|us? ,|and|but? $",
    "have|had|has|got|there|were|see|seeing|received|getting|get|found|shows|showing $",
    "without|avoid|hate|before|after|about|than|instead of? $",
    "sorry|thanks|thank|you for|about all|the* $",
    "forget|remember|hesitate|afraid to $",
    "accidentally|mistakenly|mistake|error|accident i|,|by|was|got|have|been|to* $",
    "was|been|got|were accidentally|never* $",
    "dont|never|not|didnt remove|take|taking|delete|drop|cut me|us|my|them|him|her|~? ~? $",
    "trying|try|tried|had|has|able|busy|drive|driving to? $",
    "my|his|her|our|their|the phone|app|husband|wife|son|daughter|mother|sister|friend|mum|mom|dad|camera will|should|\
     would|can|did|has|does|keeps|is* $",
];

/// Who does not write, before a phrase that refuses: `you don't text me` complains.
pub(super) const OTHERS: &str = "\
    you|he|she|they|sam|kim|sitter|people|who|someone|kids|texts|messages|calls|phone|it really|just|also|always|\
    still* $";

/// Words by which a sentence about somebody asks something of them: `can you not text me`.
pub(super) const ASKING: &str =
    "can|could|would|will|please|prefer|that|request|ask|demand|appreciate|insist|want|like";

/// Somebody who promises to stop, or proposes it to both: `I'll stop texting now`.
pub(super) const PROMISE: &[&str] = &[
    "ill|lets just|better|go* $",
    "wants|hopes|plans|decided|promised|agreed|promises|trying to $",
    "asked|told|begged|wants me|him|her|us|them|sam to $",
];

/// In a phrase that ends something, it is the writer who gets it: `she wants to stop getting texts`.
pub(super) const RECEIVING: &str = "@get";

/// Begins a phrase about what leaves.
pub(super) const LEAVING: &str = "@leave|@erase|remove";

/// Right before it, a day or a visit: `I can't work tomorrow so remove me` is about that day.
pub(super) const BOOKED: &str = "\
    tomorrow|today|tonight|monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|weekend|shift|visit|walk so|\
    and|,|please|just|then|can|could|you* $";

/// Somebody else who is quoted, before a phrase: `she said stop texting me`.
pub(super) const QUOTED: &[&str] = &[
    "he|she|they|sign|mom|mum|dad|son|daughter|husband|wife|kid said|says|yelled|yells|shouted|screamed|goes|like just|\
     like|please|,* $",
    "he|she|they|sign|mom|mum|dad|son|daughter|husband|wife|kid $",
];

/// Begins a phrase that may be somebody's words.
pub(super) const QUOTABLE: &str = "said|says|@stop|dont|leave|unsubscribe|remove";

/// In a phrase after such a person, it is that person who gets the texts: `my wife says stop texting her`.
pub(super) const OF_OTHERS: &str = "her|him|them|us|you";

/// What is refused again, or for ever, is refused whoever is named.
pub(super) const FIRM: &str = "again|anymore|more|ever|unsubscribe|consent|permission|remove|list|off";

/// Begins a phrase that refuses.
pub(super) const REFUSING: &str = "dont|didnt|never|wont|not|cant|cannot|shouldnt|wouldnt";

/// Begins a phrase that ends something.
pub(super) const STOPPING: &str = "stop|quit|cease|halt|discontinue";

/// Who does not write, right before a phrase that refuses: `you never text me anymore`.
pub(super) const COMPLAINT: &str = "you|he|she|they|sitter $";

/// Before a phrase that tells who somebody is: it is asked, or only possible, or what they did.
pub(super) const QUESTION: &[&str] =
    &["^ is|was|are|did|does $", "gave|give|wrote|left|told|texted|sent|dialed $", "if|unless|whether|that|like $"];
