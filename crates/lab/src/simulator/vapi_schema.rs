//! The field names that VAPI's published API allows in a request for a call. VAPI rejects a request that contains any
//! other name at any depth.

use serde_json::Value;

/// The allowed shape of a value.
#[derive(Clone, Copy)]
enum Shape {
    /// Any value: names that the client chooses, or a part of the API that the simulator does not implement.
    Free,
    /// An object that contains only these names.
    Object(&'static [(&'static str, Shape)]),
    /// A list of values of this shape.
    List(&'static Shape),
}

use Shape::{Free, List, Object};

macro_rules! names {
    ($($name:literal $(: $shape:expr)?),* $(,)?) => { Object(&[$(($name, names!(@ $($shape)?))),*]) };
    (@) => { Free };
    (@ $shape:expr) => { $shape };
}

const SERVER: Shape = names![
    "url", "headers", "credentialId", "timeoutSeconds", "staticIpAddressesEnabled", "encryptedPaths",
    "backoffPlan": names!["type", "maxRetries", "baseDelaySeconds", "excludedStatusCodes"],
];

const OVERRIDES: Shape = names![
    "transcriber", "model", "voice", "firstMessage", "firstMessageInterruptionsEnabled", "firstMessageMode",
    "voicemailDetection", "clientMessages", "serverMessages", "maxDurationSeconds", "backgroundSound",
    "modelOutputInMessagesEnabled", "transportConfigurations", "observabilityPlan", "credentials", "hooks",
    "tools:append", "variableValues", "name", "voicemailMessage", "endCallMessage", "endCallPhrases", "metadata",
    "credentialIds", "server": SERVER,
    "analysisPlan": names![
        "minMessagesThreshold", "summaryPlan", "structuredDataPlan", "structuredDataMultiPlan", "successEvaluationPlan",
        "outcomeIds",
    ],
    "artifactPlan": names![
        "recordingEnabled", "recordingFormat", "recordingUseCustomStorageEnabled", "videoRecordingEnabled",
        "fullMessageHistoryEnabled", "pcapEnabled", "pcapS3PathPrefix", "pcapUseCustomStorageEnabled", "loggingEnabled",
        "loggingUseCustomStorageEnabled", "transcriptPlan", "recordingPath", "structuredOutputIds", "structuredOutputs",
        "scorecardIds", "scorecards", "loggingPath",
    ],
    "startSpeakingPlan": names![
        "waitSeconds", "smartEndpointingEnabled", "smartEndpointingPlan", "customEndpointingRules",
        "transcriptionEndpointingPlan",
    ],
    "stopSpeakingPlan": names![
        "numWords", "voiceSeconds", "backoffSeconds", "acknowledgementPhrases", "interruptionPhrases",
    ],
    "monitorPlan": names![
        "listenEnabled", "listenAuthenticationEnabled", "controlEnabled", "controlAuthenticationEnabled", "monitorIds",
    ],
    "compliancePlan": names!["hipaaEnabled", "pciEnabled", "securityFilterPlan", "recordingConsentPlan"],
    "keypadInputPlan": names!["enabled", "timeoutSeconds", "delimiters"],
    "backgroundSpeechDenoisingPlan": names!["smartDenoisingPlan", "fourierDenoisingPlan"],
];

const CUSTOMER: Shape = names![
    "numberE164CheckEnabled", "extension", "assistantOverrides": OVERRIDES, "squadOverrides": OVERRIDES, "number",
    "sipUri", "name", "email", "externalId",
];

const CALL: Shape = names![
    "assistantVersion", "squadVersion", "transport", "customers": List(&CUSTOMER), "name",
    "schedulePlan": names!["earliestAt", "latestAt"], "assistantId", "assistant", "assistantOverrides": OVERRIDES,
    "squadId", "squad", "squadOverrides": OVERRIDES, "workflowId", "workflow", "workflowOverrides", "phoneNumberId",
    "phoneNumber", "customerId", "customer": CUSTOMER,
];

/// Returns VAPI's error messages about unknown names in a request for a call.
pub(super) fn unknown_names(call: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    look(call, CALL, "", &mut unknown);
    unknown
}

fn look(value: &Value, shape: Shape, path: &str, unknown: &mut Vec<String>) {
    match (shape, value) {
        (Object(names), Value::Object(object)) => {
            for (name, inner) in object {
                match names.iter().find(|(known, _)| known == name) {
                    Some((_, shape)) => look(inner, *shape, &format!("{path}{name}."), unknown),
                    None => unknown.push(format!("{path}property {name} should not exist")),
                }
            }
        }
        (List(shape), Value::Array(list)) => {
            for (at, inner) in list.iter().enumerate() {
                look(inner, *shape, &format!("{path}{at}."), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_names_are_found_at_every_depth() {
        let call = json!({
            "metadata": {}, "customer": {"number": "+14155550177", "phone": 1},
            "assistantOverrides": {"metadata": {"anything": {"goes": 1}}, "server": {"url": "u", "secret": "s",
                "headers": {"X-Anything": "v"}, "backoffPlan": {"type": "fixed", "retries": 3}}},
            "customers": [{"number": "+14155550177"}, {"nummer": 1}],
        });
        assert_eq!(
            unknown_names(&call),
            [
                "assistantOverrides.server.backoffPlan.property retries should not exist",
                "assistantOverrides.server.property secret should not exist",
                "customer.property phone should not exist",
                "customers.1.property nummer should not exist",
                "property metadata should not exist",
            ]
        );
    }
}
