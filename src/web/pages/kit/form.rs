//! Forms of pages. A form is read within the size limit, accepted only with the token of its page, and shown again with
//! the sent values if one is refused.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::web::auth::csrf;
use crate::web::body;
use crate::web::error::{ApiError, Result};
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

/// The name of the hidden field with the token.
const TOKEN: &str = "csrf";

/// A form of a page. The extractor has checked its token, so no handler does.
pub(in crate::web::pages) struct PageForm<T> {
    pub(in crate::web::pages) form: T,
    /// The sent values, to show them again.
    pub(in crate::web::pages) typed: Typed,
}

/// The sent values of a form and their errors, by field. Empty if the form is shown for the first time.
#[derive(Debug, Clone, Default)]
pub(in crate::web::pages) struct Typed {
    pub(super) values: BTreeMap<String, String>,
    wrong: BTreeMap<String, String>,
    refusal: Option<String>,
}

impl Typed {
    /// Creates the initial values of a form.
    pub(in crate::web::pages) fn of<const N: usize>(values: [(&str, &str); N]) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values, ..Self::default() }
    }

    /// Returns the value of a field. Empty if it has none.
    pub(in crate::web::pages) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Returns what is wrong with a field.
    pub(in crate::web::pages) fn wrong(&self, name: &str) -> Option<&str> {
        self.wrong.get(name).map(String::as_str)
    }

    pub(in crate::web::pages) fn is_refused(&self) -> bool {
        self.refusal.is_some() || !self.wrong.is_empty()
    }

    /// Returns why the form as a whole was refused, if no field is the cause.
    pub(in crate::web::pages) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Adds the errors to the values, so that the form can be shown again.
    ///
    /// # Errors
    /// Returns `error` itself unless it is about the values (422) or a conflict (409).
    pub(in crate::web::pages) fn refused(mut self, error: &ApiError) -> Result<Self> {
        if !matches!(error.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) {
            return Err(error.clone());
        }
        self.wrong.clone_from(&error.fields);
        self.refusal = error.fields.is_empty().then(|| error.message.clone());
        Ok(self)
    }
}

impl<T: DeserializeOwned> FromRequest<Web> for PageForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let mut values = body::form_fields(&parts.headers, body, web.settings.http.body_bytes_max).await?;
        let shown = values.remove(TOKEN).unwrap_or_default();
        csrf::check_form(web, &mut parts, &shown).await?;
        let form = body::parse_fields(values.clone())?;
        Ok(Self { form, typed: Typed { values, ..Typed::default() } })
    }
}

impl<T: ToSchema> Takes for PageForm<T> {
    fn describe(contract: &mut Contract) {
        contract.page_form::<T>(TOKEN);
    }
}
