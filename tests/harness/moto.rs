//! A private AWS: moto's server on a free port, and boto3 as a witness of what is in it. Both come from PyPI, once for a
//! target folder.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::artifacts::{checkout, target_root};
use crate::postgres::free_port;
use crate::process::Kept;
use crate::wait::wait_at_most;

/// Starting it on a busy machine takes its time: it imports a lot.
const START: std::time::Duration = std::time::Duration::from_secs(180);

/// Makes the virtual environment once, whoever comes first.
const PREPARE: &str = r#"
set -e
exec 9>"$1.lock"
flock 9
[ -e "$1/ready" ] && exit 0
rm -rf "$1"
python3 -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
touch "$1/ready"
"#;

/// A running cloud.
pub struct Moto {
    _kept: Kept,
    port: u16,
    witness: Mutex<Witness>,
}

struct Witness {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Moto {
    /// The cloud that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cloud of its own.
    pub fn start() -> Self {
        let python = environment();
        let port = free_port();
        let folder = tempfile::Builder::new().prefix("cofferdam-moto-").tempdir().expect("a temporary folder").keep();
        let log = fs::File::create(folder.join("log")).expect("a log file");
        let mut command = Command::new(python.join("moto_server"));
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let mut kept = Kept::start(&mut command, Some(folder));
        wait_at_most(START, "moto to listen", || {
            assert!(kept.alive(), "moto ended at start");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let mut witness = Command::new(python.join("python"))
            .arg(checkout().join("tests/aws/witness.py"))
            .arg(format!("http://127.0.0.1:{port}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let (input, output) = (witness.stdin.take().expect("a pipe"), witness.stdout.take().expect("a pipe"));
        let witness = Witness { _child: witness, input, output: BufReader::new(output) };
        Self { _kept: kept, port, witness: Mutex::new(witness) }
    }

    /// The port it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What boto3 is answered, signed by the cloud's administrator; the code of an error.
    #[track_caller]
    pub fn ask(&self, service: &str, method: &str, arguments: Value) -> Result<Value, String> {
        self.ask_as(service, method, arguments, Value::Null)
    }

    /// The same, signed with these credentials (`aws_access_key_id`, …).
    #[track_caller]
    pub fn ask_as(&self, service: &str, method: &str, arguments: Value, credentials: Value) -> Result<Value, String> {
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(witness.input, "{}", json!([service, method, arguments, credentials])).expect("the witness listens");
        let mut line = String::new();
        witness.output.read_line(&mut line).expect("the witness answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("the witness says {line:?}: {e}"));
        match answer["error"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(answer["ok"].clone()),
        }
    }
}

/// The folder of the programs of a virtual environment with what `requirements.txt` lists.
fn environment() -> PathBuf {
    let requirements = checkout().join("tests/aws/requirements.txt");
    let versions = fs::read_to_string(&requirements).expect("the requirements");
    let name: String = versions
        .lines()
        .filter(|l| !l.starts_with('#'))
        .flat_map(str::chars)
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let folder = target_root().join("python").join(name);
    fs::create_dir_all(folder.parent().expect("a parent")).expect("a folder for python");
    let prepared = Command::new("sh").args(["-c", PREPARE, "prepare"]).arg(&folder).arg(requirements).output();
    let prepared = prepared.expect("sh runs");
    assert!(
        prepared.status.success(),
        "moto and boto3 cannot be installed (python3-venv and PyPI are needed):\n{}",
        String::from_utf8_lossy(&prepared.stderr)
    );
    folder.join("bin")
}
