//! The envelope of responses in version 1 of the API.

use std::borrow::Cow;

use nightshift_domain::warning::Warning;
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The data of a response, and warnings about the request.
#[derive(Serialize)]
pub struct Data<T> {
    /// Always true.
    success: bool,
    data: T,
    /// Absent if empty, so that clients from before the introduction of warnings get the body they know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

// Not derived, because each content type has a schema with its own name.
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
    pub(super) fn of(data: T) -> Self {
        Self { success: true, data, warnings: Vec::new() }
    }

    pub(super) fn warning(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }
}
