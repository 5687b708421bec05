//! Every answer that a test sees is held against the published description of the HTTP interface: an address, a status
//! or a body that it does not describe fails the test.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// What the limits answer, wherever a request leads.
const TURNED_AWAY: [u16; 2] = [429, 503];

/// The description, and the validators that were needed so far.
struct Contract {
    document: Value,
    /// Schemas as the document has them, except that they allow no property that is not named.
    components: Value,
    validators: Mutex<HashMap<String, &'static Validator>>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let document = serde_json::to_value(nightshift::web::document()).expect("the document is JSON");
    let mut components = document["components"].clone();
    let mut composed = BTreeSet::new();
    find_composed(&components, &mut composed);
    for (name, schema) in components["schemas"].as_object_mut().expect("schemas") {
        if !composed.contains(name.as_str()) {
            tighten(schema);
        }
    }
    Contract { document, components, validators: Mutex::default() }
});

/// Names of schemas that are part of others by `allOf`: they can't know all properties of the whole.
fn find_composed(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for part in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                let name = part["$ref"].as_str().and_then(|name| name.rsplit('/').next());
                found.extend(name.map(str::to_owned));
            }
            fields.values().for_each(|field| find_composed(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find_composed(item, found)),
        _ => {}
    }
}

fn tighten(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if fields.contains_key("allOf") {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
        return;
    }
    if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
        fields.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(tighten);
    }
    fields.get_mut("items").into_iter().for_each(tighten);
    for several in ["oneOf", "anyOf"] {
        fields.get_mut(several).and_then(Value::as_array_mut).into_iter().flatten().for_each(tighten);
    }
}

/// Fails the test unless the description knows this answer.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let (status, media_type, body) = (answer.status, answer.header("content-type"), &answer.text);
    // What fits no route, and a method that an address does not take, are told by the client, not by an operation.
    let Some((template, item)) = CONTRACT.find(path) else {
        assert!(status == 404 || TURNED_AWAY.contains(&status), "{path} is answered and not described: {body}");
        return;
    };
    let Some(operation) = item.get(method.to_ascii_lowercase()) else {
        let is_refused = status == 405 || TURNED_AWAY.contains(&status);
        assert!(is_refused || method == "HEAD", "{method} {template} is answered and not described: {body}");
        return;
    };
    let promised = operation["responses"].get(status.to_string());
    let promised = promised.unwrap_or_else(|| panic!("{method} {template}: status {status} is not described: {body}"));
    let missing = missing_headers(promised, answer);
    assert!(missing.is_empty(), "{method} {template}: {status} is described with {missing:?} and lacks it: {body}");
    let media_type = media_type.and_then(|media_type| media_type.split(';').next()).map(str::trim);
    let Some(described) = promised.get("content").and_then(Value::as_object) else {
        assert!(body.is_empty(), "{method} {template}: {status} is described without a body: {body}");
        return;
    };
    let name = media_type.unwrap_or_default();
    let content = described
        .get(name)
        .unwrap_or_else(|| panic!("{method} {template}: {status} is described, but not as {media_type:?}: {body}"));
    if name == "application/json" {
        let key = format!("{method} {template} {status}");
        let read: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{key}: {error}: {body}"));
        let validator = CONTRACT.validator(key.clone(), &content["schema"]);
        let wrong: Vec<_> =
            validator.iter_errors(&read).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{key} does not fit its description: {wrong:#?}\n{body}");
    }
}

/// Headers that this answer must have by its description. A replayed answer has no `Location`, and of the conflicts
/// only that about the request's own key passes by itself.
fn missing_headers<'a>(promised: &'a Value, answer: &Answer) -> Vec<&'a str> {
    let names = promised.get("headers").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str());
    let must = |name: &str| match name {
        "Location" => answer.header("idempotency-replayed").is_none(),
        "Retry-After" => answer.status != 409 || answer.text.contains("\"idempotency_in_progress\""),
        _ => true,
    };
    names.filter(|name| must(name) && answer.header(name).is_none()).collect()
}

impl Contract {
    /// The template that a path fits, and its operations. A template without parameters goes first.
    fn find(&self, path: &str) -> Option<(&str, &Value)> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            let same = wanted
                .by_ref()
                .zip(given.by_ref())
                .all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()));
            same && template.split('/').count() == path.split('/').count()
        };
        let paths = self.document["paths"].as_object().expect("paths");
        let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        fitting.first().map(|(template, item)| (template.as_str(), *item))
    }

    fn validator(&self, key: String, schema: &Value) -> &'static Validator {
        let mut validators = self.validators.lock().expect("no test panics while it holds the lock");
        validators.entry(key).or_insert_with(|| {
            let mut schema = schema.clone();
            tighten(&mut schema);
            let whole = json!({"allOf": [schema], "components": self.components});
            let built = jsonschema::draft202012::options().should_validate_formats(true).build(&whole);
            Box::leak(Box::new(built.expect("a JSON schema")))
        })
    }
}
