//! `nightshift webhooks gaps`, also `nightshift recover-inbound`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use nightshift_db::{Clock, Timestamp, new_id};
use nightshift_domain::phone::PhoneNumber;
use nightshift_jobs::webhook::gaps::{Lists, MissingText, Span};
use nightshift_jobs::webhook::unrouted::route_again;
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
duplicate. Running this twice takes each text once. Texts whose webhook came when no organisation had the number are
routed again. What fails is named at the end, and the exit status is 1."
)]
pub(super) struct Args {
    /// Received since: 30m, 2h, 3d, a date or a time such as 2024-12-31T02:00:00Z. The default is 24h.
    #[arg(long, value_parser = since::parse)]
    since: Option<Timestamp>,
    /// Received before, in the same forms. The default is now.
    #[arg(long, value_parser = since::parse)]
    until: Option<Timestamp>,
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
    /// Whether its webhook came, but when no organisation had the number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unrouted: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let lists = lists(settings)?;
    let queue = open::queue(settings).await?;
    let since = args.since.unwrap_or_else(|| Clock::system().now() - LOOK_BACK);
    if args.until.is_some_and(|until| until <= since) {
        bail!("--until is not after --since, so there is nothing to look for");
    }
    let span = Span { since, until: args.until };
    let gaps =
        lists.gaps(queue.db(), &settings.onboarding.number, span).await.context("the missing texts can't be found")?;
    let mut failures: Vec<String> =
        gaps.failed.iter().map(|error| format!("texts may be missing here: {error}")).collect();
    let taken = if args.take { take(&lists, &queue, &gaps.missing, &mut failures).await } else { 0 };
    let shown: Vec<Shown> = gaps.missing.iter().map(Shown::of).collect();
    if args.json {
        say!("{}", json!({"missing": shown, "taken": taken}));
    } else {
        print(&shown, args.take.then_some(taken));
    }
    if gaps.unreadable > 0 {
        complain!("{} listed texts can't be read; look at them in the provider's console", gaps.unreadable);
    }
    for failure in &failures {
        complain!("{failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the providers that the settings name: none while nothing is sent to any.
fn lists(settings: &Settings) -> anyhow::Result<Lists> {
    if settings.messaging.sms_provider == SmsProvider::Mock {
        complain!(
            "no provider of texts is set up, so none is asked (SMS_PROVIDER=mock): only texts that came are found"
        );
        return Ok(Lists { twilio: None, openphone: None });
    }
    Ok(Lists { twilio: app::twilio(settings)?, openphone: app::openphone(settings)? })
}

/// Takes the texts in, oldest first, and goes on after a failure. Returns how many were not stored meanwhile.
async fn take(lists: &Lists, queue: &Queue, missing: &[MissingText], failures: &mut Vec<String>) -> usize {
    let receiver = Receiver::start(queue.clone());
    let request_id = format!("gaps-{}", new_id(queue.clock().now()));
    let mut taken = 0;
    for text in missing {
        match take_one(lists, queue, &receiver, text, &request_id).await {
            Ok(is_new) => taken += usize::from(is_new),
            Err(error) => failures.push(format!("the text {} was not taken in: {error:#}", text.text().sid)),
        }
    }
    taken
}

/// Returns false if the text was stored meanwhile.
async fn take_one(
    lists: &Lists,
    queue: &Queue,
    receiver: &Receiver,
    text: &MissingText,
    request_id: &str,
) -> anyhow::Result<bool> {
    if let Some(inbox) = &text.unrouted {
        return Ok(route_again(queue, inbox).await?);
    }
    let whole = lists.whole(text).await.context("its media can't be listed now")?;
    if whole.lacks_media {
        complain!("the text {} is taken in without its media, which the provider refuses to list", whole.sid);
    }
    let stored = receiver.take(Accepted::from_list(text.carrier, &whole, request_id, queue.clock().moment())).await;
    let stored = stored.map_err(|error| anyhow::anyhow!("{}", error.cause.unwrap_or(error.message)))?;
    Ok(stored.first)
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
            unrouted: missing.unrouted.is_some(),
            provider_at: missing.sent_at().map(|at| at.to_string()).unwrap_or_default(),
        }
    }
}
