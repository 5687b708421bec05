//! Checks the carriers of texts: whether they accept the credentials, and whether OpenPhone knows the numbers that are
//! said to be its.

use nightshift_domain::messaging::numbers::{self, Number, SmsCarrier};
use nightshift_domain::phone::PhoneNumber;

use super::findings::Findings;
use crate::app::{openphone, twilio};
use crate::cli::open;
use crate::config::{Settings, SmsProvider};

pub(super) async fn check(settings: &Settings, findings: &mut Findings) {
    if settings.messaging.sms_provider == SmsProvider::Mock {
        // Reported with the settings.
        return;
    }
    check_twilio(settings, findings).await;
    check_openphone(settings, findings).await;
}

async fn check_twilio(settings: &Settings, findings: &mut Findings) {
    let checked = match twilio(settings) {
        // Reported with the settings.
        Ok(None) => return,
        Ok(Some(client)) => client.check().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match checked {
        Ok(()) => findings.good("sms", format_args!("{} answers and knows the account", settings.twilio.base_url)),
        Err(error) => {
            let advice = "check TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN (or the API key) and TWILIO_BASE_URL";
            findings.wrong("sms", format_args!("{}: {error}; {advice}", settings.twilio.base_url));
        }
    }
}

async fn check_openphone(settings: &Settings, findings: &mut Findings) {
    let ours = our_numbers(settings).await;
    let client = match openphone(settings) {
        Ok(Some(client)) => client,
        Ok(None) if ours.is_empty() => return,
        Ok(None) => {
            let count = ours.len();
            let sentence = format!("OPENPHONE_API_KEY is not set: texts of {count} OpenPhone numbers fail");
            return findings.wrong("sms", sentence);
        }
        Err(error) => return findings.wrong("sms", format_args!("{}: {error}", settings.openphone.base_url)),
    };
    let base_url = &settings.openphone.base_url;
    let theirs = match client.numbers().await {
        Ok(theirs) => theirs,
        Err(error) => {
            let advice = "check OPENPHONE_API_KEY and OPENPHONE_BASE_URL";
            return findings.wrong("sms", format_args!("{base_url}: {error}; {advice}"));
        }
    };
    findings.good("sms", format_args!("{base_url} answers and accepts the key"));
    let theirs: Vec<_> = theirs.iter().filter_map(|number| PhoneNumber::read(number, None).ok()).collect();
    let unknown: Vec<_> =
        ours.iter().filter(|ours| !theirs.contains(&ours.e164)).map(|ours| ours.id.as_str()).collect();
    if !unknown.is_empty() {
        let advice = "their texts are refused; correct the numbers, or use the key of their workspace";
        findings.wrong("sms", format_args!("OpenPhone does not know the numbers {}: {advice}", unknown.join(", ")));
    }
}

/// Returns our OpenPhone numbers, or none if the database can't be read, which is reported as a finding of its own.
async fn our_numbers(settings: &Settings) -> Vec<Number> {
    let Ok(db) = open::database(settings).await else { return Vec::new() };
    numbers::of_carrier(&db, SmsCarrier::Openphone).await.unwrap_or_default()
}
