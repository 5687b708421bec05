//! The extractor for the query parameters of a page. A query that can't be parsed becomes an [`ApiError`], which is
//! rendered as a page.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use crate::web::error::{ApiError, Result};
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

pub(in crate::web::pages) struct Query<T>(pub(in crate::web::pages) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let axum::extract::Query(read) = axum::extract::Query::from_request_parts(parts, web)
            .await
            .map_err(|_| ApiError::bad_request("bad_query", "The URL of this page is not valid. Check the link."))?;
        Ok(Self(read))
    }
}

impl<T: IntoParams + ToSchema> Takes for Query<T> {
    fn describe(contract: &mut Contract) {
        contract.query::<T>();
    }
}
