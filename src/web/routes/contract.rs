//! The parameters, body and responses of a handler, derived from its signature.
//!
//! Every extractor declares what it reads ([`Takes`]), and every response what it sends ([`Gives`]). An [`Endpoint`] is
//! a handler whose arguments and response all do so.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as AnyResponse, Sse};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::ApiError;
use crate::web::state::Web;

/// Schemas with their names.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// The parameters, body and responses of a handler.
#[derive(Default)]
pub struct Contract {
    /// The schemas of the path parameters, in the order of the path.
    pub(super) path: Vec<RefOr<Schema>>,
    /// Query and header parameters.
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    /// The responses by status.
    pub(super) answers: BTreeMap<u16, Response>,
    /// Whether the handler reads the query. A handler without parameters does so too, to refuse unknown ones.
    pub(super) reads_query: bool,
    /// Whether the handler has a `Caller`, who may belong to no organisation yet.
    pub(super) has_caller: bool,
    /// Whether the response is stored for the request's `Idempotency-Key`.
    pub(super) keeps_answer: bool,
    /// The schemas to which the request refers.
    pub(super) taken: Schemas,
    /// The schemas to which the responses refer.
    pub(super) given: Schemas,
}

impl Contract {
    /// Returns the contract of the handler `H`.
    pub(super) fn of<H: Endpoint<D>, D>() -> Self {
        let mut contract = Self::default();
        H::describe(&mut contract);
        contract
    }

    /// Adds the fields of `T` as query parameters.
    pub fn query<T: IntoParams + ToSchema>(&mut self) {
        self.reads_query = true;
        let mut parameters = T::into_params(|| Some(ParameterIn::Query));
        parameters.iter_mut().filter_map(|parameter| parameter.schema.as_mut()).for_each(deny_null);
        self.parameters.extend(parameters);
        // Parameters refer to the same schemas as the fields of `T`.
        T::schemas(&mut self.taken);
    }

    /// Adds the next path parameter.
    pub fn path<T: ToSchema>(&mut self) {
        let schema = named::<T>(&mut self.taken);
        self.path.push(schema);
    }

    /// Adds an optional header parameter.
    pub fn header(&mut self, name: &str, description: &str) {
        let header = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(String::schema()));
        self.parameters.push(header.into());
    }

    /// Declares that the response is stored for the request's `Idempotency-Key`.
    pub fn keep_answer(&mut self) {
        self.keeps_answer = true;
    }

    /// Adds a body of type `T` in each of these media types.
    pub fn body<T: ToSchema>(&mut self, media_types: &[&str], required: bool) {
        let schema = named::<T>(&mut self.taken);
        let required = if required { Required::True } else { Required::False };
        let body = media_types.iter().fold(RequestBodyBuilder::new().required(Some(required)), |body, media_type| {
            body.content(*media_type, ContentBuilder::new().schema(Some(schema.clone())).build())
        });
        self.body = Some(body.build());
    }

    /// Adds the form of a page: the fields of `T` and the page's form token, in the field `token`.
    pub fn page_form<T: ToSchema>(&mut self, token: &str) {
        let fields = named::<T>(&mut self.taken);
        let token = ObjectBuilder::new().property(token, String::schema()).required(token);
        let schema = AllOfBuilder::new().item(fields).item(token);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        self.body = Some(body.content("application/x-www-form-urlencoded", content).build());
    }

    /// Adds a body whose schema a provider defines.
    pub fn foreign_body(&mut self, media_type: &str) {
        let schema = ObjectBuilder::new().schema_type(Type::Object);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let description = "As the provider defines it.";
        let body = RequestBodyBuilder::new().required(Some(Required::True)).description(Some(description));
        self.body = Some(body.content(media_type, content).build());
    }

    pub fn answer<T: ToSchema>(&mut self, status: u16) {
        let schema = named::<T>(&mut self.given);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        self.respond(status, ResponseBuilder::new().content("application/json", content));
    }

    /// Adds a text response in each of these media types.
    pub fn answer_texts(&mut self, status: u16, media_types: &[&str]) {
        let content = ContentBuilder::new().schema(Some(String::schema())).build();
        let response = media_types
            .iter()
            .fold(ResponseBuilder::new(), |response, media_type| response.content(*media_type, content.clone()));
        self.respond(status, response);
    }

    pub fn answer_text(&mut self, status: u16, media_type: &str) {
        self.answer_texts(status, &[media_type]);
    }

    pub fn respond(&mut self, status: u16, response: ResponseBuilder) {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        self.answers.insert(status, response.description(reason.unwrap_or("An answer")).build());
    }

    /// Adds a header to the response with this status, if there is one.
    pub fn answer_header(&mut self, status: u16, name: &str, header: Header) {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer.headers.insert(name.to_owned(), header.into());
        }
    }
}

