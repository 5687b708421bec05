//! The wish in the words of the law: consent that is taken back, data that are to be erased.

use super::phrase::{Phrase, firm, phrase};

pub(super) const PHRASES: &[Phrase] = &[
    firm("no longer have|has|given|give|gave|@me? my|our? consent|permission|authorization"),
    firm("consent|permission to @text @det* is|has|been|was|hereby|now* revoked|withdrawn|rescinded|denied"),
    firm(
        "@neg|didnt|havent|never have|give|gave|given|had|got|hold @det* consent|permission|authorization|right $|from|\
         ,|anymore",
    ),
    firm(
        "@neg|didnt|havent|never have|give|gave|given|had|got|hold @det* consent|permission|authorization|right to|for \
         @text|@texts|@texting|send|call|contact",
    ),
    phrase(
        "@neg|didnt @please* authorize|authorise|permit|allow|consent|agree you|u|to|being|be|receiving|receive|get|\
         getting|for|any|this* @texts|@text|@texting|@texted|send|this $|@end|@me",
    ),
    firm("consent|permission is|was|has|been|hereby|now* withdrawn|revoked|rescinded"),
    phrase("@law _* _* texts|messages|message|texting|messaging|contacting|spamming|spam"),
    phrase("texts|messages|texting|messaging|contacting|spamming|spam _* _* @law"),
    phrase("@law _* if|unless you|u|i|this @please* @text|@texting|continue|keep|get|hear|contact|stop"),
    firm("without @det* consent|permission ~* @text|@texting"),
    firm("have|has|got no right|permission|consent|business|authority to|for @text|@texting|send|contact|be"),
    firm("withdraw|withdrawing|revoke|revoking|rescind|cancel @det* consent"),
    firm("withdraw|withdrawing|revoke|revoking|rescind|cancel @det* permission|authorization $|,|for|and|immediately"),
    firm(
        "withdraw|withdrawing|revoke|revoking|rescind|cancel @det* permission|authorization to|for you|be|get|receive* \
         @text|@texts|@texted|send|call",
    ),
    firm("no consent|permission was|is|has|been|ever* given|granted|to"),
    firm(
        "unauthorized|unauthorised|unsolicited|unlawful|illegal @det* texts|messages|contact|communications|\
         communication",
    ),
    firm(
        "texts|messages|texting|messaging|contacting|texted|contacted|messaged me|us|this|my|number* without @det* \
         consent|permission|authorization",
    ),
    phrase("under|per|violates|violating|violation of? the? gdpr|tcpa|ccpa|pecr|law"),
    phrase("right to be? forgotten|erasure|object|optout"),
    phrase("object|objecting to my @det* ~? being used|processed|stored|kept"),
    firm("object|objecting to @det* processing|use|contact|texts|messages|being|you|receiving"),
    phrase(
        "@erase @det* my|our|personal personal|contact|client|customer? data|information|info|details|records|file|\
         profile $|,|and|from|please|now|thanks|immediately|asap|under|you|at",
    ),
    phrase(
        "@erase any|all|everything|whatever|the @det* personal? data|information|info|details|records? you have|hold|\
         keep|on|about* me|us|$",
    ),
    // A list of those who are not to be called.
    phrase("do|dont not? @text|call|contact|disturb list|registry|register $|,|and|so|please|now"),
    phrase("registered|listed|register|list with|on|of the? tps|ctps"),
    phrase(
        "any|all further|more|future @texts|texting|contact will|is|are|shall|would|considered|be* harassment|reported|\
         forwarded|legal|considered|treated|a",
    ),
    phrase(
        "request|demand|require|insist|ask|want that|you|the|to|immediate|a|an|my* removal|deletion|erasure|removing \
         of|from",
    ),
    phrase(
        "@stop|terminate|end any|all|your|further* correspondence|solicitation|outreach|communication|communications|\
         contact with|to|,|$|by|from|immediately|and|please|or",
    ),
];
