//! Where a store on disk lies: its directory, its lock, and the one path that SQLite is given.

use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, File, OpenOptions};
#[cfg(unix)]
use cap_std::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};

use super::fault::Fault;

pub(super) const FILE: &str = "cofferdam.db";
/// What SQLite writes first, and empties when it closes.
const LOG: &str = "cofferdam.db-wal";
const LOCK: &str = "cofferdam.lock";

/// A directory that is ours while this value lives.
pub(super) struct Place {
    /// SQLite opens its files itself, and beside them a log and the log's index, by names that it makes from this one:
    /// it takes no file handles. So this path is the one thing that the program reaches other than through a `Dir`.
    pub(super) database: PathBuf,
    /// Locked. The operating system drops the lock with the process, however it ends.
    _lock: std::fs::File,
}

impl Place {
    /// Makes the directory, and those above it, where they are missing, and takes it for this process alone.
    pub(super) fn take(path: &Path) -> Result<Self, Fault> {
        let failed = |what: &str, error: std::io::Error| Fault::refused(format!("{what} {}: {error}", path.display()));
        // A relative path would follow a change of the working directory; one that starts with `file:` is a URI to SQLite.
        let absolute = std::path::absolute(path).map_err(|e| failed("cannot resolve", e))?;
        let dir = open_dir(&absolute).map_err(|e| failed("cannot open directory", e))?;
        let lock = private_file(&dir, LOCK).map_err(|e| failed("cannot lock", e))?.into_std();
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Fault::refused(format!("{} is in use by another server", path.display())));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed("cannot lock", error)),
        }
        // SQLite gives its other files the mode that it finds on this one.
        let database = private_file(&dir, FILE).map_err(|e| failed("cannot open the database in", e))?;
        // SQLite would take such a database for a new one, and remove the log with all that is in it.
        if database.metadata().is_ok_and(|found| found.len() == 0) && dir.metadata(LOG).is_ok_and(|log| log.len() > 0) {
            return Err(Fault::damaged(format!("{FILE} is missing or empty, and its log {LOG} is not")));
        }
        Ok(Self { database: absolute.join(FILE), _lock: lock })
    }
}

fn open_dir(path: &Path) -> std::io::Result<Dir> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Dir::open_ambient_dir(path, ambient_authority());
    };
    let parent = match Dir::open_ambient_dir(parent, ambient_authority()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => open_dir(parent)?,
        opened => opened?,
    };
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    match parent.create_dir_with(name, &builder) {
        // A directory whose name is not on the disk is lost with all that lies in it.
        Ok(()) => parent.open(".")?.sync_all()?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // The operator may have put a link there: that is theirs to decide, so it is followed.
    let dir = Dir::open_ambient_dir(path, ambient_authority())?;
    #[cfg(unix)]
    if dir.dir_metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(directory = %path.display(), "the storage directory is open to other users of this machine");
    }
    Ok(dir)
}

fn private_file(dir: &Dir, name: &str) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    dir.open_with(name, &options)
}
