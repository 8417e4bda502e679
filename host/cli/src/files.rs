//! The one place where the command line opens files: those that the user names, and the token file.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use cofferdam_client::Files;

/// The files that the user names are opened with the user's own authority: naming them is the permission.
pub(crate) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open_ambient(file, ambient_authority())?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces a file in one step; the old contents are whole until the new ones are.
pub(crate) fn replace(file: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let (folder, name) = parts(file)?;
    let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
    let temporary = format!(".{}.{}.tmp", name.display(), std::process::id());
    let result = write_new(&folder, &temporary, contents, mode).and_then(|()| folder.rename(&temporary, &folder, name));
    if result.is_err() {
        // The error that matters is the first one.
        let _ = folder.remove_file(&temporary);
    }
    result
}

fn write_new(folder: &Dir, name: &str, contents: &[u8], mode: u32) -> io::Result<()> {
    // A leftover of a process that was killed and had our id.
    match folder.remove_file(name) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = folder.open_with(name, OpenOptions::new().write(true).create_new(true).mode(mode))?;
    // The process's mask may have taken bits away from the mode of an existing file that is replaced.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()
}

/// The permission bits of a file.
pub(crate) fn mode(file: &Path) -> io::Result<u32> {
    Ok(File::open_ambient(file, ambient_authority())?.metadata()?.permissions().mode() & 0o7777)
}

fn parts(file: &Path) -> io::Result<(&Path, &Path)> {
    let name = file.file_name().map(Path::new).ok_or(io::ErrorKind::InvalidInput)?;
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder, name))
}

/// An error in the words that other tools use: without the number, in small letters.
pub(crate) fn why(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The files that a client configuration names.
pub(crate) struct UserFiles;

impl Files for UserFiles {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        read(file)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut list = Vec::new();
        for entry in Dir::open_ambient_dir(folder, ambient_authority())?.entries()? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                list.push(folder.join(entry.file_name()));
            }
        }
        list.sort();
        Ok(list)
    }
}

/// Writes a file for a test.
#[cfg(test)]
pub(crate) fn write_for_tests(file: &Path, contents: &str) {
    replace(file, contents.as_bytes(), 0o644).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_with_the_mode_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t");
        replace(&file, b"one", 0o644).unwrap();
        replace(&file, b"two", 0o600).unwrap();
        assert_eq!((read(&file).unwrap(), mode(&file).unwrap()), (b"two".to_vec(), 0o600));
        assert_eq!(UserFiles.list(folder.path()).unwrap(), vec![file.clone()]);
        assert_eq!(why(&read(&folder.path().join("absent")).unwrap_err()), "no such file or directory");
    }
}
