//! Describes routes as an OpenAPI 3.1 document.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ComponentsBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::contract::{Contract, Gives, Schemas};
use super::route::{Area, Kind, Route};
use super::security;
use crate::web::auth::Access;
use crate::web::error::ErrorBody;

const KEPT: &str =
    "Up to 128 visible ASCII characters. The same request with the same key gets the stored answer for 24 hours.";
const DESCRIPTION: &str = "The HTTP interface of Nightshift. Answers carry `X-Request-Id`, the caller's own if it sent \
                           one. Requests are limited to the caller's organisation.";

const DOCUMENTATION: Area = Area::of(Kind::Api, "Documentation");

/// Returns the route of the document. `json` returns the document of all routes, including this one.
pub(in crate::web) fn route(json: fn() -> &'static str) -> Route {
    let show = async move || Document(json());
    DOCUMENTATION.get("/api/openapi.json", Access::ANYBODY, "This description", show)
}

/// The document as a response.
struct Document(&'static str);

impl IntoResponse for Document {
    fn into_response(self) -> axum::response::Response {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
        (headers, self.0).into_response()
    }
}

impl Gives for Document {
    fn describe(contract: &mut Contract) {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Object))).build();
        contract.respond(200, ResponseBuilder::new().content("application/json", content));
    }
}

/// Returns the document that describes `routes`.
pub(in crate::web) fn describe(routes: Vec<Route>) -> OpenApi {
    let mut schemas = BTreeMap::from([(ErrorBody::name().into_owned(), ErrorBody::schema())]);
    let mut paths = PathsBuilder::new();
    let mut areas = Vec::new();
    for mut route in routes {
        if !areas.contains(&route.area.name) {
            areas.push(route.area.name);
        }
        schemas.extend(without_empty_defaults(std::mem::take(&mut route.doc.contract.taken)));
        schemas.extend(always_present(std::mem::take(&mut route.doc.contract.given)));
        paths = paths.path(route.path, PathItem::new(method(&route.method), operation(route)));
    }
    let components = schemas
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema));
    let info = InfoBuilder::new().title("Nightshift").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(security::schemes(components).build()))
        .tags(Some(areas.into_iter().map(|name| TagBuilder::new().name(name).build())))
        .build()
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PATCH => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}

fn operation(route: Route) -> Operation {
    let id = operation_id(&route);
    let as_page = route.area.kind == Kind::Page;
    let keyed = route.is_keyed();
    let errors = errors(&route);
    let securities = security::requirements(&route);
    let names = route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut contract = route.doc.contract;
    if keyed {
        contract.header("Idempotency-Key", KEPT);
    }
    let path = names.zip(contract.path).map(|(name, schema)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .build()
    });
    let parameters: Vec<_> = path.chain(contract.parameters).collect();
    let mut operation = OperationBuilder::new()
        .tag(route.area.name)
        .summary(Some(route.doc.summary))
        .operation_id(Some(id))
        .securities(securities)
        .parameters(Some(parameters))
        .request_body(contract.body);
    if !route.doc.text.is_empty() {
        operation = operation.description(Some(route.doc.text));
    }
    for (status, when) in errors {
        // A request whose key another request holds gets 409 with `Retry-After`.
        let waits = matches!(status, 429 | 503) || status == 409 && keyed;
        operation = operation.response(status.to_string(), error(&when, waits, as_page));
    }
    for (status, answer) in contract.answers {
        operation = operation.response(status.to_string(), answer);
    }
    operation.build()
}

/// Returns the operation id, for example `postBookingsByIdConfirm` for `POST /api/bookings/{id}/confirm`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    if route.area.kind == Kind::Page {
        id.push_str("Page");
    }
    for segment in route.path.split('/').filter(|segment| *segment != "api") {
        let name = match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
            Some(name) => format!("by-{name}"),
            None => segment.to_owned(),
        };
        for word in name.split(['-', '.', '_']) {
            let (first, rest) = word.split_at(word.len().min(1));
            id.push_str(&first.to_ascii_uppercase());
            id.push_str(rest);
        }
    }
    id
}

