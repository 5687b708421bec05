//! The viewer with which the page of a request reads it.

use nightshift_domain::audience::Audience;
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::viewer::Viewer;

use crate::web::auth::{Caller, Principal};
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Returns the viewer for holders of the request's link, its owner and operators. Everybody else gets 404. The viewer
/// sees phone numbers masked, like a sitter.
pub(super) fn viewer_for(web: &Web, caller: &Caller, id: &ServiceRequestId) -> Result<Viewer> {
    let viewer = match caller.principal() {
        Principal::Nobody | Principal::Key(_) => return Err(ApiError::not_found()),
        _ => caller.viewer_of(web, id)?,
    };
    if viewer.sitter_id().is_some() {
        return Err(ApiError::not_found());
    }
    Ok(viewer.shown_to(Audience::Sitter))
}
