//! Starts and kills processes of the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::simulator::ReservedPort;

/// The executable, and the folder, port and environment that its processes get.
pub(super) struct Program {
    pub(super) executable: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) port: ReservedPort,
    pub(super) settings: Vec<(&'static str, String)>,
}

/// A running process. Dropping it kills the process.
pub(super) struct Child {
    child: std::process::Child,
    pub(super) role: &'static str,
}

impl Program {
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    pub(super) fn start(&self, role: &'static str) -> anyhow::Result<Child> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log_file(&self.folder));
        let mut command = Command::new(&self.executable);
        command
            .args(["serve", "--role", role])
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .env("PORT", self.port.number().to_string())
            .env("PUBLIC_URL", self.url())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.context("the log file can't be opened")?);
        Ok(Child { child: command.spawn().context("the program can't be started")?, role })
    }
}

impl Child {
    /// Kills the process with SIGKILL and waits for its end.
    pub(super) fn kill(&mut self) {
        // Fails only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the file to which all processes write their log lines.
pub(super) fn log_file(folder: &Path) -> PathBuf {
    folder.join("log.txt")
}
