//! `nightshift simulate`

use std::process::ExitCode;

use anyhow::Context;
use nightshift_lab::simulator::{Accounts, Simulator};
use secrecy::ExposeSecret;

use super::signals::Signals;
use crate::output::say;

/// Where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift simulate --port 4010
  curl -X POST http://127.0.0.1:4010/_control/faults -H 'content-type: application/json' \\
       -d '[{\"fault\": \"rate_limit_429\", \"times\": 3}]'
  curl -X POST http://127.0.0.1:4010/_control/vapi/scripts -H 'content-type: application/json' \\
       -d '[{\"endsAtPoll\": 5, \"confirmed\": false, \"times\": 1}]'
  curl http://127.0.0.1:4010/_control/ledger http://127.0.0.1:4010/_control/vapi/calls")]
pub(super) struct Args {
    /// The port on this machine; 0 takes a free one.
    #[arg(long, default_value_t = 4010)]
    port: u16,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let Accounts { twilio: account, vapi } = Accounts::default();
    let (sid, token) = (account.account_sid.clone(), account.auth_token.clone());
    let simulator = Simulator::start(("127.0.0.1", args.port), Accounts { twilio: account, vapi: vapi.clone() })
        .await
        .with_context(|| format!("port {} can't be listened on", args.port))?;
    say!("the simulated providers answer on {}; a server beside them needs:", simulator.base_url());
    say!("SMS_PROVIDER=twilio TWILIO_BASE_URL={} TWILIO_ACCOUNT_SID={sid} \\", simulator.base_url());
    // Opens nothing but this simulator, and is the same in every copy of the program.
    say!("TWILIO_AUTH_TOKEN={} \\", token.expose_secret());
    say!(
        "LIVE_CALL_ENABLED=true VAPI_BASE_URL={} VAPI_API_KEY={} \\",
        simulator.base_url(),
        vapi.api_key.expose_secret()
    );
    say!(
        "VAPI_ASSISTANT_ID={} VAPI_PHONE_NUMBER_ID={} VAPI_WEBHOOK_SECRET=simulated",
        vapi.assistant_id,
        vapi.phone_number_id
    );
    signals.next().await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
