//! Successful API responses. Their status is part of their type, so the OpenAPI description can't state another one.

use std::marker::PhantomData;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::{PartialSchema, ToSchema};

use super::error::{ApiError, Result};
use super::routes::{Contract, Gives};

/// A JSON body of type `T`. It was stored in the transaction of the change that it reports.
pub struct Answer<T, const STATUS: u16 = 200> {
    json: String,
    body: PhantomData<T>,
}

/// The response to a request that created a resource.
pub type Created<T> = Answer<T, 201>;

/// The response to a request whose work is done later.
pub type Accepted<T> = Answer<T, 202>;

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// Creates a response from a body that is serialized already.
    pub(super) fn written(json: String) -> Self {
        Self { json, body: PhantomData }
    }

    /// Adds a `Location` header with the address of the created or future resource.
    ///
    /// # Errors
    /// Returns an internal error if `place` is not a valid header value.
    pub fn at(self, place: &str) -> Result<Located<T, STATUS>> {
        let place = HeaderValue::from_str(place).map_err(ApiError::internal)?;
        Ok(Located { answer: self, place })
    }
}

impl<T, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        let json = HeaderValue::from_static("application/json");
        (status, [(header::CONTENT_TYPE, json)], self.json).into_response()
    }
}

impl<T: ToSchema, const STATUS: u16> Gives for Answer<T, STATUS> {
    fn describe(contract: &mut Contract) {
        contract.answer::<T>(STATUS);
    }
}

/// An answer with a `Location` header. A replayed answer has no such header.
pub struct Located<T, const STATUS: u16 = 200> {
    answer: Answer<T, STATUS>,
    place: HeaderValue,
}

impl<T, const STATUS: u16> IntoResponse for Located<T, STATUS> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        response.headers_mut().insert(header::LOCATION, self.place);
        response
    }
}

impl<T: ToSchema, const STATUS: u16> Gives for Located<T, STATUS> {
    fn describe(contract: &mut Contract) {
        contract.answer::<T>(STATUS);
        let place = HeaderBuilder::new().schema(Some(String::schema())).description(Some("The URL of its state."));
        contract.answer_header(STATUS, "Location", place.build());
    }
}

/// A response that sets `N` cookies.
pub struct WithCookies<T, const N: usize> {
    pub answer: T,
    /// Values of the `Set-Cookie` headers.
    pub cookies: [HeaderValue; N],
}

impl<T: IntoResponse, const N: usize> IntoResponse for WithCookies<T, N> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        for cookie in self.cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl<T: Gives, const N: usize> Gives for WithCookies<T, N> {
    fn describe(contract: &mut Contract) {
        T::describe(contract);
    }
}
