//! `nightshift request-link`

use std::process::ExitCode;

use anyhow::bail;
use nightshift_domain::calls;
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::viewer::Viewer;

use super::open;
use crate::config::{Settings, session_secret};
use crate::output::say;
use crate::web::auth::link;

/// Which request.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nightshift request-link 0193e4b0-0000-7000-8000-000000000001")]
pub(super) struct Args {
    /// The request's id.
    id: ServiceRequestId,
}

/// Prints the link that opens a request's page, for whoever lost it. It needs the session secret and PUBLIC_URL of the
/// server.
pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let queue = open::queue(settings).await?;
    match calls::org_of_request(queue.db(), &Viewer::all(), &args.id).await {
        Ok(_) => {}
        Err(nightshift_domain::Error::NotFound) => bail!("there is no request {}", args.id),
        Err(error) => return Err(error.into()),
    }
    say!("{}", link::url(&settings.public_url(), &session_secret(settings)?, &args.id));
    Ok(ExitCode::SUCCESS)
}