/// Returns the errors of a route by status: those of its kind, of its contract, and of its row.
fn errors(route: &Route) -> BTreeMap<u16, String> {
    let contract = &route.doc.contract;
    let mut errors: BTreeMap<u16, String> = BTreeMap::new();
    let mut add = |status: StatusCode, when: &str| {
        errors.entry(status.as_u16()).and_modify(|known| *known = format!("{known} {when}")).or_insert(when.to_owned());
    };
    let kind = route.area.kind;
    if kind != Kind::Probe {
        add(StatusCode::BAD_REQUEST, "The request is malformed.");
        add(StatusCode::SERVICE_UNAVAILABLE, "Nothing was saved. Retry after `Retry-After` seconds.");
    }
    if matches!(kind, Kind::Api | Kind::Page | Kind::Webhook) {
        add(StatusCode::REQUEST_TIMEOUT, "The request timed out.");
        add(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
        add(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Wait `Retry-After` seconds.");
        add(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error.");
        if contract.body.is_some() {
            add(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body has another media type.");
        }
    }
    let keyed = route.is_keyed();
    if keyed || kind == Kind::Api && !route.access.anybody || kind == Kind::Page && contract.has_caller {
        add(StatusCode::CONFLICT, "The request conflicts with the current state.");
    }
    if keyed {
        add(StatusCode::CONFLICT, "`idempotency_in_progress`: wait `Retry-After` seconds.");
    }
    if keyed || kind == Kind::Api && (contract.body.is_some() || contract.reads_query) {
        add(StatusCode::UNPROCESSABLE_ENTITY, "Some values are not valid; `fields` names them.");
    }
    if matches!(kind, Kind::Api | Kind::Page) {
        // Wrong credentials are refused also where none are needed.
        add(StatusCode::UNAUTHORIZED, "The caller is not authenticated.");
    }
    if kind == Kind::Api && !route.access.anybody || kind == Kind::Page {
        add(StatusCode::FORBIDDEN, "The caller is not allowed to do this.");
        add(StatusCode::NOT_FOUND, "Not found, or not visible to this caller.");
    }
    if kind == Kind::Page && contract.body.is_some() {
        add(StatusCode::UNPROCESSABLE_ENTITY, "Some values are not valid; the page says which.");
    }
    for (status, when) in &route.doc.errors {
        add(*status, when);
    }
    errors
}

fn error(when: &str, waits: bool, as_page: bool) -> Response {
    let mut response = ResponseBuilder::new().description(when);
    if waits {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new().schema(Some(Schema::from(seconds))).description(Some("Seconds to wait."));
        response = response.header("Retry-After", header.build());
    }
    if as_page {
        return response.content("text/html", ContentBuilder::new().schema(Some(String::schema())).build()).build();
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build();
    response.content("application/json", content).build()
}

/// Removes defaults of null and the empty text. They stand for an absent value, and a body that distinguishes null from
/// absent would otherwise claim a default that is not applied.
fn without_empty_defaults(mut schemas: Schemas) -> Schemas {
    for (_, schema) in &mut schemas {
        drop_empty_defaults(schema);
    }
    schemas
}

fn drop_empty_defaults(schema: &mut RefOr<Schema>) {
    let is_empty = |default: &Value| default.is_null() || default == "";
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.default.take_if(|default| is_empty(default));
            object.properties.values_mut().for_each(drop_empty_defaults);
        }
        RefOr::T(Schema::Array(array)) => drop(array.default.take_if(|default| is_empty(default))),
        RefOr::T(Schema::AllOf(all)) => {
            all.default.take_if(|default| is_empty(default));
            all.items.iter_mut().for_each(drop_empty_defaults);
        }
        RefOr::T(Schema::OneOf(one)) => {
            one.default.take_if(|default| is_empty(default));
            one.items.iter_mut().for_each(drop_empty_defaults);
        }
        _ => {}
    }
}

/// Marks nullable properties of responses as required. They are serialized as null, so they are always present.
fn always_present(mut schemas: Schemas) -> Schemas {
    for (_, schema) in &mut schemas {
        mark_present(schema);
    }
    schemas
}

fn mark_present(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            for (name, property) in &mut object.properties {
                if is_nullable(property) && !object.required.contains(name) {
                    object.required.push(name.clone());
                }
                mark_present(property);
            }
            if let Some(additional) = &mut object.additional_properties
                && let AdditionalProperties::RefOr(schema) = additional.as_mut()
            {
                mark_present(schema);
            }
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(mark_present),
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(mark_present),
        _ => {}
    }
}

fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let is_null = |schema_type: &SchemaType| match schema_type {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(is_nullable),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::table;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let mut ids: Vec<_> = table().iter().map(operation_id).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }

    /// Two types with the same name would share one schema in the document, so one of them would be described wrongly.
    #[test]
    fn no_two_schemas_have_the_same_name() {
        let mut known = BTreeMap::new();
        for route in table() {
            let contract = route.doc.contract;
            for (name, schema) in contract.taken.into_iter().chain(always_present(contract.given)) {
                let shown = serde_json::to_string(&schema).unwrap_or_default();
                let before = known.entry(name.clone()).or_insert_with(|| shown.clone());
                assert_eq!(*before, shown, "{name} is not one schema: {} {}", route.method, route.path);
            }
        }
    }
}
