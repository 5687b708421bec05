//! Texts as Twilio delivers them.

use nightshift_lab::simulator::TwilioAccount;
use nightshift_providers::twilio::signature::sign_form;

/// A text that somebody sent.
#[derive(Debug, Clone, Copy)]
pub struct InboundText<'a> {
    pub sid: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub body: &'a str,
}

/// The signed request by which Twilio delivers a text to the program at `base`.
pub fn deliver(http: &reqwest::Client, base: &str, text: InboundText<'_>) -> reqwest::RequestBuilder {
    let url = format!("{base}/api/twilio/inbound");
    let InboundText { sid, from, to, body } = text;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("MessageSid", sid), ("From", from), ("To", to), ("Body", body), ("NumMedia", "0")])
        .finish();
    let signature = sign_form(&TwilioAccount::default().auth_token, &url, form.as_bytes());
    http.post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(form)
}
