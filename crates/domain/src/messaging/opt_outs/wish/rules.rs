//! The rules of the grammar: what the parts of a wish are made of. Each names only rules above it.

pub(super) const RULES: &[(&str, &[&str])] = &[
    // No word at all: `_` is every word but these.
    ("nothing", &[]),
    // Words that begin something else: `~` is every word but these.
    (
        "else",
        &[",|and|by|at|in|if|when|once|until|till|read|check|see|off|over|for|but|or|while|before|after|wait|waiting|\
             walk|walks|group|class|guest|party|monday|tuesday|wednesday|thursday|friday|saturday|sunday|my|his|her|\
             schedule|calendar|missing|without|so|sam|max|forget|worrying|apologizing|being|about|why|how|what|who|\
             where|here|there|emergency|waiting|pickup|key|code|food|leash|milk|door|bag|collar|vet|gate|cat|dog|house|\
             card|old"],
    ),
    // Words that add nothing to what is asked.
    (
        "please",
        &["please|kindly|just|ever|even|really|actually|still|so|simply|now|already|immediately|also|all|fucking|\
             damn|freaking|bloody|guys|people|folks|sir|all|altogether|completely|once|you|u|the|hell|fuck"],
    ),
    // What may stand between a refusal and the verb that it refuses.
    ("will", &["@please|keep|to|be|dare|try|bother|start|go|come"]),
    // What may stand before the wish in its sentence.
    (
        "lead",
        &["please|kindly|just|scammer|spammer|creep|weirdo|hi|hey|hello|ok|okay|thanks|thank|you|sorry|look|listen|\
             no|and|sir|so|i|we|said|told|cheers|but|ta|yo|bye|omg|man|mate|nah|nope|alright|,|dear|well|excuse|me|\
             love|yes|yeah|good|morning|afternoon|evening|madam|dude|bro|bruh|sis|um|uh|think|afraid|im|there|again|\
             its|thats|this|is|the|a|really|seriously"],
    ),
    // What may stand between a verb or a "no" and the texts.
    (
        "det",
        &["the|these|those|this|that|all|any|of|your|my|me|us|our|such|with|more|please|so|many|further|other|kind|\
             silly|stupid|damn|fucking|bloody|darn|annoying|constant|endless|daily|weekly|automated|automatic|unwanted|\
             random|sort|freaking|unsolicited|types|anymore|kinds|future|robo|auto|bot|phone|telephone|mobile|cell|\
             additional|sitter|job|booking|appointment|walk|dog|promotional|marketing|offer|offers|reminder|reminders|\
             notification|notifications|alert|promo|above|another|single|every|any|text|sms|distribution|mailing|\
             messaging|contact|own|damned|no|now|from|whatever|subscription"],
    ),
    // What is sent.
    (
        "msg",
        &["text|texts|message|messages|sms|mms|spam|communication|communications|notification|notifications|alert|\
             alerts|reminder|reminders|promotions|promos|promo|marketing|advertising|advertisements|ads|solicitation|\
             solicitations|newsletters|blasts|survey|surveys|coupon|coupons|deals|invites|emails|updates|chats|\
             nonsense|offers|correspondence|texto"],
    ),
    (
        "these",
        &["this|these|those|them|it|stuff|anything|things|shit|crap|garbage|junk|bs|bullshit|nothing|everything"],
    ),
    (
        "texts",
        &["@det* @msg", "@det* @msg you|u send|sent", "@det* review|reviews|feedback|survey|rating request|requests"],
    ),
    // Who gets it.
    ("phone", &["number|numbers|phone|phones|cell|mobile|cellphone|line|landline|inbox|pager|fax"]),
    (
        "me",
        &[
            "me|us|myself",
            "to|on|at|for|with|from me|us",
            "to|on|at|for|from my|this|our account|household|family",
            "to|on|at|for? my|this|our|these|that|the|her|his|moms @det* ~? @det* @phone",
        ],
    ),
    // The end of what is asked: nothing, or words that begin no part of it.
    (
        "end",
        &["$|fr|rn|tho|foo|bro|bruh|homie|hun|maam|pal|buddy|friend|fam|lady|boss|again|anymore|ever|please|thanks|\
             thank|now|already|immediately|asap|further|altogether|completely|entirely|longer|more|here|period|forever|\
             ok|okay|mate|guys|people|you|sir|and|or|as|i|im|from|,|about|because|we|cheers|regardless|unless|since|\
             never|for|via|ta|lol|omg|dude|bro|fully|at|madam|so|man|but|in|by|with|then|everyone|everybody"],
    ),
    (
        "stop",
        &[
            "stop|quit|cease|halt|discontinue|desist|refrain|avoid",
            "stop|desist|refrain|abstain from",
            "knock|cut|pack|lay|stop|quit|give it off|out|in|up|a|rest* with?",
            "knock|cut|lay off|out",
            "chill|ease|easy off|up|out|on? with|on",
            "put|make an? end|stop to",
            "done|enough with",
        ],
    ),
    (
        "bothering",
        &["bothering|harassing|pestering|bugging|annoying|hounding|hassling|disturbing|stalking|bombarding|\
             badgering|nagging|irritating|spamming|troubling"],
    ),
    ("texting", &["texting|messaging|contacting|soliciting|smsing|pinging|notifying|@bothering|msging"]),
    (
        "text",
        &["text|message|contact|txt|sms|bother|spam|pester|solicit|disturb|dm|hassle|harass|ping|notify|trouble|msg|\
             hmu"],
    ),
    ("texted", &["texted|messaged|contacted|bothered|spammed|disturbed|solicited|notified|harassed"]),
    // Somebody who sends.
    (
        "sending",
        &[
            "@texting @please* @me",
            "@texting $|@end",
            "sending|giving|forwarding|shooting|writing @me? @det* ~? @msg",
            "sending|writing|forwarding @me? @det* @these? to? @me? @det* @msg? $|@end",
            "sending|writing @please* @me? @these to? @me?",
            "sending|writing to? @me $|@end",
            "sending me|us|this someone|somebody",
            "sending|forwarding me|us @det* ~? ~ $|,|please|anymore|thanks",
            "sending|texting|messaging her|him|them|my ~? @det* @msg",
            "texting|messaging|contacting my|our ~",
            "blowing|lighting|filling|clogging|flooding|hitting up? my|our|me|us up? phone|inbox? up?",
            "reaching out",
            "asking @me? for a|any|the|your|more* review|reviews|feedback|rating|ratings",
            "sending|forwarding me @det* her|his|their stuff|things|mail|messages|texts|bills|crap",
            "selling|advertising|pitching",
            "using my|this|our @phone",
            "using this|my to? @text",
            "calling|phoning|emailing and|or|& @texting",
            "with? @det* @msg",
            "with @texting",
            "trying to @text|reach",
        ],
    ),
    (
        "send",
        &[
            "@text @please* @me",
            "@text it|here|there $|@end",
            "@text at all",
            "@text a|an _* lady|woman|man|person|child|kid|minor|stranger|widow",
            "send @me @det* jobs|shifts|gigs|work|links|orders",
            "reply|respond to me|us",
            "@text $|dont|nor|again|anymore|ever|please|here|further",
            "call|phone|email|ring and|or|nor|& @text",
            "@text and|or|nor|& call|ring|phone|email @me?",
            "send|write|give|mail|forward @me? @det* @these? @det* @msg",
            "send|write|mail|forward @me @these",
            "send|write|forward her|him|them|my ~? @det* @msg",
            "send|write|forward @these? to? @me? again|anymore|ever|please|else|here|further|thanks* $|,|and|or|i|we|\
             im",
            "@text @me with|about @texts|these",
            "reach out|back|me|us",
            "hit @me up",
            "use|call me|us again|anymore|to|for|$|,|please",
            "use|call on|at? my|this|our @phone again|anymore|to|for|$|,|please",
            "@texting @please* @me",
            "sending @me? @det* @these? @det* @msg",
            "sending @these? to? @me",
            "contact|write with|to @me",
        ],
    ),
    ("neg", &["dont|never|not|wont|shouldnt|mustnt", "do|please no", "no please"]),
    (
        "want",
        &["want|wanted|wanna|wish|need|like|care|desire|wanting|wishing|looking|appreciate|require|afford|asked|ask|\
             accept|enjoy|use|take|do"],
    ),
    ("get", &["get|getting|receive|receiving|have|see|hear|seeing|hearing|be|recieve|accept"]),
    ("receive", &["get|getting|receive|receiving|see|seeing"]),
    // What turns a following part into its contrary.
    (
        "unwilling",
        &[
            "@neg|cant|cannot|didnt|no @please* @want for|about*",
            "no longer|more @want",
            "no longer @please* interested|keen|happy in|with|on|about",
            "no longer @please* interested|wish|wishing|want|need",
            "not @please* interested|keen in|on|about",
            "want|like|prefer|wish|love to not",
            "preference|wish|request|desire is not|no to? for?",
            "have|has|got|there|theres|with no @det* interest|desire|need|wish|use in|for|of",
            "i|we? have|had|ive|weve|already? asked|told|requested|begged you|u|yall|people|already|before|once|twice|\
             repeatedly|to* not|quit|stop",
            "rather|prefer|wish|ask|asked|told|requested|beg|begged|ordered|said|appreciate|happier|grateful|love|\
             obliged|like|great|nice you|u|it|if|i|we|that|would|could|to|be|were|people* not|didnt|dont|stopped|stop|\
             no|wouldnt",
            "no @det* interest|desire|need|wish|use in|for|of",
            "no @det* interest|desire|wish to",
            "object|objecting|refuse|refusing|decline to",
            "didnt|never|not|havent @please* ask|asked|sign|signed|agree|agreed|consent|consented|subscribe|subscribed|\
             request|requested|opt|opted|give|gave|authorize|authorized up|in|for|to|you|permission|my|consent|number*",
            "hate|despise|dislike|detest",
            "nobody|noone @please* @want|wants|needs|asked|likes for*",
            "cant|cannot stand",
            "tired|sick|annoyed|fed|bored|through|finished up? of|by|with|from",
            "had|have|heard @please* enough of|with|from",
        ],
    ),
    // Things that leave, and whence.
    (
        "law",
        &[
            "lawyer|attorney|attorneys|lawyers|sue|suing|lawsuit|complaint|fcc|ftc|tcpa|harassment|prosecute|solicitor",
            "legal action|action|proceedings",
        ],
    ),
    (
        "number",
        &["number|numbers|no|phone|cell|mobile|digits|name|info|information|details|contact|data|email|line|\
             telephone|cellphone|landline|account|records|contacts|profile|nr|personal"],
    ),
    (
        "leave",
        &["remove|take|delete|get|drop|strike|scratch|erase|pull|knock|wipe|unlist|purge|cut|cross|leave|keep|put|\
             removing|taking|deleting|dropping|getting|clear|scrub|exclude"],
    ),
    (
        "erase",
        &[
            "delete|erase|wipe|purge|remove|destroy|scrub|expunge|clear|lose|forget|ditch|bin|suppress|unregister|\
             deregister|unlist|unsubscribe|deactivate|unenroll|blacklist|trash|burn|deleting|removing",
            "throw|tear|toss|chuck|rip|get away|up|out|rid of?",
        ],
    ),
    ("left", &["removed|deleted|erased|unsubscribed|taken|struck|dropped|pulled|wiped|purged|scrubbed|cleared"]),
    (
        "list",
        &["list|lists|database|system|systems|file|files|records|directory|distribution|campaign|campaigns|books|\
             subscription|phonebook|register|rota|base|program|programme|thing|contacts|everything|thread|reminders|\
             texting|mailing|messaging|texts|messages|notifications|alerts|updates|sms|chain|chat|phone|phones|this|\
             here|it|system|service|text|contact|roster|account|marketing|rolodex|address|book"],
    ),
    (
        "person",
        &["number|person|phone|guy|lady|man|woman|one|recipient|girl|contact|bloke|company|people|party|individual|\
             no|nr|customer|client|place|dude|chick|business|cell|fella|somebody|someone|telephone"],
    ),
    (
        "lists",
        &[
            "@det* ~? @list",
            "@det* _? _? text|texts|message|messages|sms|alert|alerts|update|updates|notifications|\
         reminders|mailings|thread",
            "@det* call|calling|phone and|or text|texting|sms|message @list",
        ],
    ),
    (
        "wrong",
        &["wrong|incorrect @det* ~? number|person|phone|guy|lady|man|woman|recipient|girl|contact|company|bloke|no|\
             nr|customer|client|dude|chick|fella|party|mobile|cell"],
    ),
    // The same in French.
    (
        "enlever",
        &["retirez|retirer|retire|enlevez|enlever|enleve|supprimez|supprimer|supprime|effacez|effacer|efface|rayez|\
             rayer|radiez|radier|otez"],
    ),
];
