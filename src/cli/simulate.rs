//! `nightshift simulate`

use std::process::ExitCode;

use nightshift_lab::simulate;

use super::console::Terminal;
use super::signals::Signals;

/// Where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift simulate --port 4010
  curl -X POST http://127.0.0.1:4010/_control/faults -H 'content-type: application/json' \\
       -d '[{\"fault\": \"rate_limit_429\", \"times\": 3}]'
  curl -X POST http://127.0.0.1:4010/_control/vapi/scripts -H 'content-type: application/json' \\
       -d '[{\"endsAtPoll\": 5, \"confirmed\": false, \"times\": 1}]'
  curl -X POST http://127.0.0.1:4010/_control/openphone/webhook -H 'content-type: application/json' \\
       -d '{\"url\": \"http://127.0.0.1:3000/api/webhooks/sms\", \"shape\": \"legacy_app\"}'
  curl -X POST http://127.0.0.1:4010/_control/openphone/receive -H 'content-type: application/json' \\
       -d '{\"from\": \"+14155550199\", \"to\": \"+14155550142\", \"text\": \"YES\"}'
  curl -X POST http://127.0.0.1:4010/_control/texts -H 'content-type: application/json' \\
       -d '{\"carrier\": \"twilio\", \"from\": \"+12125550123\", \"to\": \"+12125550151\", \"body\": \"YES\"}'
  curl -X POST http://127.0.0.1:4010/_control/people -H 'content-type: application/json' \\
       -d '[{\"phone\": \"+12125550102\", \"script\": [{\"contains\": \"Reply YES\", \"say\": \"YES\"}]}]'
  curl http://127.0.0.1:4010/_control/ledger http://127.0.0.1:4010/_control/vapi/calls")]
pub(super) struct Args {
    /// The port on this machine; 0 takes a free one.
    #[arg(long, default_value_t = 4010)]
    port: u16,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    simulate::run(args.port, &Terminal::default(), signals.next()).await?;
    Ok(ExitCode::SUCCESS)
}
