//! The program as a process of its own, to be killed.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nightshift_db::testing::{Network, TestDb, migrated};
use nightshift_db::{Db, Engine};
use nightshift_lab::simulator::{Accounts, OpenPhoneAccount, ReservedPort, Simulator, VapiAccount};
use secrecy::ExposeSecret;

use super::business;
use super::nightshift::{STRIPE_SECRET, fast_account};
use super::probes::{Probes, Time};

/// Longer than a start takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What processes of one test share: a database with the business in it, a simulator, a port.
pub struct World {
    database: TestDb,
    pub simulator: Simulator,
    /// Taken again by each start, so that clients and callbacks find the program after its restart.
    port: ReservedPort,
    folder: tempfile::TempDir,
    more: Vec<(&'static str, String)>,
    probes: Probes,
}

/// A running program; dropped, it is killed.
pub struct Process {
    child: Child,
    pub url: String,
}

/// Runs `test` with a world of its own.
pub async fn on(engine: Engine, test: impl AsyncFnOnce(World)) {
    test(World::on(engine).await).await;
}

/// A test asks a process what [`Probes`] ask.
impl Deref for World {
    type Target = Probes;

    fn deref(&self) -> &Probes {
        &self.probes
    }
}

fn openphone_secrets() -> String {
    let secrets = OpenPhoneAccount::default().webhook_secrets;
    secrets.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>().join(",")
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("log.jsonl")
}

impl World {
    pub async fn on(engine: Engine) -> Self {
        Self::new(migrated(engine).await).await
    }

    pub async fn new(database: TestDb) -> Self {
        nightshift_providers::tls::install();
        business::seed_into(&database.db).await;
        let simulator = Simulator::start("127.0.0.1:0", Accounts { twilio: fast_account(), ..Accounts::default() })
            .await
            .expect("a simulator");
        let port = ReservedPort::any().expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let probes = Probes::new(database.db.clone(), Time::Real { log: log_in(folder.path()) });
        Self { database, simulator, port, folder, more: Vec::new(), probes }
    }

    pub fn db(&self) -> &Db {
        &self.database.db
    }

    /// A network that leads to the database's server, and the database's address over it.
    pub async fn network_to_database(&self) -> (Network, String) {
        self.database.over_a_network().await
    }

    /// Another database for all processes from now on.
    pub fn use_database(&mut self, database: TestDb) {
        self.probes = Probes::new(database.db.clone(), Time::Real { log: self.log() });
        self.database = database;
    }

    /// Another setting for all processes from now on.
    pub fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.more.retain(|(name, _)| *name != variable);
        self.more.push((variable, value.into()));
    }

    /// Starts `nightshift serve` on the world's port.
    pub fn serve(&self) -> Process {
        self.serve_with(&["--role", "all"], &[])
    }

    /// Starts `nightshift serve` with other roles and settings.
    pub fn serve_with(&self, roles: &[&str], more: &[(&str, &str)]) -> Process {
        let mut command = self.command(&["serve"]);
        command.args(roles).envs(more.iter().copied());
        Process::start(command)
    }

    /// The program with this world's settings and nothing from the environment of the test.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let (account, vapi) = (fast_account(), VapiAccount::default());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let mut command = program();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", &self.database.url)
            .env("PORT", self.port.number().to_string())
            .env("ENABLE_AUTH", "false")
            .env("ENABLE_WEBHOOK_VALIDATION", "true")
            .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)
            .env("SMS_PROVIDER", "twilio")
            .env("TWILIO_ACCOUNT_SID", account.account_sid)
            .env("TWILIO_AUTH_TOKEN", account.auth_token.expose_secret())
            .env("TWILIO_BASE_URL", self.simulator.base_url())
            .env("OPENPHONE_API_KEY", OpenPhoneAccount::default().api_key.expose_secret())
            .env("OPENPHONE_BASE_URL", self.simulator.base_url())
            .env("OPENPHONE_WEBHOOK_SECRET", openphone_secrets())
            .env("VAPI_API_KEY", vapi.api_key.expose_secret())
            .env("VAPI_ASSISTANT_ID", vapi.assistant_id)
            .env("VAPI_PHONE_NUMBER_ID", vapi.phone_number_id)
            .env("VAPI_BASE_URL", self.simulator.base_url())
            .env("VAPI_WEBHOOK_SECRET", "vapi-test-secret")
            .env("NIGHTSHIFT__TWILIO__REPLY_WAIT_MS", "8000")
            .env("NIGHTSHIFT__HTTP__RATE_LIMIT_PER_MINUTE", "1000000")
            .env("NIGHTSHIFT__HTTP__WEBHOOK_RATE_LIMIT_PER_MINUTE", "1000000")
            .env("LOG_FORMAT", "json")
            // No test of these processes sets the clock of the server.
            .env("NIGHTSHIFT_SKIP", "rescue.pause_after_start")
            .envs(self.more.iter().map(|(name, value)| (*name, value.as_str())))
            .stderr(log);
        command
    }

    /// A folder that lasts as long as the world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        log_in(self.folder.path())
    }

    /// Where the program answers, whenever it runs.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Everything that all processes of this world have logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

/// The program, without the environment of the test but for a deliberate defect.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightshift"));
    command.env_clear().stdin(Stdio::null());
    for kept in ["PATH", "HOME", "TMPDIR", "NIGHTSHIFT_SABOTAGE"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut greeting = String::new();
        lines.read_line(&mut greeting).expect("its greeting");
        let url = greeting.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default().to_owned();
        Self { child, url }
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, as SIGTERM does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Stops it where it is, as a machine without processor time does.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "the process has ended already");
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            // The simulator must be able to answer meanwhile.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The most memory it has had at a time, in MiB.
    #[cfg(target_os = "linux")]
    pub fn memory_peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
