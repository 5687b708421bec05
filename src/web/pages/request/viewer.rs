//! As whom a request is read for its page, and whether at all.

use nightshift_domain::audience::Audience;
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::viewer::Viewer;

use crate::web::auth::{Caller, Principal};
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Who may see it: holders of its link, its owner, ops. To everybody else it is not there. Pages show nobody a number in
/// full.
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
