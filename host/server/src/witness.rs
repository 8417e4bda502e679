//! The file beside the store by which copies of a store are told apart.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use cofferdam_core::{Place, Seen, Witness};
use cofferdam_crypto::digest::sha256_hex;
use cofferdam_storage::Sqlite;

const FILE: &str = "cofferdam.mark";
/// By `statfs`: file systems that keep a file's number for as long as there is the file. Others may number files anew
/// at every mount.
const NUMBERED: [u64; 8] = [
    0xef53,      // ext
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
    0xca45_1a4e, // bcachefs
    0x6969,      // NFS
    0x0102_1994, // tmpfs
];

/// The file in a store's directory.
pub(crate) struct MarkFile {
    dir: Dir,
    machine: Option<String>,
}

impl MarkFile {
    /// In this directory. `machine_id` is the operator's name of the machine; the usual one is the system's own.
    pub(crate) fn new(dir: Dir, machine_id: Option<&str>) -> Self {
        let machine = machine_id.map_or_else(own_machine, |id| Some(id.to_owned())).filter(|id| !id.is_empty());
        // The system's id is not for others to read.
        Self { dir, machine: machine.map(|id| sha256_hex(format!("cofferdam machine {id}"))) }
    }
}

/// Whether a mark lies in this directory, and the store that it belongs to does not. Asked before a store is opened: that
/// would make a new one, whose log would do harm to what an operator puts back.
///
/// # Errors
/// What the system says.
pub(crate) fn is_bereft(directory: &Path) -> io::Result<bool> {
    let unless_missing = |found: io::Result<u64>| match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        found => found,
    };
    let dir = match Dir::open_ambient_dir(directory, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        dir => dir?,
    };
    let length = |name: &str| unless_missing(dir.metadata(name).map(|found| found.len()));
    Ok(length(FILE)? > 0 && length(Sqlite::FILE)? == 0)
}

impl Witness for MarkFile {
    fn look(&self) -> io::Result<Option<Seen>> {
        let file = match self.dir.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let place = Place { file: number(&file)?, machine: self.machine.clone() };
        Ok(Some(Seen { text: io::read_to_string(file)?, place }))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let is_new = !self.dir.exists(FILE);
        let mut options = OpenOptions::new();
        // In place: a file that takes its name would be another one, as a copy is.
        let mut file = self.dir.open_with(FILE, options.write(true).create(true).truncate(false).mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if is_new {
            self.dir.open(".")?.sync_all()?;
        }
        Ok(())
    }
}

/// What the file system calls this file. None: nothing that lasts.
fn number(file: &File) -> io::Result<Option<String>> {
    let kind = rustix::fs::fstatfs(file)?.f_type;
    // Magic numbers have 32 bits; where the field is signed, a large one must not become another.
    let kind = u64::try_from(kind & 0xffff_ffff).unwrap_or(0);
    if !NUMBERED.contains(&kind) {
        return Ok(None);
    }
    let metadata = file.metadata()?;
    // Numbers of removed files are used again, times of birth are not.
    let born = metadata.created().ok().and_then(|t| t.into_std().duration_since(UNIX_EPOCH).ok());
    Ok(Some(format!("{}/{}", metadata.ino(), born.map_or(0, |born| born.as_nanos()))))
}

/// What the system calls this machine. A container has no name of its own that lasts.
fn own_machine() -> Option<String> {
    let root = Dir::open_ambient_dir("/", ambient_authority()).ok()?;
    let contained = [".dockerenv", "run/.containerenv", "run/systemd/container"].iter().any(|mark| root.exists(mark))
        || ["container", "KUBERNETES_SERVICE_HOST"].iter().any(|name| std::env::var_os(name).is_some());
    if contained {
        return None;
    }
    let id = root.read_to_string("etc/machine-id").ok()?;
    Some(id.trim().to_owned()).filter(|id| id != "uninitialized")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays_the_same_file_and_a_copy_is_another() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let mark = MarkFile::new(dir.try_clone().unwrap(), Some("one"));
        assert_eq!(mark.look().unwrap(), None);
        mark.write("").unwrap();
        let empty = mark.look().unwrap().unwrap();
        assert_eq!(empty.text, "");
        for text in ["first", "other"] {
            mark.write(text).unwrap();
            let seen = mark.look().unwrap().unwrap();
            assert_eq!((seen.text.as_str(), &seen.place), (text, &empty.place));
        }
        mark.write("").unwrap();
        assert_eq!(mark.look().unwrap().unwrap().text, "other");
        dir.copy(FILE, &dir, "copy").unwrap();
        dir.rename("copy", &dir, FILE).unwrap();
        let copied = mark.look().unwrap().unwrap();
        assert_eq!((copied.text.as_str(), &copied.place.machine), ("other", &empty.place.machine));
        assert!(copied.place.file.is_none() || copied.place.file != empty.place.file);
    }

    #[test]
    fn a_mark_without_its_store_is_seen() {
        let temp = tempfile::tempdir().unwrap();
        assert!(!is_bereft(&temp.path().join("none")).unwrap());
        assert!(!is_bereft(temp.path()).unwrap(), "nothing was here");
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let mark = MarkFile::new(dir.try_clone().unwrap(), None);
        mark.write("").unwrap();
        assert!(!is_bereft(temp.path()).unwrap(), "a first mark that was begun");
        mark.write("a mark").unwrap();
        assert!(is_bereft(temp.path()).unwrap(), "no database");
        dir.write(Sqlite::FILE, "").unwrap();
        assert!(is_bereft(temp.path()).unwrap(), "an empty one");
        dir.write(Sqlite::FILE, "not empty").unwrap();
        assert!(!is_bereft(temp.path()).unwrap());
    }

    #[test]
    fn machines_are_told_apart_without_saying_their_names() {
        let temp = tempfile::tempdir().unwrap();
        let place = |id: &str| {
            let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
            let mark = MarkFile::new(dir, Some(id));
            mark.write("").unwrap();
            mark.look().unwrap().unwrap().place.machine
        };
        assert_eq!(place("one"), place("one"));
        assert_ne!(place("one"), place("two"));
        assert!(!place("one").unwrap().contains("one"));
        assert_eq!(place(""), None, "an operator may say that machines are not compared");
    }
}
