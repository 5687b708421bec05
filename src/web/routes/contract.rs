//! What a handler takes and gives, read from its signature.
//!
//! Every extractor says what it reads of a request ([`Takes`]), and every answer what it sends ([`Gives`]). An
//! [`Endpoint`] is a handler all of whose arguments and whose answer do so.

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

/// Schemas by name.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// What a handler takes and gives.
#[derive(Default)]
pub struct Contract {
    /// The schemas of the path's parameters, in their order.
    pub(super) path: Vec<RefOr<Schema>>,
    /// Parameters in the query and in headers.
    pub(super) parameters: Vec<Parameter>,
    /// The body.
    pub(super) body: Option<RequestBody>,
    /// What it answers, by status.
    pub(super) answers: BTreeMap<u16, Response>,
    /// Whether it reads the query, also to refuse parameters that it does not have.
    pub(super) reads_query: bool,
    /// Whether it acts for its caller, who may belong to no organisation yet.
    pub(super) has_caller: bool,
    /// Whether it keeps its answer for the request's `Idempotency-Key`.
    pub(super) keeps_answer: bool,
    /// Schemas that the request refers to.
    pub(super) taken: Schemas,
    /// Schemas that the answers refer to.
    pub(super) given: Schemas,
}

impl Contract {
    /// The contract of a handler.
    pub(super) fn of<H: Endpoint<D>, D>() -> Self {
        let mut contract = Self::default();
        H::describe(&mut contract);
        contract
    }

    /// Adds the parameters of a query.
    pub fn query<T: IntoParams + ToSchema>(&mut self) {
        self.reads_query = true;
        let mut parameters = T::into_params(|| Some(ParameterIn::Query));
        parameters.iter_mut().filter_map(|parameter| parameter.schema.as_mut()).for_each(deny_null);
        self.parameters.extend(parameters);
        // The parameters refer to the same schemas as the fields.
        T::schemas(&mut self.taken);
    }

    /// Adds what the path names next.
    pub fn path<T: ToSchema>(&mut self) {
        let schema = named::<T>(&mut self.taken);
        self.path.push(schema);
    }

    /// Adds an optional header.
    pub fn header(&mut self, name: &str, description: &str) {
        let header = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(String::schema()));
        self.parameters.push(header.into());
    }

    /// Says that the answer is kept for the request's `Idempotency-Key`.
    pub fn keep_answer(&mut self) {
        self.keeps_answer = true;
    }

    /// Adds a body of a type, in one of these media types.
    pub fn body<T: ToSchema>(&mut self, media_types: &[&str], required: bool) {
        let schema = named::<T>(&mut self.taken);
        let required = if required { Required::True } else { Required::False };
        let body = media_types.iter().fold(RequestBodyBuilder::new().required(Some(required)), |body, media_type| {
            body.content(*media_type, ContentBuilder::new().schema(Some(schema.clone())).build())
        });
        self.body = Some(body.build());
    }

    /// Adds a form of a page: the fields of a type and the token of the page.
    pub fn page_form<T: ToSchema>(&mut self, token: &str) {
        let fields = named::<T>(&mut self.taken);
        let token = ObjectBuilder::new().property(token, String::schema()).required(token);
        let schema = AllOfBuilder::new().item(fields).item(token);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        self.body = Some(body.content("application/x-www-form-urlencoded", content).build());
    }

    /// Adds a body that somebody else defines.
    pub fn foreign_body(&mut self, media_type: &str) {
        let schema = ObjectBuilder::new().schema_type(Type::Object);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let description = "As the provider defines it.";
        let body = RequestBodyBuilder::new().required(Some(Required::True)).description(Some(description));
        self.body = Some(body.content(media_type, content).build());
    }

    /// Adds an answer in JSON.
    pub fn answer<T: ToSchema>(&mut self, status: u16) {
        let schema = named::<T>(&mut self.given);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        self.respond(status, ResponseBuilder::new().content("application/json", content));
    }

    /// Adds an answer in one of these text formats.
    pub fn answer_texts(&mut self, status: u16, media_types: &[&str]) {
        let content = ContentBuilder::new().schema(Some(String::schema())).build();
        let response = media_types
            .iter()
            .fold(ResponseBuilder::new(), |response, media_type| response.content(*media_type, content.clone()));
        self.respond(status, response);
    }

    /// Adds an answer in a text format.
    pub fn answer_text(&mut self, status: u16, media_type: &str) {
        self.answer_texts(status, &[media_type]);
    }

    /// Adds an answer.
    pub fn respond(&mut self, status: u16, response: ResponseBuilder) {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        self.answers.insert(status, response.description(reason.unwrap_or("An answer")).build());
    }

    /// Adds a header to an answer.
    pub fn answer_header(&mut self, status: u16, name: &str, header: Header) {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer.headers.insert(name.to_owned(), header.into());
        }
    }
}

/// A parameter that is not given is missing; it can't be null.
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

/// A reference to a type's schema, which is put beside the others.
fn named<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    // A plain text needs no name.
    if T::name() == String::name() {
        return T::schema();
    }
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Ref::from_schema_name(T::name()).into()
}

/// What a handler reads of a request.
pub trait Takes {
    /// Adds it to a contract.
    fn describe(contract: &mut Contract);
}

/// What a handler answers.
pub trait Gives {
    /// Adds it to a contract.
    fn describe(contract: &mut Contract);
}

/// A handler that says what it takes and gives. `D` is its arguments.
#[diagnostic::on_unimplemented(
    message = "this handler does not describe itself: each argument must be `Takes`, and its \
                                          answer `Gives`"
)]
pub trait Endpoint<D> {
    /// Adds all of it to a contract.
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

// What these read is told by the row, or is nobody's business.
takes_nothing!(State<Web>, ConnectInfo<SocketAddr>, HeaderMap, Parts, Request);

impl Takes for Caller {
    fn describe(contract: &mut Contract) {
        contract.has_caller = true;
    }
}

/// An answer of status 200 that says nothing.
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
// A page: HTML, or the way to another one.
impl Gives for AnyResponse {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/html");
        contract.respond(303, ResponseBuilder::new());
    }
}
