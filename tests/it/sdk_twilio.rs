//! Twilio's own Python client against the simulator, so that the simulator answers what Twilio's clients ask.
//!
//! The client is installed into the target folder once, in the pinned version. Without Python, or with
//! `NIGHTSHIFT_TEST_NO_SDK` set (a machine without a package registry), the test says so and shows nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nightshift_providers::simulator::{Accounts, Simulator};
use secrecy::ExposeSecret;

use crate::support::nightshift::fast_account;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// Python with the pinned client; none when the machine has none.
fn python() -> Option<PathBuf> {
    if std::env::var_os("NIGHTSHIFT_TEST_NO_SDK").is_some() {
        eprintln!("SKIPPED: NIGHTSHIFT_TEST_NO_SDK is set, so Twilio's own client was not tried");
        return None;
    }
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: there is no python3, so Twilio's own client was not tried");
        return None;
    }
    let requirements = format!("{FOLDER}/requirements-twilio.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the requirements");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-twilio");
    let (python, installed) = (venv.join("bin/python"), venv.join("installed.txt"));
    if std::fs::read_to_string(&installed).is_ok_and(|has| has == wanted) {
        return Some(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements));
    std::fs::write(installed, wanted).expect("a note of what is installed");
    Some(python)
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twilios_own_client_is_answered_as_by_twilio() {
    let Some(python) = python() else { return };
    let account = fast_account();
    let simulator = Simulator::start("127.0.0.1:0", Accounts { twilio: account.clone(), ..Accounts::default() })
        .await
        .expect("a simulator");
    let mut command = Command::new(python);
    // Isolated, or the script, which is named like the client, would be taken for it.
    command.arg("-I").arg(format!("{FOLDER}/twilio.py")).arg(simulator.base_url()).args([
        account.account_sid.as_str(),
        account.auth_token.expose_secret(),
        account.api_key.0.as_str(),
        account.api_key.1.expose_secret(),
    ]);
    tokio::task::spawn_blocking(move || run(&mut command)).await.expect("the client ends");
    simulator.stop().await;
}