/// Removes null from a schema. A parameter may be absent, but it can't be null.
fn deny_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(kinds) = &object.schema_type {
                let kind = kinds.iter().find(|kind| **kind != Type::Null);
                object.schema_type = kind.map_or(SchemaType::AnyValue, |kind| SchemaType::Type(kind.clone()));
            }
        }
        RefOr::T(Schema::OneOf(one)) => {
            let is_null = |item: &RefOr<Schema>| matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null));
            if let Some(item) = one.items.iter().find(|item| !is_null(item)) {
                *schema = item.clone();
            }
        }
        _ => {}
    }
}

/// Returns a reference to the schema of `T`, and adds the schema to `schemas`.
fn named<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    // A plain string needs no named schema.
    if T::name() == String::name() {
        return T::schema();
    }
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Ref::from_schema_name(T::name()).into()
}

/// An extractor that declares what it reads of a request.
pub trait Takes {
    fn describe(contract: &mut Contract);
}

/// A response that declares its statuses and bodies.
pub trait Gives {
    fn describe(contract: &mut Contract);
}

/// A handler that declares its contract. `D` is the tuple of its arguments.
#[diagnostic::on_unimplemented(
    message = "this handler does not describe itself: each argument must be `Takes`, and its \
                                          answer `Gives`"
)]
pub trait Endpoint<D> {
    fn describe(contract: &mut Contract);
}

macro_rules! endpoint {
    ($($argument:ident),*) => {
        impl<F, Answer, $($argument),*> Endpoint<($($argument,)*)> for F
        where
            F: AsyncFnOnce($($argument),*) -> Answer,
            Answer: Gives,
            $($argument: Takes,)*
        {
            fn describe(contract: &mut Contract) {
                $(<$argument as Takes>::describe(contract);)*
                <Answer as Gives>::describe(contract);
            }
        }
    };
}

endpoint!();
endpoint!(A);
endpoint!(A, B);
endpoint!(A, B, C);
endpoint!(A, B, C, D);
endpoint!(A, B, C, D, E);
endpoint!(A, B, C, D, E, G);

macro_rules! takes_nothing {
    ($($extractor:ty),* $(,)?) => {$(
        impl Takes for $extractor {
            fn describe(_: &mut Contract) {}
        }
    )*};
}

// These read nothing that callers send, or what they read is documented by the route's row.
takes_nothing!(State<Web>, ConnectInfo<SocketAddr>, HeaderMap, Parts, Request);

impl Takes for Caller {
    fn describe(contract: &mut Contract) {
        contract.has_caller = true;
    }
}

/// An empty response with status 200.
pub struct Empty;

impl IntoResponse for Empty {
    fn into_response(self) -> AnyResponse {
        StatusCode::OK.into_response()
    }
}

impl Gives for Empty {
    fn describe(contract: &mut Contract) {
        contract.respond(200, ResponseBuilder::new());
    }
}

impl<T: Gives> Gives for Result<T, ApiError> {
    fn describe(contract: &mut Contract) {
        T::describe(contract);
    }
}

impl<T: ToSchema> Gives for Json<T> {
    fn describe(contract: &mut Contract) {
        contract.answer::<T>(200);
    }
}

impl<S> Gives for Sse<S> {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/event-stream");
    }
}
// A page: HTML or a redirect.
impl Gives for AnyResponse {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/html");
        contract.respond(303, ResponseBuilder::new());
    }
}
