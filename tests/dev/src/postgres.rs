//! A private PostgreSQL: found, made in a folder of its own, started on a free port, gone with this program.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::run::{Kept, Outcome, take, text, wait_for};
use crate::setup::{is_root, locate};

/// A PostgreSQL server that somebody may administer.
pub(crate) struct Postgres {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    /// The server, where it is ours.
    _kept: Option<Kept>,
}

impl Postgres {
    /// The server that COFFERDAM_DEMO_PG names, or a private one.
    pub(crate) fn get() -> Outcome<Self> {
        match std::env::var("COFFERDAM_DEMO_PG") {
            Ok(url) => Self::named(&url),
            Err(_) => Self::start(),
        }
    }

    fn named(url: &str) -> Outcome<Self> {
        let bad = || "COFFERDAM_DEMO_PG is not postgresql://user:password@host:port/database".to_owned();
        let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://")).ok_or_else(bad)?;
        let (user_info, place) = rest.rsplit_once('@').ok_or_else(bad)?;
        let (user, password) = user_info.split_once(':').ok_or_else(bad)?;
        let (authority, database) = place.split_once('/').unwrap_or((place, "postgres"));
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "5432"));
        let database = database.split('?').next().filter(|d| !d.is_empty()).unwrap_or("postgres");
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| bad())?,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            _kept: None,
        })
    }

    fn start() -> Outcome<Self> {
        let bin = bin().ok_or("PostgreSQL's server programs are not here (looked below /usr/lib/postgresql)")?;
        let folder = std::env::temp_dir().join(format!("cofferdam-demo-{}", std::process::id()));
        let password = secret()?;
        make_folder(&folder)?;
        let password_file = folder.join("password");
        fs::write(&password_file, &password).map_err(|e| format!("cannot write {}: {e}", password_file.display()))?;
        own(&folder)?;
        own(&password_file)?;
        let data = folder.join("data");
        text(
            as_server(&bin.join("initdb"))
                .args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--username=postgres"])
                .arg("--pwfile")
                .arg(&password_file)
                .arg("--pgdata")
                .arg(&data)
                .current_dir(&folder),
        )?;
        let port = free_port()?;
        let log = fs::File::create(folder.join("log")).map_err(|e| format!("cannot write a log: {e}"))?;
        let kept = Kept::start(
            as_server(&bin.join("postgres"))
                .arg("-D")
                .arg(&data)
                .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
                .args(["-c", &format!("unix_socket_directories={}", folder.display())])
                .current_dir(&folder)
                .stdout(Stdio::null())
                .stderr(log),
            "QUIT",
            &folder,
        )?;
        let server = Self {
            host: "127.0.0.1".to_owned(),
            port,
            user: "postgres".to_owned(),
            password,
            database: "postgres".to_owned(),
            _kept: Some(kept),
        };
        wait_for("PostgreSQL to answer", Duration::from_secs(30), || server.query("select 1").ok())?;
        Ok(server)
    }

    /// psql as some user, unaligned and without headings.
    pub(crate) fn psql(&self, user: &str, password: &str) -> Command {
        let program = locate("psql").or_else(|| bin().map(|b| b.join("psql"))).unwrap_or_else(|| "psql".into());
        let mut command = Command::new(program);
        command
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", &self.host, "-p", &self.port.to_string(), "-U", user, "-d", &self.database])
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "5");
        command
    }

    /// One query's answer, as the administrator.
    pub(crate) fn query(&self, sql: &str) -> Outcome<String> {
        text(self.psql(&self.user, &self.password).args(["-c", sql]))
    }

    /// Whether somebody can log in.
    pub(crate) fn admits(&self, user: &str, password: &str) -> bool {
        take(self.psql(user, password).args(["-c", "select 1"])).is_ok_and(|o| o.status.success())
    }
}

/// The folder of the newest server that is installed.
pub(crate) fn bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin);
    newest.or_else(|| locate("initdb")?.parent().map(Path::to_path_buf))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Outcome<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port: {e}"))
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn make_folder(folder: &Path) -> Outcome<()> {
    fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(|e| format!("cannot make {}: {e}", folder.display()))
}

fn own(path: &Path) -> Outcome<()> {
    if !is_root() {
        return Ok(());
    }
    let number = |flag: &str| {
        text(Command::new("id").args([flag, "postgres"]))?.parse::<u32>().map_err(|e| format!("id said no number: {e}"))
    };
    chown(path, Some(number("-u")?), Some(number("-g")?)).map_err(|e| format!("cannot give {}: {e}", path.display()))
}

/// 128 bits from the kernel, as text.
fn secret() -> Outcome<String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|e| format!("no random bytes: {e}"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
