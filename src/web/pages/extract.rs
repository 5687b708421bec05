//! What page handlers read from a request. What can't be read becomes an [`ApiError`], which is shown as a page.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use crate::web::body;
use crate::web::error::{ApiError, Result};
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

/// The fields of a form, no larger than `http.body_bytes_max`.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Web> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self> {
        let (parts, body) = request.into_parts();
        Ok(Self(body::form(&parts.headers, body, web.settings.http.body_bytes_max).await?))
    }
}

/// What stands behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let axum::extract::Query(read) = axum::extract::Query::from_request_parts(parts, web)
            .await
            .map_err(|refused| ApiError::bad_request("bad_query", refused.body_text()))?;
        Ok(Self(read))
    }
}

impl<T: ToSchema> Takes for Form<T> {
    fn describe(contract: &mut Contract) {
        contract.body::<T>(&["application/x-www-form-urlencoded"], true);
    }
}

impl<T: IntoParams + ToSchema> Takes for Query<T> {
    fn describe(contract: &mut Contract) {
        contract.query::<T>();
    }
}
