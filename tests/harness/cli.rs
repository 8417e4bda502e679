//! The binary under its other name, as a person runs it.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::artifacts::binary;
use crate::server::Server;

/// A shell of sorts: a home of its own, `vault` on its path, nothing of the caller's environment.
pub struct Cli {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit status.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Cli {
    /// Aimed at a server, with its root token.
    pub fn of(server: &Server) -> Self {
        Self::bare().with("VAULT_ADDR", server.url()).with("VAULT_TOKEN", server.root())
    }

    /// Aimed at nothing.
    pub fn bare() -> Self {
        let home = tempfile::tempdir().expect("a home");
        symlink(binary(), home.path().join("vault")).expect("a link to the binary");
        Self { home, environment: Vec::new() }
    }

    /// With one more environment variable, or another value for it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without an environment variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self
    }

    /// The home folder.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Runs `vault …`.
    pub fn run(&self, arguments: &[&str]) -> Said {
        self.run_with_input(arguments, "")
    }

    /// Runs `vault …` with something on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = Command::new(self.home.path().join("vault"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .envs(self.environment.iter().cloned())
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // A command that does not read its input closes it early; that is no fault.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Said::from(child.wait_with_output().expect("the binary ends"))
    }

    /// Standard output of a command that must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert!(said.code == 0, "vault {}: {said:?}", arguments.join(" "));
        said.out
    }

    /// The same, read as JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(arguments);
        serde_json::from_str(&out)
            .unwrap_or_else(|e| panic!("vault {} printed no JSON: {e}\n{out}", arguments.join(" ")))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
