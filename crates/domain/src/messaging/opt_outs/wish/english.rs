//! How people say in English that they want no more texts.
//!
//! A wish is a verb that ends or refuses, what is sent, and who gets it; or a number and what it leaves; or the word for
//! it. The parts are in [`super::rules`].

use super::phrase::{Phrase, firm, phrase, told};

/// A number, and what is to be done with it, in one sentence or in two: `Who gave you my number? Delete it.`
pub(super) const OF_NUMBER: &[Phrase] = &[
    firm(
        "my|this|our|wrong|new @det* number|phone|contact ~? ~? ~? ,|but|and|so? @please* @erase|remove it|that $|@end|\
         from",
    ),
    firm("my|this|our|wrong|new @det* number|phone|contact ~? ~? ~? ,|but|and|so? @please* @leave it off|out"),
    firm(
        "my|this|our|wrong|new @det* number|phone|contact ~? ~? ~? ,|but|and|so? @please* @neg @will* use|text|contact|\
         call it $|again|anymore|ever",
    ),
];

pub(super) const PHRASES: &[Phrase] = &[
    // Something ends that is sent. It is named, because a walk and a barking dog are to stop too.
    phrase("@stop @please* @sending"),
    phrase("@stop|end|kill|cancel|disable|block|deactivate|pause|mute|suspend|terminate @please* @texts @me?"),
    phrase("turn|switch|shut off|down @texts"),
    phrase("turn|switch|shut @texts off @me?"),
    phrase("these|@texts go|going|keep|kept _* _* , @please* turn|switch|shut them off"),
    phrase("make @please* @texts|these|this|those|them stop|end $|@end"),
    phrase("been? texts|@texting _* , @please* make|knock|cut|quit|give it stop|off|out|up? $"),
    phrase("make|ensure|be|see|sure sure? to? that? i|we|me dont @get @texts|@these"),
    phrase("make|ensure|be|see sure? that? i|we|me dont @get @det* of these|this|those"),
    phrase("^ @lead* @text @me again|once|one|more|time* and|ill|im|or"),
    phrase("@texts|texting @det* must|should|has|have|need|needs|got to? stop|end|cease"),
    phrase("when|will|do|can|why @texts ever? stop|end|cease $|@end"),
    phrase("when|why will|do|can|are|dont @texts ever? stop|end|cease $|@end"),
    phrase("@texts , @please* i|we dont want|like|need $|@end|it|them"),
    phrase("^ @lead* off the|your|this @det* list|lists please|$|now"),
    phrase("^ @lead* end this|these|it $"),
    phrase("^ @lead* not anymore please|thanks"),
    phrase("@texts are|is? not|no|arent|isnt longer? wanted|welcome|needed|required $|@end"),
    phrase("@want @texts to stop|end|cease"),
    phrase(
        "@want|happy|happier|glad|grateful|great|nice|love|prefer|thankful|obliged it|very|much* if|that|when? @texts|\
         texting|these @please* stopped|ended|ceased",
    ),
    phrase("^ @lead* for the? love|sake of? ~? sake? ,? @please* @stop @these? $|@end"),
    phrase(
        "@unwilling @please* for|of|with* @det* contact $|,|from|again|please|anymore|and|thanks|by|at|ever|whatsoever|\
         or",
    ),
    phrase(
        "@unwilling @please* to? @get? them|these|it|this|that? or? anything|nothing else|more|further? from you|u|\
         your|this|yall",
    ),
    phrase("^ @lead* these|this|it must|has|have|need|needs|got to? stop|end|cease $"),
    phrase(
        "how|way ~? to|i|you|we|one|for|it|me|do|does|can|could|u|the|hell|fuck|heck|tf* @stop|end|turn @please* \
         @receive? these|this|them off? $|,",
    ),
    phrase("@stop @receive these|those|this|them|your|@texts"),
    phrase("@stop ~* texts|messages|texting|messaging|sms|spam"),
    phrase("@neg @will|waste|spend|your|time|energy|breath* @texting me|us"),
    phrase("@texts ~* driving|making|drive|drives|make me|us nuts|crazy|mad|insane|sick|angry"),
    phrase("save your @det* @msg"),
    phrase("^ @lead* stop doing this $"),
    phrase("you|u|yall people|guys* ever stop $"),
    phrase(", stop these|those|this $"),
    phrase("_ please stop $"),
    phrase("^ @lead* turn|shut|switch these off $"),
    phrase("can|could these|this @please* be @please* stopped|turned off? $|@end"),
    phrase("please|kindly discontinue|desist|cease|refrain $|,|now|immediately|thanks"),
    // Something is refused that is sent. Who sends it or who gets it is named, because treats are refused too.
    phrase(", please|kindly|just stop them|it|this|these|that? $"),
    phrase("^ @lead* stop please* , @lead* wrong|not|no|who|this"),
    phrase("^ @lead* stop this|your|the service $|@end"),
    firm("why am|do i|we still|keep getting|receiving|get|receive @texts|@these"),
    phrase("^ @lead* not another|one @det* @msg $|please|ever|from"),
    phrase("@texts are|is @please* too much|many|frequent|often"),
    phrase("@unwilling @please* to? be|stay in|on|part of? @det* list|lists|group|chat|text|texts|thread"),
    phrase("can|could|may i|we please? not @receive @texts|these"),
    phrase("cant|cannot stop|end|escape @texts"),
    phrase("you|u|yall|people|guys @please* need|have|got|gotta|must to? stop $|,|now|please"),
    phrase("that @texts|contact|correspondence cease|stop|end|be"),
    phrase("@neg @will* send|sending @me? @det* of? these|those"),
    phrase("that|if you|u|yall no longer|more|not @will* @send"),
    phrase("no more|further @sending"),
    phrase("@neg @will* @text my|our|this ~ again|anymore|ever"),
    phrase("@neg @will* send|write|text @me? any|more|another of? @these? $|@end"),
    phrase("not|isnt|never ok|okay|allowed|permitted|welcome to @text @me"),
    phrase("never|didnt subscribed|subscribe|signed|sign|registered|register up? $|,|please|and|so"),
    phrase("@neg @will* @send"),
    phrase("no need|reason|point to|in|for|you* send @me? @det* @msg"),
    phrase("no need|reason to|in|for|you* keep @texting|sending"),
    phrase("you|u|yall dont need|have to|keep* @send again|anymore|ever"),
    phrase(
        "^ @lead* no|zero @det* texts|text|messages|message|sms|texting|spam|contact|communication|communications|\
         notifications|promos|promo|promotions|marketing|ads|advertising $|please|thanks|ta|anymore|here",
    ),
    phrase("^ @lead* no @det* texts|text|messages|message|sms at all $|,|please|thanks|anymore|ever"),
    phrase("^ @lead* no @det* texts|text|messages|message|sms ,? ever|period|whatsoever"),
    phrase(", @please* no @det* texts|text|messages|message|sms|texting|spam please|$"),
    phrase("no soliciting|solicitation|solicitations"),
    phrase("^ @lead* no more $|please|,"),
    phrase("enough @det* @msg"),
    phrase("enough @please* already? is|of|,|with* enough? with|of @texts|texting"),
    phrase("@unwilling @please* for|of|with* @det* @msg"),
    phrase("@unwilling @please* to? @get @texts"),
    phrase("@unwilling @please* to? be|get|being @texted|on"),
    phrase("@unwilling @please* to? hear|hearing from you|yall|your|u"),
    phrase(
        "@unwilling @please* you|u|yall|anyone|anybody|them|your|strangers|business|company|people* to? @text|@texting|\
         @texted @me",
    ),
    phrase("@unwilling @please* to? @get? @det* of? these|this|those|them|any $|anymore|,|from|at"),
    phrase(
        "@texts|these|this|texting @det* is|are|r|not|so|really|very|getting|becoming|unwanted|for* annoying|\
         harassment|harassing|unwanted|unwelcome|intrusive|invasive|upsetting|distressing|excessive|inappropriate|\
         irritating|unsolicited|disturbing",
    ),
    phrase("unwanted|unsolicited @texts"),
    phrase("to not @receive @texts|these|them"),
    phrase("^ @lead* dont want $"),
    phrase("too|so many fucking|damn|bloody* texts|messages|sms $|,|please|stop|from|per|a|every|day"),
    phrase("you @text @me? too|way much|often $|,|please|and|so|i"),
    phrase(
        "keep|keeps|kept|still|why|tired|always @please* getting|receiving|get|receive @me? @det* @these? @det* @msg",
    ),
    phrase(
        "^ @lead* you|u|they|your|yall are? keep|keeps|kept|still @please* sending|texting|messaging @me @these? $|\
         @end",
    ),
    phrase("why|and|but|because|, you|u|yall|they still? keep|keeps|kept @texting|sending $|@end"),
    phrase(
        "why am|im|do|are i|we|you|yall|people|still|keep|always|even|guys|u* @texting|text|message|getting|receiving|\
         sending me|us|this|these|those|your",
    ),
    phrase(
        "charge|charges|charged|pay|paying|costs|cost @me? for? every|each|per|these|those|incoming text|texts|message|\
         messages|of",
    ),
    phrase("every|each|these|your text|texts|message|messages cost|costs|charge|charges @me"),
    phrase("if|unless you|u|yall|they @please* @text @me again|anymore|once|one"),
    firm("another|next|more|one text|message|txt and|, ill|i|we|im"),
    phrase("if i get|receive another|one|any|more* text|message"),
    phrase("im|i|am* good|alright|straight off|on|without @texts"),
    phrase("not to @receive @texts|these|them"),
    phrase("you|u @text @me _* one|more time|again and|im|ill|or"),
    phrase("^ enough already $"),
    phrase(
        "not|dont|no want|need|interested|buying|in* what|whatever|anything youre|you|u|your are? selling|offering|\
         pushing",
    ),
    told(
        "told|asked|telling you|u|people|guys|yall|already|all|before|twice* not|never to? @text|@texting|send|sending",
    ),
    // A number leaves a list, or a person does: collars, cards and visits leave too.
    told("get|getting|got|be|being off|removed|out from|of? this|your @lists"),
    phrase("how|can|could ~? i|we @please* be|get removed|taken|deleted|dropped|unsubscribed $|off|from|please"),
    phrase("let|count|get|take|keep|leave @me off|out|from of? @lists"),
    phrase("^ @lead* want|wanna off|out $|please|now"),
    phrase("@leave my|this|our|the|that @det* ~? number|numbers|phone|cell from|off your|the|ur ~"),
    phrase("@leave @please* me|us off|out and|from|or|already|so"),
    phrase("@leave @please* me|us off|from|form|of|out|outta of|from? @lists"),
    phrase("@leave @please* @det* ~? @number @number? off|from|of|out|outta of? @lists"),
    phrase("@leave @please* @det* @number @number? off|out $|please|,|now|thanks|asap"),
    phrase("@leave @please* me|us|it off|out $|please|,|now|thanks|already|immediately|asap|cheers"),
    phrase("@erase me|us off|from|out of? @det* @list"),
    phrase(
        "remove|delete|unlist|erase|unsubscribe|deregister|unregister|unenroll @please* me|us $|please|,|now|thanks|\
         immediately|asap|and|or",
    ),
    phrase(
        "@erase my|this|our|that @det* @number @number* $|please|,|now|thanks|asap|and|forever|immediately|at|cheers|\
         or|it|its|i|im|we|this|not|there|he|she|wrong|you|fr|rn|bro|lol|omg",
    ),
    phrase("@erase that? you ever? had|have my|this|our @number"),
    phrase("@want|like|see|get|have my|this|our|that @det* @number @number* be|is|to? @left"),
    phrase(
        "@want|like|ask|asking|wanted|get|getting|request|requesting|asked ~? to? be|get|getting? removed|deleted|\
         taken|unsubscribed|erased|dropped off|from|out|please|$|,",
    ),
    phrase("@want|like off|out of? @lists"),
    phrase("off|from|outta of? your|ur|ya @det* ~? list|lists|database"),
    phrase(
        "number|info|name|phone needs|need|has|have|should|must to? come off|out of? $|,|please|your|this|now|@lists",
    ),
    phrase("number|info|name|phone|we|i needs|need|has|have|should|must to? be? @left off|out|from|$"),
    phrase("number|name|phone shouldnt|doesnt|should|not* be|belong on|in your|this ~? @list"),
    phrase("why|how is|am|was|are|did my|i|we number|name|get|still* on|in your|this ~? @list"),
    phrase(
        "add|put|mark me|us|number|my|this|as|on|to|your|the|a* do|dont|no|not not? @text|call|contact|disturb list?",
    ),
    phrase("^ @lead* removal request $"),
    phrase("request|requesting|demand|requested|want @det* removal|deletion|erasure|optout $|from|please"),
    firm(
        "asked|told|requested|begged you|u|yall|people|guys|already* to? be? remove|removed|take|taken|delete|deleted|\
         unsubscribe|unsubscribed|strike @please* @me? off|out|from|$|,|last|and",
    ),
    phrase("^ @lead* remove|delete|take|drop|unsubscribe off|from|out of? @lists $|@end"),
    phrase("dnc"),
    phrase("@leave her|his|their number|numbers|phone|contact off|from|out"),
    // The words that carriers have taught people. Those who tell that they used them want what they asked for.
    phrase(
        "unsubscribe|unsubscription @please* $|,|me|us|this|now|thanks|lol|asap|number|and|or|these|it|here|rn|\
         instantly|right",
    ),
    phrase("unsubscribe from? @det* @list|@these|@texts"),
    phrase(
        "optout @please* of? @texts|texting|here|everything|it|this|these|them|your|all|$|,|now|thanks|sms|asap|from|\
         immediately|marketing|requested",
    ),
    phrase("opt|opting me|us|my|this @phone? out $|,|please|now|thanks|from|asap"),
    phrase("opt|opting me|us|my|this|our @phone? out of @texts|these|this|everything|all"),
    phrase("i|we have|had|already|just|am* opted out|optout"),
    firm("^ already opted|unsubscribed"),
    phrase("an|the optout $|word|option|link|keyword|code|number|message"),
    phrase("cancel|end|terminate|stop @det* subscription|service|membership|program to|for @texts"),
    phrase("replied|texted|sent|said|wrote|reply|replying stop"),
    phrase("^ text stop $"),
    phrase("have|must|got|need|times|i to? say|tell|text|repeat|write you? stop $|,|before"),
    phrase("stop means|mean|is stop"),
    phrase("fuck|screw|damn you|u|off|these|this|your and? @det* @texts|texting"),
    firm("trying|tried|try to @please* unsubscribe|optout"),
    phrase(
        "longer|not @please* interested|needed|wanted|required anymore? ,? @please* remove|stop|delete|unsubscribe $|\
         me|,|my|us|this",
    ),
    phrase("respect my|our|this|that|the wishes|wish|request|decision|privacy and|by|, @please* @stop"),
    phrase("youre|not|dont|never|wrong|@texting ~* , @please* stop $"),
    phrase("texting a _ year old"),
    phrase("^ @lead* unsubscribed $"),
    phrase("optout me|us"),
    phrase("optout my|this|our @phone"),
    phrase("i|ive|we have|had|already|just* unsubscribed $|,|already|three|many|several|twice|before|and|but|so"),
    phrase("understand|part of? stop"),
    // Somebody wants to be left in peace. Nobody says so who wants the next text.
    firm("^ @lead* leave me|us the? fuck|hell|heck* alone"),
    firm("please|just|now|and|,|or|but|you|u|yall|people|guys|cant|must to? leave me|us the? fuck|hell|heck* alone"),
    phrase("leave me|my|us phone|number|be|in alone|be|peace"),
    firm("fuck|piss|bugger|eff|sod|f off"),
    firm("buzz off"),
    firm("get off my phone|line|number"),
    firm("get|go lost|fuck|screw yourself|$"),
    firm("^ @lead* go away please|$|,|now|and|spammer|spam|scammer|creep|bot"),
    phrase("go @text someone|somebody|anyone else"),
    phrase("find|get|pick someone|somebody else to @text"),
    // Somebody calls it what it is, or says what they will do about it.
    phrase("cease and desist"),
    phrase("@texts are|is just|all|pure|so* spam|harassment|garbage|junk|crap"),
    phrase("why sending|texting|messaging @me"),
    firm("take a hike"),
    phrase("you|your|youre|ur|u are|will|have|been|be|getting|being|get* blocked|reported $|@end"),
    phrase(
        "ill|will|gonna|to|im|now just? report|block|reporting|blocking|blacklist you|u|this|ur|your $|number|@end|if|\
         next",
    ),
    phrase(
        "this|that|youre|you|these|consider|considered is|are|just|pure|clearly|this|a* spam|harassment|harassing|\
         spamming|scam|scammer|scammers $|,|stop|please|and|me|us|im|i",
    ),
    firm(
        "block|blocking|report|reporting you|u|this|your number? if|unless you|u|this|it|they dont? @please* @stop|\
         @texting|keep|@text",
    ),
    phrase("^ @lead* mute|block|blacklist me|my|us|this|our"),
    phrase("didnt|never give|gave|given you|u|yall|anyone my|this|our|the number"),
    phrase("^ @lead* stop , i|im|we dont|not|am|never|no"),
    firm(
        "asked|told|ask|begged|requested|telling|begging you|u|people|guys|yall|that|already* to|you? stop $|,|it|this|\
         and|now|already|please|before|these|texting|messaging",
    ),
    phrase("are|your|youre|keep|keeps|been blowing|lighting up? my phone up?"),
    phrase("you|youre|your are? @bothering @me"),
    phrase("@texts disturb|annoy|bother|wake|upset|irritate me|us|my|the"),
    phrase("@stop to? send|write|text|message @me"),
    phrase(
        "didnt|never|not @please* subscribe|sign|signed|subscribed|enroll|enrolled|join|joined to|up|for|in* @det* \
         service|list|program|texts",
    ),
    phrase("^ @lead* who|whoever are|is|you|this|ever|it|,|the|hell|please|and* @stop $|@end"),
    phrase("didnt|never|not opt|opted in $|@end|to|for"),
    phrase("@neg|didnt consent $|@end"),
    firm("not interested ,? @lead* @stop|remove|delete|@neg"),
    phrase("^ i|im|were|we|am|sorry|but|,* not interested $"),
    phrase("^ @lead* spam|scam|scammer|scammers $|,|bot"),
    phrase(
        "report|reporting|reported you|this|your|number|u|as|for|the* to? the? spam|fcc|ftc|carrier|ico|harassment|\
         police|authorities",
    ),
    phrase(
        "^ @lead* im|ill|going|gonna|about|to|am|be* block|blocking|blocked|reporting|report you|this|your|u number|\
         texts|if|now|$|,",
    ),
    phrase("blocked|reported|blocking|reporting|deleting|deleted and reported|blocked|reporting|blocking"),
    firm("have|need|going|about to block|report you|u|this|your number? $|,|and|if|or|as|to"),
    phrase("report|reported|reporting as? junk"),
];
