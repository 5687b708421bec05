//! Texts of people who are the wrong ones: another person, a number that has a new owner, nobody that we know.

use super::phrase::{Phrase, firm, phrase};

pub(super) const PHRASES: &[Phrase] = &[
    // `The wrong number of treats` is none, and `I gave you the wrong number` tells a new one.
    firm(
        "^ sorry|hi|hello|hey|,|i|think|this|is|its|the|a|uh|um|lol|bro|thats* wrong number|recipient|phone ,|sorry|mate|pal|here|please|dude|bro|man|lol|buddy|dear|thanks|stop|again|dont|im|@leave|$",
    ),
    firm(
        "you|youve|youre|u|ur|your|yall|they|must have|got|reached|dialed|contacted|texted|texting|messaging got? the|a wrong number|person|phone|guy|lady|man|woman $|,|again|dear|sorry|please|mate|here|stop|and|so|i|im|this|dont|buddy|pal|dude",
    ),
    firm("i|we dont have|own a|any dog|dogs|cat|pet , wrong number"),
    firm("texting|messaging|contacting|texted|messaged the|a wrong number|person|phone|guy|lady|man|woman|one"),
    firm("wrong number|person ~? @small* @stop|@leave|dont|never"),
    // Somebody has the number no longer. `My` is left out: who says so has a new one.
    firm(
        "this|it|that|number|phone isnt|aint|wasnt her|his|their|~ ~? number|phone|cell|mobile anymore|$|,|please|and|so|now|dont",
    ),
    firm(
        "this|its|it|that|number|phone is? not|no|never longer|been? her|his|their|~ ~? number|phone|cell|mobile anymore|$|,|please|and|so|now|dont",
    ),
    firm(
        "doesnt|dont|longer have|has|use|uses|own|owns|at|on|with this|the number|phone|cell anymore|any|$|,|no|please|now|so|and",
    ),
    firm(
        "number|phone now|has|does|no|longer|doesnt* belongs|belong|belonged to someone|somebody|me|a|another|different|him|her|them|that|~",
    ),
    firm("number|phone has|was|been|is|got|just* reassigned|recycled"),
    firm("new|different|current owner|holder|user of this|the number|phone"),
    firm("just|recently|only got|have|bought|received this new? number last|recently|,|yesterday|$|and|so|today|this"),
    firm("got this|the new|phone? number|phone last|recently|yesterday|new|this"),
    firm("had this number for|since|only|a|years"),
    // Nobody of that name.
    firm("nobody|noone|no|one|anyone|person* by|called|named that|this|~* name here|at|lives|on|,|$"),
    firm("nobody|noone|one|anyone|anybody|any|no|person called|named ~ here|at|lives|on|,|$"),
    firm("no ~ here ,|and|so|please|just* stop $"),
    firm("no ~ at|on|with this number|phone"),
    firm("no ~ here ,|and|so|please|just* wrong|remove|delete|dont|you|leave|lose"),
    firm(
        "not|isnt|arent the? person|one|guy|owner|customer|client youre|you|your|u|that|were|are* looking|want|need|trying|after|think|seeking",
    ),
    phrase("dont know anyone|anybody|any|a|no ~? called|named|by|with"),
    phrase("dont know who|you|any|anyone|this|what ~* ,|and|so @please* stop|remove|delete|dont|leave|lose"),
    phrase(
        "no idea|clue who|what this|you|that|is|are|or|these* ,|and|so|but @please* stop|remove|delete|dont|leave|lose",
    ),
    phrase("i|we dont|never own|owned a|any dog|dogs|cat|pet|pets|animals $|,|and|or|so|please"),
    phrase("who gave|sold you|u|yall my|this|our|the number"),
    // Somebody who is no more, or somebody else's number.
    phrase(
        "@leave her|his|our|their|the|moms|mums|dads|wifes|husbands|mothers|fathers @number @number? off|from|out of? your @small* @list",
    ),
    phrase(
        "not|no|longer|never a|your|been|longer* customer|customers|client|clients of|anymore|here|, ~* @stop|remove|delete|dont|lose|take",
    ),
    phrase("dont include|add|put me|us|my|this number? in|on|to"),
];
