//! Classes of words that patterns name.

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
        "texting" => "texting messaging contacting spamming soliciting smsing pinging",
        "bothering" => {
            "bothering harassing pestering bugging annoying hounding hassling disturbing stalking bombarding badgering nagging irritating"
        }
        "text" => "text message contact txt sms bother spam pester solicit disturb dm hassle harass ping notify hmu",
        "stop" => "stop quit cease halt discontinue",
        // Words between a verb and what it is about.
        "small" => {
            "the these those this that all any of your my me us such with more please so many further other ur kind \
             silly stupid damn fucking bloody darn annoying constant endless daily automated unwanted random sort \
             freaking unsolicited types anymore kinds future robo auto automatic bot text sms phone telephone mobile"
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
        // Words that begin something else.
        "else" => {
            ", and by at in if when once until till read check see off over for but or while before after wait waiting walk \
             walks group class guest party monday tuesday wednesday thursday friday saturday sunday my his her schedule \
             calendar missing without so sam max forget worrying apologizing being about why how what who where here there emergency waiting pickup"
        }
        "erase" => "delete erase wipe purge remove destroy scrub expunge clear",
        // The same in French.
        "enlever" => {
            "retirez retirer retire enlevez enlever enleve supprimez supprimer supprime effacez effacer efface rayez rayer \
             radiez radier otez"
        }
        "unwilling" => "dont didnt never wont not cant cannot shouldnt wouldnt",
        "want" => "want wanna wish need like care desire wanting wishing looking",
        "get" => "get getting receive receiving have see hear seeing hearing be",
        _ => "",
    }
}
