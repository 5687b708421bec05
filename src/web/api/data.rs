//! The envelope of version 1 of the API.

use std::borrow::Cow;

use nightshift_domain::warning::Warning;
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What is answered, and what is odd about the request but allowed.
#[derive(Serialize)]
pub struct Data<T> {
    /// Always true.
    success: bool,
    data: T,
    /// Absent when there are none: the body is then what it was before there were warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

// Not derived: each content is a schema of its own name.
impl<T: ToSchema> PartialSchema for Data<T> {
    fn schema() -> RefOr<Schema> {
        let success = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Always true."));
        let warnings = ArrayBuilder::new()
            .items(Ref::from_schema_name(Warning::name()))
            .description(Some("Warnings about unusual values; absent when there are none."));
        ObjectBuilder::new()
            .property("success", success)
            .required("success")
            .property("data", Ref::from_schema_name(T::name()))
            .required("data")
            .property("warnings", warnings)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Data<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Data", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
        schemas.push((Warning::name().into_owned(), Warning::schema()));
    }
}

impl<T> Data<T> {
    /// Puts `data` into the envelope.
    pub(super) fn of(data: T) -> Self {
        Self { success: true, data, warnings: Vec::new() }
    }

    /// Adds what is odd.
    pub(super) fn warning(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }
}
