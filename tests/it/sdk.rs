//! The providers' official clients against the simulator: what tests rely on is what the real services would say.
//!
//! Each client lives in a virtual environment of its own under the target folder, made once for a list of pinned versions.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nightshift_lab::simulator::{Accounts, Simulator};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::support::nightshift::fast_account;

#[tokio::test]
async fn vapis_own_client_finds_the_simulator_to_be_vapi() {
    let Some(python) = python("vapi-requirements.txt").await else { return };
    let simulator = Simulator::start("127.0.0.1:0", Accounts::default()).await.expect("a simulator");
    let account = Accounts::default().vapi;
    let arguments = [
        simulator.base_url().as_str(),
        account.api_key.expose_secret(),
        &account.assistant_id,
        &account.phone_number_id,
        "http://127.0.0.1:9/api/webhooks/vapi",
    ]
    .map(str::to_owned);
    let told = run(&python, "vapi.py", &arguments).await;
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 5, "{told}");
    // What the client sent is what was placed, as the program under test would have sent it.
    let placed = simulator.vapi().calls();
    let names: Vec<&str> = placed.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["sdk-one", "sdk-two"]);
    assert!(placed.iter().all(|call| call.overrides["server"].get("secret").is_none()));
}

#[tokio::test]
async fn twilios_own_client_finds_the_simulator_to_be_twilio() {
    let Some(python) = python("twilio-requirements.txt").await else { return };
    let account = fast_account();
    let accounts = Accounts { twilio: account.clone(), ..Accounts::default() };
    let simulator = Simulator::start("127.0.0.1:0", accounts).await.expect("a simulator");
    let arguments = [
        simulator.base_url().as_str(),
        account.account_sid.as_str(),
        account.auth_token.expose_secret(),
        account.api_key.0.as_str(),
        account.api_key.1.expose_secret(),
    ]
    .map(str::to_owned);
    run(&python, "twilio.py", &arguments).await;
}

/// Runs a script of `tests/sdk` to its end, and returns what it printed.
async fn run(python: &Path, script: &str, arguments: &[String]) -> String {
    let output = Command::new(python)
        // Isolated: the script's own folder, in which it has the client's name, is not searched.
        .arg("-I")
        .arg(folder().join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the script runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// A Python that has these packages. None where `./test` has said that there can be none.
pub async fn python(requirements: &str) -> Option<PathBuf> {
    if std::env::var_os("NIGHTSHIFT_TEST_NO_SDK").is_some() {
        eprintln!("NIGHTSHIFT_TEST_NO_SDK is set: what {requirements} lists is not asked");
        return None;
    }
    let requirements = folder().join(requirements);
    let pinned = std::fs::read(&requirements).expect("a list of packages");
    let name = format!("sdk-{}", hex::encode(&Sha256::digest(&pinned)[..8]));
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let (python, complete) = (environment.join("bin/python"), environment.join("complete"));
    // Tests run in processes of their own: one makes the environment, the others wait for it.
    let lock = std::fs::File::create(environment.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !complete.exists() {
        let _ = std::fs::remove_dir_all(&environment);
        must(Command::new("python3").args(["-m", "venv"]).arg(&environment)).await;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        must(Command::new(&python).args(pip).arg(&requirements)).await;
        std::fs::write(&complete, "").expect("a mark that it is complete");
    }
    Some(python)
}

async fn must(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().await.expect("python3 starts; ./test says when there is none");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{problem}\nWithout python3 and pip set NIGHTSHIFT_TEST_NO_SDK=1.");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}
