//! Texts of people who are the wrong ones: another person, a number that has a new owner, nobody that we know; and of
//! telephones that take no texts.

use super::phrase::{Phrase, firm, told};

pub(super) const PHRASES: &[Phrase] = &[
    // The wrong number. `The wrong number of treats` is none, and `I gave you the wrong number` tells a new one.
    told(
        "^ @lead* wrong|incorrect @det* number|phone|no|nr|cell|mobile $|@end|@stop|@leave|buddy|pal|bruh|lol|dont|\
         sorry",
    ),
    told("^ no|hi|hello|hey|i|think|,|please|um|uh* @wrong $|,|@stop|@leave|buddy|pal|bro|bruh|homie|dont|mate|dude"),
    told(
        "you|youve|youre|u|your|yall|they|must|think|reached|these|this|it|its|thats @please* are|have|got|dialed|\
         contacted|texted|reached|sent|texting|messaging|sending|going|been|a|mistake|this|these|it|them|is|was* to? \
         the|a|an? @wrong $|for|@end|@stop|@leave|buddy|pal|dont|again|dear|sorry",
    ),
    told("@texts are|is|keep|all|going|coming|sent|came|went|being* to|for the|a? @wrong"),
    told("new number|phone ,? im|i am? not|aint ~ $|,|and|please|anymore"),
    told("nobody|noone|one|anyone here called|named ~"),
    told(", wrong number|person|phone $|@end"),
    told("^ @lead* not me $|@stop"),
    told("have|got|had|has me|us confused|mixed|mistaken up? with|for"),
    told("mistaken identity"),
    told("dont have an|a|any account|appointment|booking with you|yall $|and|so|please|@stop"),
    told(
        "never|didnt|havent booked|made|had|used|ordered|book|make|have|use|order anything|an|a|any|appointment|\
         booking|account|business|service|services* with you|yall|u before? $|and|so|please|@stop|@leave|@erase",
    ),
    told("this|im|i is|am? not|isnt|aint the? homeowner $|,|@stop|please"),
    told("hasnt|havent had|used|owned this @phone"),
    told("^ @lead* @texting the|a? @wrong"),
    told("mistake|error with|of|in|about the|my|this? number|person|phone"),
    told("reached ~* by|in mistake|error"),
    told("not the right|correct number|person|phone|contact"),
    // A number that belongs to somebody else. `My` is left out: who says so has a new one.
    told(
        "this|it|its|that|number|thats is? not|no|isnt|aint|wasnt|never longer|the* her|his|their|~ ~? number|phone|\
         cell|mobile anymore|$|,|please|and|so|now|dont|@stop",
    ),
    told(
        "this|it|that|number is? not|isnt|aint|no longer? the? number|phone of|for ~ $|,|please|anymore|any|and|so|\
         dont|@stop",
    ),
    told(
        "doesnt|dont|longer have|has|use|uses|own|owns|at|on|with this|the number|phone|cell anymore|any|$|,|please|\
         now|so|and",
    ),
    told("isnt|aint|not|longer at|on|with this number|phone|cell"),
    told("number|phone has|does|no|longer|doesnt|dont* belongs|belong|belonged to"),
    told(
        "number|phone now|has|does|no|longer|doesnt* belongs|belong|belonged to someone|somebody|me|a|another|\
         different",
    ),
    told("number|phone has|was|been|is|got|just* reassigned|recycled|transferred"),
    told("number has? changed hands|owners"),
    told("new|different|current owner|holder|user of this|the number|phone"),
    told("had this number for|since|only|a|years"),
    told("got|had|have this|the new|phone? number|phone ~* ago|not|years|since|keep|months"),
    // Nobody of that name.
    told("nobody|noone|no|one|anyone|person|someone* by|called|named that|this|~* name here|at|lives|on|,|$"),
    told("nobody|noone|one|anyone|anybody|any|no|person called|named ~ here|at|lives|on|,|$"),
    firm("no ~ at|on|with this number|phone"),
    told(
        "not|isnt|arent the? person|one|guy|owner|customer|client|who youre|you|your|u|that|were|are|i* looking|want|\
         need|trying|after|think|seeking|am",
    ),
    told("your|youre|you are? looking for someone|somebody else"),
    told(
        "i|im|we|were|am|are|arent @please* not|no|never|arent longer|been? @det* customer|customers|client|clients|\
         member|patient",
    ),
    told("have|has? no @det* account|appointment|business with you|u|yall|your"),
    told("dont know anyone|anybody|any|no ~? called|named|by|with|$|,"),
    told("dont|no know|idea|clue who|what|you|u|any|anyone|this|how ~* @stop|remove|delete|dont|leave|lose|wrong"),
    told("dont know who you|u are|r $|,|please"),
    told("dont know you|u $"),
    told("@neg @please* own|have a|any|even* dog|dogs|cat|pet|pets|animals $|,|and|or|so|please|@stop|wrong"),
    told("^ i|we dont|didnt|never own|owned ~ $|,|and|anymore|so"),
    told(
        "^ @lead* this|its|that|it is? a|an private|personal number|phone|line|cell|mobile $|,|and|not|please|so|dont|\
         @stop",
    ),
    told("not a number|phone|line for|to @texts|text|texting"),
    // Texts for somebody else.
    told(
        "^ @lead* not|dont|no|sure|know|who|what* this|that|is|was|meant|intended|for* but|and|,* it|this|that|thats \
         isnt|aint|not me $|@end",
    ),
    firm("my number|name|phone is|was|got|ended on|in|up|put* your ~? list|lists|system|database"),
    told("this mobile|phone|number|line|cell is? no|not longer"),
    told("confusing|mistaking|mistaken|confused|mistake me|us with|for someone|somebody|another"),
    told(
        "@texts|these|this|they|it is|are|was|were|must|be|not|clearly|probably|not* meant|intended|for for? someone|\
         somebody|another|~ else|person|than",
    ),
    told("^ @lead* this|these isnt|arent|not for me|us $|@end|@stop"),
    told("@texts|these ~? isnt|arent|not|are|is* for me|us $|@end|@stop"),
    told("texting|messaging a deceased|dead|wrong|child|kid|minor|stranger|hospital|doctor|bakery|landline"),
    told("getting|receiving|sending|get|got someone|somebody elses @det* @msg"),
    // Telephones that take no texts.
    firm(
        "^ hi|hello|hey|sorry|fyi|,|please|be|advised|note|just|that|so|you|know|dear|sir|no|i|im|excuse|me* this|its|\
         thats|it|number is|number|phone* only|just? a|an? @det* ~? landline|fax|pager line|machine? $|,|and|dear|so|\
         not|dont|please",
    ),
    told(
        "this|it|number|line|phone|office|company|business|firm|desk|house @neg|cant|cannot|doesnt|isnt|must accept|\
         take|receive|get|read|support|do|send|handle|not* @texts",
    ),
    told("dont|cant|cannot|doesnt accept|do|receive|get|take @det* @texts at|on|to @det* @phone"),
    told("this|my|our|the ~? number|line|phone|cell is|for|of|a|my* not monitored|work|business"),
    told("^ @lead* landline $|,"),
    // Somebody who is no more, or somebody else's number.
    told("dont include|add|put me|us|my|this number? in|on|to"),
];
