//! The wish in the words of the law: consent that is taken back, data that are to be erased.

use super::phrase::{Phrase, firm, phrase};

pub(super) const PHRASES: &[Phrase] = &[
    firm(
        "not|no|never|arent longer? authorized|authorised|permitted|entitled|allowed|welcome to|anymore @text|send|call|use @me|this|my",
    ),
    firm("no longer have|has|given|give|gave|@me? my|our? consent|permission|authorization"),
    firm(
        "no longer consent|agree|consenting|authorize|authorise|permit to? @small* you|be|being|get|getting|receive|receiving|to* @texts|@texting|@text|texted|contacted|messaged",
    ),
    firm("consent|permission to @text @small* revoked|withdrawn|rescinded|denied"),
    firm("withdraw|withdrawing|revoke|revoking|rescind|cancel @small* permission|consent|authorization"),
    firm("no consent|permission was|is|has|been|ever* given|granted|to"),
    firm(
        "unauthorized|unauthorised|unsolicited|unlawful|illegal @small* texts|messages|contact|communications|communication",
    ),
    firm(
        "texts|messages|texting|messaging|contacting|texted|contacted|messaged me|us|this|my|number* without @small* consent|permission|authorization",
    ),
    phrase("gdpr|tcpa|ccpa|pecr ~* delete|erase|remove|stop|cease|erasure|deletion|violation|request|right"),
    phrase("under|per|violates|violating|violation of? the? gdpr|tcpa|ccpa|pecr|law"),
    phrase("right to be? forgotten|erasure|object|optout"),
    phrase("object|objecting to @small* processing|use|contact|texts|messages|being|you|receiving"),
    phrase(
        "@erase @small* my|our|personal personal|contact|client|customer? data|information|info|details|records|file|profile $|,|and|from|please|now|thanks|immediately|asap|under|you|at",
    ),
    phrase(
        "@erase any|all|everything|whatever|the @small* personal? data|information|info|details|records? you have|hold|keep|on|about* me|us|$",
    ),
    // A list of those who are not to be called.
    phrase("do|dont not? @text|call|contact|disturb list|registry|register $|,|and|so|please|now"),
    phrase("tps|ctps registered|register|list"),
    phrase(
        "any|all further|more|future @texts|texting|contact will|is|are|shall|would|considered|be* harassment|reported|forwarded|legal|considered|treated|a",
    ),
    phrase(
        "request|demand|require|insist|ask|want that|you|the|to|immediate|a|an|my* removal|deletion|erasure|removing of|from",
    ),
    phrase(
        "@stop|terminate|end any|all|your|further* correspondence|solicitation|outreach|communication|communications|contact with|to|,|$|by|from|immediately|and|please|or",
    ),
    phrase("no further|more|future contact|correspondence|communication|outreach|solicitation"),
];
