//! The server under test: the real binary, on a port of its own, killed and restarted at will.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::artifacts::{armed_binary, binary};
use crate::points::Points;
use crate::postgres::free_port;
use crate::process::{Kept, powerless};
use crate::syncs::Syncs;
use crate::wait::{PATIENCE, wait_at_most, wait_until};

/// A running server. Dropping it kills it.
pub struct Server {
    kept: Option<Kept>,
    arguments: Vec<String>,
    url: String,
    root: String,
    keys: Vec<Key>,
    folder: Arc<TempDir>,
    under: Under,
    /// Of a build with failpoints.
    points: Option<Points>,
}

/// What it is started under.
enum Under {
    Nothing,
    /// None of root's powers.
    Powerless,
    /// A largest size of files, in KiB.
    FileSize(u32),
    /// What writes its syncs down.
    Syncs(Syncs),
}

impl Under {
    fn command(&self, binary: &Path) -> Command {
        match self {
            Self::Nothing => Command::new(binary),
            Self::Powerless => powerless(binary),
            Self::FileSize(kib) => {
                // An ignored signal stays ignored in the program that the shell becomes: its writes fail instead.
                let mut shell = Command::new("bash");
                shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"")]).arg(binary);
                shell
            }
            Self::Syncs(syncs) => syncs.command(binary),
        }
    }
}

/// One share of the unseal key.
pub type Key = String;

impl Server {
    /// A development server: in memory, unsealed, root token `root`.
    pub fn dev() -> Self {
        Self::dev_with(&[])
    }

    /// The same with further flags.
    pub fn dev_with(flags: &[String]) -> Self {
        Self::develop(flags, Under::Nothing)
    }

    /// A development server as an ordinary user runs one, also where the tests run as root.
    pub fn powerless() -> Self {
        Self::develop(&[], Under::Powerless)
    }

