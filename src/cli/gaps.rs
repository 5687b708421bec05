//! `nightshift webhooks gaps`, also `nightshift recover-inbound`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use nightshift_db::{Clock, Timestamp, new_id};
use nightshift_domain::phone::PhoneNumber;
use nightshift_jobs::webhook::gaps::{Lists, MissingText};
use nightshift_queue::Queue;
use serde::Serialize;
use serde_json::json;

use super::{open, since, table};
use crate::app;
use crate::config::{Settings, SmsProvider};
use crate::output::{complain, say};
use crate::web::receiver::{Accepted, Receiver};

/// How far back a look goes that is not told otherwise.
const LOOK_BACK: Duration = Duration::from_secs(24 * 3600);

/// What to look for.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Texts that are taken in are routed like those whose webhook came. When the webhook comes later, it is a
duplicate. Running this twice takes each text once."
)]
pub(super) struct Args {
    /// Received since: 30m, 2h, 3d, a date or a time such as 2024-12-31T02:00:00Z. The default is 24h.
    #[arg(long, value_parser = since::parse)]
    since: Option<Timestamp>,
    /// Take the texts in.
    #[arg(long)]
    take: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A missing text, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    provider: &'static str,
    id: String,
    /// Masked.
    from: String,
    /// Our number.
    to: String,
    provider_at: String,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let lists = lists(settings)?;
    let queue = open::queue(settings).await?;
    let since = args.since.unwrap_or_else(|| Clock::system().now() - LOOK_BACK);
    let gaps = lists.gaps(queue.db(), since).await.context("the missing texts can't be found")?;
    let taken = if args.take { take(&lists, &queue, &gaps.missing).await? } else { 0 };
    let shown: Vec<Shown> = gaps.missing.iter().map(Shown::of).collect();
    if args.json {
        say!("{}", json!({"missing": shown, "taken": taken}));
    } else {
        print(&shown, args.take.then_some(taken));
    }
    if gaps.unreadable > 0 {
        complain!("{} listed texts can't be read; look at them in the provider's console", gaps.unreadable);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the providers that the settings name.
fn lists(settings: &Settings) -> anyhow::Result<Lists> {
    if settings.messaging.sms_provider == SmsProvider::Mock {
        bail!("no provider of texts is set up, so none can be asked; set SMS_PROVIDER=twilio");
    }
    Ok(Lists { twilio: app::twilio(settings)?, openphone: app::openphone(settings)? })
}

/// Takes the texts in, oldest first. Returns how many were not stored meanwhile.
async fn take(lists: &Lists, queue: &Queue, missing: &[MissingText]) -> anyhow::Result<usize> {
    let receiver = Receiver::start(queue.clone());
    let request_id = format!("gaps-{}", new_id(queue.clock().now()));
    let mut taken = 0;
    for text in missing {
        let whole = lists.whole(text).await.context("the media of a text can't be listed")?;
        let stored = receiver.take(Accepted::from_list(text.carrier, &whole, &request_id)).await;
        let stored = stored.map_err(|error| {
            anyhow::anyhow!("{taken} texts were taken in, then: {}", error.cause.unwrap_or(error.message))
        })?;
        taken += usize::from(stored.first);
    }
    Ok(taken)
}

fn print(shown: &[Shown], taken: Option<usize>) {
    if shown.is_empty() {
        say!("no text is missing");
        return;
    }
    let rows: Vec<_> = shown
        .iter()
        .map(|text| [text.provider_at.clone(), text.provider.to_owned(), text.from.clone(), text.to.clone()])
        .collect();
    table::print(["TIME", "PROVIDER", "FROM", "TO"], &rows);
    match taken {
        Some(taken) => say!("{} missing, {taken} taken in", shown.len()),
        None => say!("{} missing; --take takes them in", shown.len()),
    }
}

impl Shown {
    fn of(missing: &MissingText) -> Self {
        let text = missing.text();
        Self {
            provider: missing.carrier.as_str(),
            id: text.sid.clone(),
            from: PhoneNumber::read(&text.from, None).map_or_else(|_| "•".repeat(6), |phone| phone.masked()),
            to: text.to.clone(),
            provider_at: missing.sent_at().map(|at| at.to_string()).unwrap_or_default(),
        }
    }
}
