//! Engines from a directory, for development servers: `<type>.wasm` with its sandbox policy `<type>.toml` beside it.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_sandbox::Builtin;

/// Reads every component of the directory that has a policy beside it, sorted by type.
///
/// # Errors
/// A directory or file that cannot be read; a component without a policy is an error too, since nothing may run
/// without one.
pub(crate) fn from_directory(path: &str) -> io::Result<Vec<Builtin>> {
    let dir = Dir::open_ambient_dir(path, ambient_authority())?;
    let mut names: Vec<String> = dir
        .entries()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".wasm").map(str::to_owned))
        .collect();
    names.sort();
    names.into_iter().map(|name| read(&dir, path, name)).collect()
}

fn read(dir: &Dir, path: &str, name: String) -> io::Result<Builtin> {
    let component = dir.read(format!("{name}.wasm"))?;
    let policy = dir.read_to_string(format!("{name}.toml")).map_err(|e| {
        let file = Path::new(path).join(format!("{name}.toml"));
        io::Error::new(e.kind(), format!("{}: {e}", file.display()))
    })?;
    // They live as long as the process, as the embedded ones do.
    Ok(Builtin { kind: name.leak(), component: component.leak(), policy: policy.leak() })
}
