//! The description of the HTTP interface: a valid document, served and printed, with every route and no other.

use std::collections::BTreeSet;
use std::process::Command;

use nightshift::web::auth::Access;
use nightshift::web::routes::Kind;
use nightshift::web::{document, table};
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use serde_json::Value;

use crate::support::nightshift::on_with;
use crate::support::on;

each_engine! {
    anybody_gets_the_description,
    the_description_is_within_the_limits_of_the_api,
}

fn described() -> Value {
    serde_json::to_value(document()).unwrap()
}

#[test]
fn the_description_is_valid_openapi() {
    // https://spec.openapis.org/oas/3.1/schema/2022-10-07
    let official: Value = serde_json::from_str(include_str!("../data/openapi-3.1.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&official).unwrap();
    let document = described();
    let wrong: Vec<_> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The official schema leaves the schemas of bodies to JSON Schema.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}: {schema}");
    }
}

#[test]
fn every_reference_leads_to_a_schema() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = described();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_route_is_described() {
    let document = described();
    for route in table() {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert!(operation["summary"].is_string(), "{} {}", route.method, route.path);
        let statuses = operation["responses"].as_object().unwrap();
        assert!(statuses.keys().any(|status| status < &"400".to_owned()), "{} {}", route.method, route.path);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path = parameters.filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, route.path.matches('{').count(), "{} {}", route.method, route.path);
        let pages = operation["responses"].to_string().contains("text/html");
        assert_eq!(pages, route.area.kind == Kind::Page, "{} {}", route.method, route.path);
    }
}

#[test]
fn the_command_prints_the_description() {
    let printed = Command::new(env!("CARGO_BIN_EXE_nightshift")).arg("openapi").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), described());
}

async fn anybody_gets_the_description(engine: Engine) {
    on(engine, async |nightshift| {
        let served = nightshift.get("/api/openapi.json").await.expect(200);
        assert_eq!(served.header("content-type"), Some("application/json"));
        assert_eq!(served.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(served.json(), described());
        assert!(!served.text.contains('\n'), "it is not compact");
    })
    .await;
}

async fn the_description_is_within_the_limits_of_the_api(engine: Engine) {
    on_with(
        engine,
        |settings| settings.http.rate_limit_per_minute = 2,
        async |nightshift| {
            for _ in 0..2 {
                nightshift.get("/api/openapi.json").await.expect(200);
            }
            assert_eq!(nightshift.get("/api/openapi.json").await.expect(429).code(), "rate_limited");
        },
    )
    .await;
}

/// With `NIGHTSHIFT_WRITE_DOCS` set the test writes the table instead.
#[test]
fn the_guide_lists_every_route() {
    const BEGIN: &str = "<!-- The table is written by the test `the_guide_lists_every_route`. -->\n";
    const END: &str = "<!-- End of the table. -->\n";
    let mut list = "| route | who | |\n|---|---|---|\n".to_owned();
    let document = described();
    for route in table() {
        let (doc, text) = (route.doc.summary, route.doc.text);
        let told = if text.is_empty() { doc.to_owned() } else { format!("{doc}. {text}") };
        let told = match takes(&document, route.path, &route.method.as_str().to_ascii_lowercase()) {
            Some(takes) => format!("{}. Takes {takes}.", told.trim_end_matches('.')),
            None => told,
        };
        list.push_str(&format!(
            "| `{} {}` | {} | {told} |\n",
            route.method,
            route.path,
            who(route.access, route.area.kind)
        ));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("NIGHTSHIFT_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{list}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, list, "set NIGHTSHIFT_WRITE_DOCS=1 to write the table of docs/api.md");
}

/// What a request may say: the fields of a JSON body, and the parameters of the query but for those of every list.
fn takes(document: &Value, path: &str, method: &str) -> Option<String> {
    if !path.starts_with("/api/") {
        return None;
    }
    let operation = &document["paths"][path][method];
    let mut takes: Vec<String> = Vec::new();
    if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
        takes.extend(fields(document, body));
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let names: Vec<_> = parameters
        .filter(|parameter| {
            parameter["in"] == "query" && !matches!(parameter["name"].as_str(), Some("limit" | "cursor"))
        })
        .map(|parameter| marked(parameter["name"].as_str().unwrap(), parameter["required"] == true))
        .collect();
    takes.extend((!names.is_empty()).then(|| format!("`{}`", names.join(", "))));
    (!takes.is_empty()).then(|| takes.join(" or "))
}

/// The forms of a body: its fields, first those that must be there.
fn fields(document: &Value, schema: &Value) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let Some(forms) = schema["anyOf"].as_array() {
        return forms.iter().rev().flat_map(|form| fields(document, form)).collect();
    }
    if schema["type"] == "array" {
        return vec!["a list of these".to_owned()];
    }
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    let is_required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let (required, optional): (Vec<&String>, Vec<&String>) = properties.keys().partition(|name| is_required(name));
    let required = required.into_iter().map(|name| marked(name, true));
    let names: Vec<_> = required.chain(optional.into_iter().map(|name| marked(name, false))).collect();
    vec![format!("`{{{}}}`", names.join(", "))]
}

fn marked(name: &str, required: bool) -> String {
    format!("{name}{}", if required { "" } else { "?" })
}

fn who(access: Access, kind: Kind) -> String {
    if kind == Kind::Webhook {
        return "the provider".to_owned();
    }
    if access.anybody {
        return "all".to_owned();
    }
    let mut who = Vec::new();
    who.extend(access.owner.then(|| "O".to_owned()));
    who.extend(access.sitter.then(|| "S".to_owned()));
    who.extend(access.ops.then(|| "P".to_owned()));
    let scopes: Vec<_> = access.keys.iter().map(|scope| format!("`{scope}`")).collect();
    if access.keys.len() == nightshift_domain::access::api_keys::Scope::ALL.len() {
        who.push("K".to_owned());
    } else if !scopes.is_empty() {
        who.push(format!("K {}", scopes.join(" or ")));
    }
    who.extend(access.links.then(|| "R".to_owned()));
    who.join(", ")
}
