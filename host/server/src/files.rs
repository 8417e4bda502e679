//! The few files that the server itself writes, each replaced in one step; and reading what an operator named.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _, File, OpenOptions, OpenOptionsExt as _};

/// All of a file that an operator named, wherever links lead.
pub(crate) fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open_ambient(path, ambient_authority())?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The directory, made with everything above it if it is not there.
pub(crate) fn directory(path: &Path) -> io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    Dir::open_ambient_dir(path, ambient_authority())
}

/// A directory of our own inside of another.
pub(crate) fn private_directory(inside: &Dir, name: &str) -> io::Result<Dir> {
    match inside.create_dir_with(name, DirBuilder::new().mode(0o700)) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => inside.open_dir(name),
    }
}

/// Replaces `name` by these bytes: a reader sees the old file or the new one.
pub(crate) fn replace(dir: &Dir, name: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let draft = PathBuf::from(format!(".{}.{}", name.display(), std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = dir.open_with(&draft, options.write(true).create(true).truncate(true).mode(mode))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| dir.rename(&draft, dir, name));
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = dir.remove_file(&draft);
    }
    written
}

/// A file that belongs to the running process, and goes with it.
pub(crate) struct PidFile {
    dir: Dir,
    name: PathBuf,
}

impl PidFile {
    /// Writes this process's number to the file.
    pub(crate) fn write(path: &str) -> io::Result<Self> {
        let path = Path::new(path);
        let name = PathBuf::from(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dir = Dir::open_ambient_dir(parent, ambient_authority())?;
        replace(&dir, &name, std::process::id().to_string().as_bytes(), 0o644)?;
        Ok(Self { dir, name })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = self.dir.remove_file(&self.name) {
            tracing::warn!("the pid file {} stays behind: {error}", self.name.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use cap_std::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn replaced_files_have_their_mode_and_leave_no_drafts() {
        let temp = tempfile::tempdir().unwrap();
        let dir = directory(&temp.path().join("a/b")).unwrap();
        for text in ["first, and longer", "second"] {
            replace(&dir, Path::new("token"), text.as_bytes(), 0o600).unwrap();
        }
        assert_eq!(dir.read_to_string("token").unwrap(), "second");
        assert_eq!(dir.metadata("token").unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(dir.entries().unwrap().count(), 1);
        private_directory(&dir, "own").unwrap();
        private_directory(&dir, "own").unwrap();
        assert_eq!(dir.metadata("own").unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_pid_file_lives_as_long_as_its_process() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("pid");
        let file = PidFile::write(&path.display().to_string()).unwrap();
        let dir = directory(temp.path()).unwrap();
        assert_eq!(dir.read_to_string("pid").unwrap(), std::process::id().to_string());
        drop(file);
        assert!(!dir.exists("pid"));
    }
}
