//! The programs beside the server: what it is held against. Each is built from this checkout, in the profile of the bench.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Server, checkout, profile, target_folder, target_root};
use tempfile::TempDir;

/// Builds an example of a host's crate; answers where it is.
fn example(package: &str, name: &str) -> PathBuf {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--profile", &profile(), "--package", package, "--example", name, "--target-dir"])
        .arg(target_root())
        .current_dir(checkout())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{package}'s example {name} does not build");
    target_folder().join("examples").join(name)
}

/// The component of an engine, compiled with the server.
pub(crate) fn component(engine: &str) -> PathBuf {
    target_root().join(format!("guests/wasm32-wasip2/release/engine_{engine}.wasm"))
}

/// The store without a server.
pub(crate) struct Store {
    child: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
    _folder: TempDir,
}

/// Copies of a lease in a stopped server's store, due between so many seconds from the moment that is answered.
pub(crate) fn fill(server: &Server, count: usize, due: Range<i64>) -> Instant {
    let mut program = Command::new(example("cofferdam-storage", "load"));
    let begin = Instant::now();
    let status = program
        .arg("fill")
        .arg(server.folder().join("data"))
        .args([server.keys()[0].to_string(), count.to_string(), due.start.to_string(), due.end.to_string()])
        .stdout(Stdio::null())
        .status()
        .expect("the store's program runs");
    assert!(status.success(), "the store was not filled");
    begin
}

impl Store {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(example("cofferdam-storage", "load"))
            .arg("serve")
            .arg(folder.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the store's program starts");
        let say = child.stdin.take().expect("its input");
        let hear = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, say, hear, _folder: folder }
    }

    /// Synced batches of these rows a second.
    pub(crate) fn rate(&mut self, rows: &str, clients: usize, time: Duration) -> f64 {
        writeln!(self.say, "{rows} {clients} {}", time.as_millis()).expect("the store is asked");
        let mut line = String::new();
        self.hear.read_line(&mut line).expect("the store answers");
        line.trim().parse().expect("a rate")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Ended already is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Credentials without a server: intent, users as a script says, activation.
pub(crate) struct Native {
    program: PathBuf,
    script: PathBuf,
    url: String,
}

impl Native {
    /// Users by this script in the database behind `url`.
    pub(crate) fn new(script: PathBuf, url: String) -> Self {
        Self { program: example("cofferdam-storage", "native"), script, url }
    }

    /// How many are made in a second.
    pub(crate) fn rate(&self, clients: usize, time: Duration) -> f64 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new(&self.program)
            .arg(folder.path().join("data"))
            .arg(&self.script)
            .args([&self.url, &clients.to_string(), &time.as_millis().to_string()])
            .output()
            .expect("the native program runs");
        assert!(output.status.success(), "native: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a rate")
    }
}

/// The listeners' server with an answer that never changes.
pub(crate) struct Static {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Static {
    /// With this body.
    pub(crate) fn start(body: &str) -> Self {
        Self::run(&example("cofferdam-api", "static"), body, &[])
    }

    /// The same, with an instance of this component for each answer.
    pub(crate) fn with_instances(body: &str, component: &Path) -> Self {
        Self::run(&example("cofferdam-sandbox", "instances"), body, &[component])
    }

    fn run(program: &Path, body: &str, more: &[&Path]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("body");
        std::fs::write(&file, body).expect("a file is written");
        let mut child = Command::new(program)
            .arg(file)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the static server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("its address");
        Self { child, address: line.trim().parse().expect("an address"), _folder: folder }
    }
}

impl Drop for Static {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