    fn develop(flags: &[String], under: Under) -> Self {
        let folder = new_folder();
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments: Vec<String> = ["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        arguments.push(format!("-dev-listen-address={address}"));
        arguments.extend_from_slice(flags);
        let mut server = Self::new(arguments, &address, folder, "root");
        server.under = under;
        server.boot();
        let log = wait_until("the development server's unseal key", || {
            let log = server.log();
            log.contains("Unseal Key:").then_some(log)
        });
        server.keys = log.lines().filter_map(|l| Some(l.split_once("Unseal Key:")?.1.trim().to_owned())).collect();
        server
    }

    /// A configured server, not yet initialised.
    pub fn blank() -> Self {
        Self::configured(false, None)
    }

    /// As [`Server::stored`], in a build with failpoints.
    pub fn armed() -> Self {
        static FIRST: OnceLock<Seed> = OnceLock::new();
        FIRST.get_or_init(|| Seed::new(true, USUAL)).server()
    }

    /// As [`Server::stored_for_aws`], in a build with failpoints.
    pub fn armed_for_aws() -> Self {
        static FIRST: OnceLock<Seed> = OnceLock::new();
        FIRST.get_or_init(|| Seed::new(true, &["aws"])).server()
    }

    fn configured(armed: bool, seed: Option<&Seed>) -> Self {
        let folder = new_folder();
        let address = format!("127.0.0.1:{}", free_port());
        let data = folder.path().join("data");
        if let Some(seed) = seed {
            seed.plant(&data);
        }
        let storage = format!("storage \"sqlite\" {{\n  path = \"{}\"\n}}\n", data.display());
        let config = folder.path().join("server.hcl");
        let listener = format!("listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n");
        fs::write(&config, format!("{storage}{listener}")).expect("a configuration is written");
        let arguments = vec!["server".to_owned(), format!("-config={}", config.display())];
        let points = armed.then(|| Points::new(folder.path()));
        let mut server = Self::new(arguments, &address, folder, "");
        server.points = points;
        if let Some(seed) = seed {
            server.root.clone_from(&seed.root);
            server.keys.clone_from(&seed.keys);
        }
        server.boot();
        server
    }

    /// A configured server on the embedded store, initialised with one share and unsealed.
    pub fn stored() -> Self {
        static FIRST: OnceLock<Seed> = OnceLock::new();
        FIRST.get_or_init(|| Seed::new(false, USUAL)).server()
    }

    /// The same, and it has compiled the engine `aws`, which takes longer than the usual ones together.
    pub fn stored_for_aws() -> Self {
        static FIRST: OnceLock<Seed> = OnceLock::new();
        FIRST.get_or_init(|| Seed::new(false, &["aws"])).server()
    }

    /// Initialises it and remembers the shares and the root token.
    #[track_caller]
    pub fn init(&mut self, shares: usize, threshold: usize) -> Value {
        let body = json!({ "secret_shares": shares, "secret_threshold": threshold });
        let answer = self.api().anonymous().put("sys/init", body).expect(200);
        let keys = answer["keys_base64"].as_array().expect("shares");
        self.keys = keys.iter().map(|k| k.as_str().expect("a share").to_owned()).collect();
        self.root = answer["root_token"].as_str().expect("a root token").to_owned();
        answer
    }

    /// Hands in shares until it is unsealed.
    #[track_caller]
    pub fn unseal(&self) {
        let api = self.api().anonymous();
        for key in &self.keys {
            let state = api.put("sys/unseal", json!({ "key": key })).expect(200);
            if state["sealed"] == false {
                wait_until("the unsealed server to be active", || (api.get("sys/health").status == 200).then_some(()));
                return;
            }
        }
        panic!("all shares handed in, still sealed\n{}", self.log());
    }

    /// Ends it with SIGKILL, at whatever it is doing.
    pub fn kill(&mut self) {
        if let Some(mut kept) = self.kept.take() {
            kept.kill();
        }
    }

    /// Asks it to end, and waits until it did.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(mut kept) = self.kept.take() {
            kept.signal(Signal::TERM);
            wait_until("the server to end when asked", || (!kept.alive()).then_some(()));
        }
    }

    /// Starts it again on the same store and address; it is sealed then.
    pub fn start_again(&mut self) {
        assert!(self.kept.is_none(), "it still runs");
        self.boot();
    }

    /// From the next start on, no file of it may grow beyond so many KiB: as if the disk were full.
    pub fn limit_files(&mut self, kib: Option<u32>) {
        self.under = kib.map_or(Under::Nothing, Under::FileSize);
    }

    /// From the next start on its syncs are written down. `failing`: the so-many-th of each thread fails.
    pub fn trace_syncs(&mut self, failing: Option<u32>) {
        self.under = Under::Syncs(Syncs::new(self.folder(), failing));
    }

    /// From the next start on they are not.
    pub fn trace_nothing(&mut self) {
        self.under = Under::Nothing;
    }

    /// Its syncs.
    pub fn syncs(&self) -> &Syncs {
        let Under::Syncs(syncs) = &self.under else { panic!("its syncs are not written down") };
        syncs
    }

    /// Asks it to end, starts it again and unseals it.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
        self.unseal();
    }

    /// Kills it, starts it again and unseals it.
    pub fn crash_and_recover(&mut self) {
        self.kill();
        self.start_again();
        self.unseal();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.kept.as_ref().expect("the server runs").signal(signal);
    }

    /// Stops it, and returns when no thread of it runs any more.
    #[track_caller]
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let threads = PathBuf::from(format!("/proc/{}/task", self.id()));
        let stands = |thread: &Path| {
            // The state comes after the name, which is in brackets.
            let stat = fs::read_to_string(thread.join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        wait_until("the server to stand still", || {
            let mut threads = fs::read_dir(&threads).expect("a process has threads").flatten();
            threads.all(|thread| stands(&thread.path())).then_some(())
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// A client with the root token.
    pub fn api(&self) -> Api {
        Api::new(&self.url, (!self.root.is_empty()).then_some(self.root.as_str()))
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The root token.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The shares of the unseal key.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Its folder: configuration, log and, on the embedded store, the data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it printed so far, over all starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Its failpoints.
    pub fn points(&self) -> &Points {
        self.points.as_ref().expect("a server with failpoints")
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.kept.as_ref().expect("the server runs").id()
    }

    fn new(arguments: Vec<String>, address: &str, folder: Arc<TempDir>, root: &str) -> Self {
        Self {
            kept: None,
            arguments,
            url: format!("http://{address}"),
            root: root.to_owned(),
            keys: Vec::new(),
            folder,
            under: Under::Nothing,
            points: None,
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    #[track_caller]
    fn boot(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let error_log = log.try_clone().expect("a second handle");
        let binary = if self.points.is_some() { armed_binary() } else { binary() };
        let mut command = self.under.command(binary);
        command
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("VAULT_ADDR")
            .env_remove("VAULT_TOKEN")
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(error_log));
        if let Some(points) = &self.points {
            command.env(Points::VARIABLE, points.folder());
        }
        let mut kept = Kept::start(&mut command, None);
        let api = Api::new(&self.url, None);
        let end = std::time::Instant::now() + PATIENCE;
        while api.try_send("GET", "sys/seal-status", None).is_err() {
            assert!(kept.alive(), "the server ended at start:\n{}", self.log());
            assert!(std::time::Instant::now() < end, "the server does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kept = Some(kept);
    }
}

/// Engines that most tests use.
const USUAL: &[&str] = &["kv", "database"];
/// How long the slowest machine takes to compile an engine.
const COMPILED: Duration = Duration::from_secs(600);

/// The data of a server that was initialised, has compiled its engines, and ended. Compiling takes longer than all
/// else in a test.
struct Seed {
    armed: bool,
    files: Vec<(PathBuf, Vec<u8>)>,
    root: String,
    keys: Vec<Key>,
}

impl Seed {
    fn new(armed: bool, engines: &[&str]) -> Self {
        let mut server = Server::configured(armed, None);
        server.init(1, 1);
        server.unseal();
        let api = server.api();
        for kind in engines {
            // Busy cores compile for longer than a request may take, and the mount comes after its answer.
            wait_at_most(COMPILED, "an engine to be compiled", || {
                let mounted = api.post("sys/mounts/first", json!({ "type": kind })).is_ok()
                    || api.get("sys/mounts").expect(200)["data"].get("first/").is_some();
                mounted.then_some(())
            });
            api.delete("sys/mounts/first").ok();
        }
        server.stop();
        let mut files = Vec::new();
        read_all(&server.folder().join("data"), Path::new(""), &mut files);
        Self { armed, files, root: server.root.clone(), keys: server.keys.clone() }
    }

    fn server(&self) -> Server {
        let server = Server::configured(self.armed, Some(self));
        server.unseal();
        // The planted data are a copy, and nobody else uses the original.
        server.api().post("sys/fence", json!({ "only_copy": true })).expect(204);
        server
    }

    fn plant(&self, data: &Path) {
        for (name, content) in &self.files {
            let path = data.join(name);
            let folder = path.parent().expect("a file in a folder");
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("a private folder");
            fs::write(&path, content).expect("a file is written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a private file");
        }
    }
}

fn read_all(data: &Path, below: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(data.join(below)).expect("a folder") {
        let name = below.join(entry.expect("an entry").file_name());
        let path = data.join(&name);
        if path.is_dir() {
            read_all(data, &name, files);
        } else {
            files.push((name, fs::read(path).expect("a file is read")));
        }
    }
}

fn new_folder() -> Arc<TempDir> {
    Arc::new(tempfile::Builder::new().prefix("cofferdam-server-").tempdir().expect("a temporary folder"))
}
