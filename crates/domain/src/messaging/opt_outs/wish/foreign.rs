//! The wish in other languages: Spanish and French, and the usual forms in German, Portuguese and Italian. Words are
//! without accents and apostrophes: `m'écrire` is `mecrire`.

use super::phrase::{Phrase, phrase};

pub(super) const PHRASES: &[Phrase] = &[
    // Spanish.
    phrase(
        "no me mandes|manden|mande|envies|envien|envie|escribas|escriban|escriba|contactes|contacten|contacte|textees|\
         texteen|textee|molestes|molesten|moleste",
    ),
    phrase("no mandes|manden|mande|envies|envien|envie|escriban|escribas|contacten mas|mensajes|textos|sms|ya|$"),
    phrase(
        "deja|dejen|deje|dejar|dejenme|paren|pare|para|parar de mandar|enviar|escribir|textear|contactar|molestar|\
         mandarme|enviarme|escribirme|textearme|contactarme|molestarme|molestarnos|escribirnos|mandarnos",
    ),
    phrase(
        "no quiero|deseo|queremos mas|recibir|sus|estos|tus|que|los* mensajes|textos|sms|escriban|manden|envien|\
         contacten",
    ),
    phrase("ya no quiero|deseo|queremos mas|recibir|sus|estos|tus|los* mensajes|textos|sms|nada"),
    phrase("no mas mensajes|textos|sms"),
    phrase("^ no mas $|por|gracias"),
    phrase(
        "basta|alto|paren|pare|para|parar|detengan|cancelen|cancelar|suspendan|suspender de|con|a* los|estos|sus|\
         tantos|los|tus* mensajes|textos|sms",
    ),
    phrase(
        "quitame|quiteme|quitenme|sacame|saqueme|saquenme|borrame|borreme|borrenme|eliminame|elimineme|eliminenme|\
         quitar|sacar de|mi la|su|esta|tu|numero lista|base|sistema|de|contactos|registros",
    ),
    phrase(
        "borra|borre|borren|elimina|elimine|eliminen|quita|quite|quiten|saca|saquen mi|este numero|telefono|contacto",
    ),
    phrase("dame|denme|deme|darme|darse|dar de baja"),
    phrase("cancelar|cancelen|cancela|cancele mi|la* suscripcion"),
    phrase("dejame|dejeme|dejenme en paz|tranquilo|tranquila"),
    phrase("numero|telefono equivocado|incorrecto|erroneo"),
    phrase("equivocado|equivocada|equivoco|equivocaste de numero|persona"),
    phrase("este|ya no es|era el|su|mi* numero|telefono de"),
    phrase("olvida|olvide|olviden|olvidense de? mi|este numero"),
    phrase(
        "no autorizo|autorice|di|doy permiso|consentimiento|que|a|para|mi* mensajes|textos|contacten|escriban|mandar|\
         enviar",
    ),
    phrase("no me vuelvas|vuelva|vuelvan a escribir|mandar|contactar|textear|enviar|molestar"),
    phrase("dejar|dejen|deje de recibir|mensajear|mensajearme"),
    // French.
    phrase(
        "arretez|arrete|arreter|cessez|cesse|cesser|stop|stoppez de|d me|nous|mes* menvoyer|mecrire|denvoyer|decrire|\
         envoyer|ecrire|contacter|texter|spammer|harceler|deranger|solliciter|importuner",
    ),
    phrase(
        "arretez|arrete|arreter|cessez|stop|stoppez|annulez|suspendez|plus|assez aux|avec|ces|les|vos|tous|tes|de|d|\
         aucun* messages|message|textos|texto|sms|notifications|rappels",
    ),
    phrase(
        "ne|plus|pas|me|nous* contactez|contacte|recontactez|textez|derangez|menvoyez|menvoie|mecrivez|mecris|ecrivez \
         plus|jamais",
    ),
    phrase("ne|plus|merci|de* pas|plus|ne* me|nous* contacter|recontacter|menvoyer|mecrire|deranger plus|de|merci|svp"),
    phrase(
        "veux|veut|voulons|souhaite|souhaitons|desire|desirons plus|pas recevoir|etre|de|des|vos|ces|tes|aucun|avoir* \
         messages|message|textos|sms|contacte|contactee|contactes|notifications|rappels",
    ),
    phrase("@enlever moi|nous de|du|des|votre|vos|la|cette|ta* liste|listes|base|fichier|fichiers|contacts|systeme"),
    phrase("me|nous @enlever de|du|des|votre|vos|la|cette|ta* liste|listes|base|fichier|fichiers|contacts|systeme"),
    phrase("@enlever mon|ce|notre|mes|nos numero|nom|coordonnees|donnees|contact|telephone"),
    phrase("desabonnez|desabonner|desabonne|desinscrire|desinscrivez|desinscris|desinscription|desabonnement"),
    phrase("mauvais|faux numero|destinataire"),
    phrase("erreur|trompez|trompe|trompes de numero|personne|destinataire"),
    phrase("laissez|laisse|fichez|foutez moi|nous tranquille|tranquilles|la|paix"),
    // German.
    phrase("keine|nie @det* weiteren|deine|ihre|solche* nachrichten|nachricht|sms|texte mehr|$|bitte|senden|schicken"),
    phrase("nicht|nie mehr|wieder schreiben|anschreiben|kontaktieren|melden"),
    phrase("falsche|falschen nummer|person|empfaenger"),
    phrase("nummer loschen|entfernen"),
    phrase("loschen|entfernen sie|bitte|du* meine|diese nummer"),
    // Portuguese.
    phrase("nao quero|desejo|queremos mais|receber|suas|essas|estas|as* mensagens|mensagem|sms"),
    phrase("pare|parem|parar|deixe|deixem de|me|por|favor* mandar|enviar|escrever|mensagens|contactar"),
    phrase("nao me mande|mandem|envie|enviem|escreva|escrevam|contacte|contactem"),
    phrase("numero|pessoa errado|errada"),
    // Italian.
    phrase(
        "non mandatemi|mandarmi|mandate|inviatemi|inviarmi|scrivetemi|scrivermi|contattatemi|contattarmi piu|messaggi|\
         sms",
    ),
    phrase("non voglio|vogliamo|desidero piu|ricevere|vostri|i|questi* messaggi|sms"),
    phrase("basta|smettete|smettetela|smettila di|con|i|questi* messaggi|sms|scrivermi|mandarmi|inviarmi"),
    phrase("numero|persona sbagliato|sbagliata"),
];
