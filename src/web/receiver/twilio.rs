//! What Twilio's webhooks have in common: the signature over the URL and the form.

use nightshift_providers::SignatureError;
use nightshift_providers::twilio::signature::{HEADER, Keys, SETTINGS_HEADER, Signed, verify};

use super::{Incoming, Secrets};
use crate::web::state::Web;

/// The media type of the forms that Twilio posts.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Checks that Twilio sent this request.
pub fn verify_signature(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
    let keys = Keys { auth_tokens: secrets.twilio_tokens.to_vec(), shared_keys: secrets.twilio_shared_keys.to_vec() };
    // Twilio signs the URL that it was given, which is the public one.
    let tail = incoming.uri.path_and_query().map_or("/", |tail| tail.as_str());
    let signed = Signed {
        url: &format!("{}{tail}", web.public_url),
        body: &incoming.body,
        signature: incoming.header(HEADER),
        settings: incoming.header(SETTINGS_HEADER),
    };
    verify(&keys, &signed)
}
