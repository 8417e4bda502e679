//! A private PostgreSQL cluster: TLS by a certificate of its own authority, SCRAM passwords, a free port.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use postgres::{Client, Config, NoTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Signal, getuid};

use crate::process::{Kept, children, signal_process};
use crate::wait::wait_until;

/// A running cluster.
pub struct Postgres {
    kept: Kept,
    port: u16,
    password: String,
    authority: String,
    log: PathBuf,
}

/// While this lives, the cluster answers nobody: every process of it is stopped.
pub struct Hang<'a>(&'a Postgres);

impl Postgres {
    /// The name of the administrator that engines use: it may make roles and is no superuser.
    pub const ADMIN: &'static str = "steward";

    /// The cluster that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cluster of its own. What it lost in a crash of the machine no test would miss: it does not sync.
    pub fn start() -> Self {
        Self::make("off")
    }

    /// A cluster that syncs every commit, as operators run theirs.
    pub fn durable() -> Self {
        Self::make("on")
    }

    fn make(fsync: &str) -> Self {
        let bin = newest_bin();
        let folder = new_folder();
        let password = random_text();
        let authority = write_certificates(&folder);
        let password_file = write_private(&folder, "password", &password);
        let data = folder.join("data");
        let made = as_server(&bin.join("initdb"))
            .args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--username=postgres"])
            .arg("--pwfile")
            .arg(password_file)
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&folder)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));

        let cluster = Self::run(folder, password, authority, fsync);
        cluster
            .superuser()
            .batch_execute(&format!(
                "CREATE ROLE {} LOGIN CREATEROLE PASSWORD '{}'; GRANT CREATE ON SCHEMA public TO {0} WITH GRANT OPTION",
                Self::ADMIN,
                cluster.password
            ))
            .expect("the administrator's role");
        cluster
    }

    /// A streaming replica of this cluster: it follows within moments, and answers reads only.
    pub fn standby(&self) -> Self {
        let folder = new_folder();
        let authority = write_certificates(&folder);
        let copied = as_server(&newest_bin().join("pg_basebackup"))
            .args([
                "--host=127.0.0.1",
                "--username=postgres",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ])
            .arg(format!("--port={}", self.port))
            .arg("--pgdata")
            .arg(folder.join("data"))
            .env("PGPASSWORD", &self.password)
            .current_dir(&folder)
            .output()
            .expect("pg_basebackup runs");
        assert!(copied.status.success(), "pg_basebackup failed: {}", String::from_utf8_lossy(&copied.stderr));
        Self::run(folder, self.password.clone(), authority, "off")
    }

    /// Starts the server of a folder with data and certificates.
    fn run(folder: PathBuf, password: String, authority: String, fsync: &str) -> Self {
        let port = free_port();
        let log = folder.join("log");
        let log_file = fs::File::create(&log).expect("a log file");
        let setting = |name: &str, value: &str| ["-c".to_owned(), format!("{name}={value}")];
        let path = |name: &str| folder.join(name).display().to_string();
        let mut command = as_server(&newest_bin().join("postgres"));
        command.arg("-D").arg(folder.join("data")).current_dir(&folder).stdout(Stdio::null()).stderr(log_file);
        for (name, value) in [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", folder.display().to_string()),
            ("max_connections", "200".to_owned()),
            ("fsync", fsync.to_owned()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", path("server.crt")),
            ("ssl_key_file", path("server.key")),
        ] {
            command.args(setting(name, &value));
        }
        let kept = Kept::start(&mut command, Some(folder));
        let cluster = Self { kept, port, password, authority, log };
        wait_until("PostgreSQL to answer", || cluster.try_login("postgres", &cluster.password).ok());
        cluster
    }

    /// The port it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the administrator, and of the superuser.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The certificate of the authority that signed the server's own, in PEM; good for 127.0.0.1 and localhost.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A connection URL with placeholders for name and password.
    pub fn url(&self) -> String {
        self.url_with("127.0.0.1", "sslmode=disable")
    }

    /// The same with another host and other parameters.
    pub fn url_with(&self, host: &str, parameters: &str) -> String {
        format!("postgresql://{{{{username}}}}:{{{{password}}}}@{host}:{}/postgres?{parameters}", self.port)
    }

    /// A session of the superuser.
    pub fn superuser(&self) -> Client {
        self.try_login("postgres", &self.password)
            .unwrap_or_else(|e| panic!("the superuser cannot log in: {e}\n{}", self.log()))
    }

    /// A session of anybody, if admitted.
    pub fn try_login(&self, user: &str, password: &str) -> Result<Client, postgres::Error> {
        Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user(user)
            .password(password)
            .dbname("postgres")
            .connect_timeout(std::time::Duration::from_secs(10))
            .connect(NoTls)
    }

    /// The roles whose names match an SQL LIKE pattern, sorted.
    pub fn roles_like(&self, pattern: &str) -> Vec<String> {
        let rows = self
            .superuser()
            .query("SELECT rolname::text FROM pg_roles WHERE rolname LIKE $1 ORDER BY 1", &[&pattern])
            .expect("roles are listed");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The leases that users belong to, as the server's comments on them say; of users whose names match a LIKE pattern.
    pub fn stamped_leases(&self, pattern: &str) -> BTreeSet<String> {
        let sql = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles
                   WHERE rolname LIKE $1 AND shobj_description(oid, 'pg_authid') LIKE 'cofferdam:%'";
        let rows = self.superuser().query(sql, &[&pattern]).expect("comments are listed");
        let last = |stamp: &str| stamp.rsplit('/').next().unwrap_or_default().to_owned();
        rows.iter().map(|row| last(row.get(0))).collect()
    }

    /// Those of these users that the database lets in no longer before the time given with each.
    pub fn ending_before(&self, due: &[(String, String)]) -> Vec<String> {
        let (users, times): (Vec<&str>, Vec<&str>) = due.iter().map(|(u, t)| (u.as_str(), t.as_str())).unzip();
        let sql = "SELECT rolname::text FROM pg_roles
                   JOIN unnest($1::text[], $2::text[]) AS due (user_name, due_at) ON rolname = user_name
                   WHERE rolvaliduntil < due_at::timestamptz";
        let rows = self.superuser().query(sql, &[&users, &times]).expect("times are compared");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// How many sessions of the engines' administrator stand in a transaction, and wait for its next statement.
    pub fn open_transactions(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in transaction%'";
        self.superuser().query_one(sql, &[&Self::ADMIN]).expect("sessions are counted").get(0)
    }

    /// Whether a role is there.
    pub fn has_role(&self, name: &str) -> bool {
        let row = self.superuser().query_one("SELECT count(*) FROM pg_roles WHERE rolname = $1", &[&name]);
        row.expect("roles are counted").get::<_, i64>(0) == 1
    }

    /// Stops every process of the cluster: connections are accepted by the kernel, and nobody ever answers.
    pub fn hang(&self) -> Hang<'_> {
        self.signal_all(Signal::STOP);
        Hang(self)
    }

    /// From now on the server admits the engines' administrator whatever the password, or no longer.
    pub fn trust(&self, trusted: bool) {
        let rules = self.log.with_file_name("data").join("pg_hba.conf");
        let line = format!("host all {} 127.0.0.1/32 trust\n", Self::ADMIN);
        let strict = fs::read_to_string(&rules).expect("rules are read").replace(&line, "");
        let written = if trusted { line + &strict } else { strict };
        fs::write(&rules, written).expect("rules are written");
        self.superuser().batch_execute("SELECT pg_reload_conf()").expect("a superuser may reload");
        let admits = || self.try_login(Self::ADMIN, "wrong").is_ok();
        wait_until("PostgreSQL to go by its new rules", || (admits() == trusted).then_some(()));
    }

    /// Ends all sessions of the engines' administrator.
    pub fn end_sessions(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
        self.superuser().query(sql, &[&Self::ADMIN]).expect("a superuser may end sessions");
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal_all(&self, signal: Signal) {
        // The parent first, or it would start what is missing.
        self.kept.signal(signal);
        for child in children(self.kept.id()) {
            signal_process(child, signal);
        }
    }
}

impl Drop for Hang<'_> {
    fn drop(&mut self) {
        self.0.signal_all(Signal::CONT);
    }
}

/// A port on 127.0.0.1 that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

/// 128 bits from the kernel, as text.
pub(crate) fn random_text() -> String {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("random bytes");
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn new_folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("cofferdam-pg-").tempdir().expect("a temporary folder").keep();
    give(&folder);
    folder
}

fn newest_bin() -> PathBuf {
    fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
        .expect("PostgreSQL's server programs are installed below /usr/lib/postgresql (`cargo verify` sees to it)")
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn as_server(program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn give(path: &Path) {
    if getuid().is_root() {
        let number = |flag: &str| {
            let output = Command::new("id").args([flag, "postgres"]).output().expect("id runs");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres exists")
        };
        chown(path, Some(number("-u")), Some(number("-g"))).expect("root may give files away");
    }
}

fn write_private(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a file is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file is made private");
    give(&path);
    path
}

/// Writes the server's certificate and key; answers the authority's certificate.
fn write_certificates(folder: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("an authority");
    let issuer = Issuer::new(params, key);

    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server_key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(names)
        .and_then(|params| params.signed_by(&server_key, &issuer))
        .expect("a server's certificate");
    write_private(folder, "server.crt", &server.pem());
    write_private(folder, "server.key", &server_key.serialize_pem());
    authority.pem()
}
