//! Every answer that a test sees is held against the published description of the HTTP interface: an address, a status
//! or a body that it does not describe fails the test.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The description, and the validators that were needed so far.
struct Contract {
    document: Value,
    /// Schemas as the document has them, except that they allow no property that is not named.
    components: Value,
    validators: Mutex<HashMap<String, &'static Validator>>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(nightshift::web::routes::document()).expect("the document is JSON");
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
pub fn check(method: &str, path: &str, status: u16, media_type: Option<&str>, body: &str) {
    // What fits no route, and a method that an address does not take, are told by the client, not by an operation.
    let Some((template, item)) = CONTRACT.find(path) else {
        assert_eq!(status, 404, "{path} is answered and not described: {body}");
        return;
    };
    let Some(operation) = item.get(method.to_ascii_lowercase()) else {
        assert!(status == 405 || method == "HEAD", "{method} {template} is answered and not described: {body}");
        return;
    };
    let answer = operation["responses"].get(status.to_string());
    let answer = answer.unwrap_or_else(|| panic!("{method} {template}: status {status} is not described: {body}"));
    let media_type = media_type.and_then(|media_type| media_type.split(';').next()).map(str::trim);
    let Some(described) = answer.get("content").and_then(Value::as_object) else {
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
