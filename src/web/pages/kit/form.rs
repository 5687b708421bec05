//! Forms of pages: read within the size limit, believed only with the token of the page that they come from, and shown
//! again with what was typed when a value is refused.

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

/// The name of the hidden field that holds the token.
const TOKEN: &str = "csrf";

/// A form of one of our pages. It exists only when its token is right, so no handler compares tokens.
pub(in crate::web::pages) struct PageForm<T> {
    /// What was read.
    pub(in crate::web::pages) form: T,
    /// What was typed, to show it again.
    pub(in crate::web::pages) typed: Typed,
}

/// What was typed into a form, by field, and what is wrong with it. Empty for a form that is shown for the first time.
#[derive(Debug, Clone, Default)]
pub(in crate::web::pages) struct Typed {
    pub(super) values: BTreeMap<String, String>,
    wrong: BTreeMap<String, String>,
    refusal: Option<String>,
}

impl Typed {
    /// A form with these values, by field, before anybody typed into it.
    pub(in crate::web::pages) fn of<const N: usize>(values: [(&str, &str); N]) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values, ..Self::default() }
    }

    /// What was typed into a field; nothing before anything was.
    pub(in crate::web::pages) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// What is wrong with a field.
    pub(in crate::web::pages) fn wrong(&self, name: &str) -> Option<&str> {
        self.wrong.get(name).map(String::as_str)
    }

    /// Whether anything is wrong with it.
    pub(in crate::web::pages) fn is_refused(&self) -> bool {
        self.refusal.is_some() || !self.wrong.is_empty()
    }

    /// Why the form as a whole was refused, when no field is to blame.
    pub(in crate::web::pages) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// The same values with what an error says of them, for the form to be shown again.
    ///
    /// # Errors
    /// The error itself when it is about anything but the values (422) or the state they met (409).
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
