//! The description of the HTTP interface: a valid document, served and printed, with every route and no other.

use std::collections::BTreeSet;
use std::process::Command;

use nightshift::web::auth::Access;
use nightshift::web::routes::{Kind, document, table};
use serde_json::Value;

use crate::support::on_both;

fn described() -> Value {
    serde_json::from_str(document()).unwrap()
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
        let pages = operation["responses"].to_string().contains("text/html");
        assert_eq!(pages, route.area.kind == Kind::Page, "{} {}", route.method, route.path);
    }
}

#[test]
fn the_command_prints_the_description() {
    let printed = Command::new(env!("CARGO_BIN_EXE_nightshift")).arg("openapi").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    assert_eq!(String::from_utf8(printed.stdout).unwrap().trim_end(), document());
}

#[tokio::test]
async fn anybody_gets_the_description() {
    on_both(async |nightshift| {
        let served = nightshift.get("/api/openapi.json").await.expect(200);
        assert_eq!(served.header("content-type"), Some("application/json"));
        assert_eq!(served.text, document());
    })
    .await;
}

/// With `NIGHTSHIFT_WRITE_DOCS` set the test writes the table instead.
#[test]
fn the_guide_lists_every_route() {
    const BEGIN: &str = "<!-- The table is written by the test `the_guide_lists_every_route`. -->\n";
    const END: &str = "<!-- End of the table. -->\n";
    let mut list = "| route | who | |\n|---|---|---|\n".to_owned();
    for route in table() {
        let (doc, text) = (route.doc.summary, route.doc.text);
        let told = if text.is_empty() { doc.to_owned() } else { format!("{doc}. {text}") };
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
