//! The extractors for path parameters. A parameter that can't be parsed becomes an [`ApiError`].

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::error::{ApiError, Result};
use super::routes::{Contract, Takes};
use super::state::Web;

/// The only path parameter.
pub struct Path<T>(pub T);

/// Both path parameters, in their order.
pub struct PathPair<A, B>(pub A, pub B);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        Ok(Self(read(parts, web).await?))
    }
}

impl<A: DeserializeOwned + Send, B: DeserializeOwned + Send> FromRequestParts<Web> for PathPair<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let (first, second) = read(parts, web).await?;
        Ok(Self(first, second))
    }
}

async fn read<T: DeserializeOwned + Send>(parts: &mut Parts, web: &Web) -> Result<T> {
    let read = axum::extract::Path::from_request_parts(parts, web).await;
    let axum::extract::Path(read) = read.map_err(|_| ApiError::bad_request("bad_path", "The URL is not valid."))?;
    Ok(read)
}

impl<T: ToSchema> Takes for Path<T> {
    fn describe(contract: &mut Contract) {
        contract.path::<T>();
    }
}

impl<A: ToSchema, B: ToSchema> Takes for PathPair<A, B> {
    fn describe(contract: &mut Contract) {
        contract.path::<A>();
        contract.path::<B>();
    }
}
