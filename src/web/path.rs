//! The extractor for path parameters. A parameter that can't be parsed becomes an [`ApiError`].

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::error::{ApiError, Result};
use super::routes::{Contract, Takes};
use super::state::Web;

pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let read = axum::extract::Path::from_request_parts(parts, web).await;
        let axum::extract::Path(named) =
            read.map_err(|_| ApiError::bad_request("bad_path", "The URL is not valid."))?;
        Ok(Self(named))
    }
}

impl<T: ToSchema> Takes for Path<T> {
    fn describe(contract: &mut Contract) {
        contract.path::<T>();
    }
}
