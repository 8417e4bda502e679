//! Where the token rests between commands: a file, or a program that the user names.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam_client::{Environment, variable};

use crate::files;

/// Keeps one token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TokenHelper {
    /// A file of mode 0600 without a newline at its end.
    File(PathBuf),
    /// A program that is called with `get` or `store`; the token is on its stdin or stdout.
    Program(PathBuf),
}

impl TokenHelper {
    /// The helper that `~/.vault` (or `VAULT_CONFIG_PATH`) names, else the file `~/.vault-token` (or
    /// `VAULT_TOKEN_PATH`).
    pub(crate) fn from_env(env: &dyn Environment) -> Result<Self, String> {
        let home = || env.get("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
        let config = variable(env, "CONFIG_PATH").map(PathBuf::from).or_else(|| home().map(|h| h.join(".vault")));
        if let Some(program) = config.map(|c| configured(&c)).transpose()?.flatten() {
            let program = match (program.strip_prefix("~/"), home()) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => PathBuf::from(program),
            };
            return Ok(Self::Program(program));
        }
        if let Some(file) = variable(env, "TOKEN_PATH") {
            return Ok(Self::File(file.into()));
        }
        home().map(|h| Self::File(h.join(".vault-token"))).ok_or_else(|| "HOME is not set".to_owned())
    }

    /// The token, empty if there is none.
    pub(crate) fn get(&self) -> Result<String, String> {
        match self {
            Self::File(file) => match files::read(file) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                Err(e) => Err(format!("{}: {}", file.display(), files::why(&e))),
            },
            Self::Program(program) => call(program, "get", None),
        }
    }

    /// Keeps a token.
    pub(crate) fn store(&self, token: &str) -> Result<(), String> {
        match self {
            Self::File(file) => files::replace(file, token.as_bytes(), 0o600)
                .map_err(|e| format!("{}: {}", file.display(), files::why(&e))),
            Self::Program(program) => call(program, "store", Some(token)).map(drop),
        }
    }
}

/// The value of `token_helper` in a configuration file, the only key that has a meaning there.
fn configured(file: &Path) -> Result<Option<String>, String> {
    let text = match files::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // A folder of that name is somebody else's.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => return Ok(None),
        Err(e) => return Err(format!("{}: {}", file.display(), files::why(&e))),
    };
    if let Ok(serde_json::Value::Object(json)) = serde_json::from_str(&text) {
        return Ok(json.get("token_helper").and_then(|v| v.as_str()).map(str::to_owned));
    }
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("token_helper") else { continue };
        let value = rest.trim_start().strip_prefix('=').map(str::trim_start);
        let value = value.and_then(|v| v.strip_prefix('"')).and_then(|v| v.split_once('"')).map(|(v, _)| v);
        return match value {
            Some("") => Ok(None),
            Some(value) => Ok(Some(value.to_owned())),
            None => Err(format!("{}: token_helper must be a text in quotes", file.display())),
        };
    }
    Ok(None)
}

fn call(program: &Path, verb: &str, stdin: Option<&str>) -> Result<String, String> {
    let failed = |why: String| format!("token helper {}: {why}", program.display());
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(files::why(&e)))?;
    if let (Some(mut pipe), Some(token)) = (child.stdin.take(), stdin) {
        // A helper that does not read its input is judged by its exit code alone.
        let _ = pipe.write_all(token.as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| failed(files::why(&e)))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn env(home: &Path, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut env: HashMap<_, _> = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        env.insert("HOME".to_owned(), home.to_str().unwrap().to_owned());
        env
    }

    #[test]
    fn the_file_is_private_and_has_no_newline() {
        let home = tempfile::tempdir().unwrap();
        let helper = TokenHelper::from_env(&env(home.path(), &[])).unwrap();
        assert_eq!(helper.get().unwrap(), "");
        helper.store("hvs.a").unwrap();
        let file = home.path().join(".vault-token");
        assert_eq!((files::read(&file).unwrap(), files::mode(&file).unwrap()), (b"hvs.a".to_vec(), 0o600));
        assert_eq!(helper.get().unwrap(), "hvs.a");
    }

    #[test]
    fn variables_move_the_file_and_a_configuration_names_a_program() {
        let home = tempfile::tempdir().unwrap();
        let helper = TokenHelper::from_env(&env(home.path(), &[("VAULT_TOKEN_PATH", "/t")])).unwrap();
        assert_eq!(helper, TokenHelper::File("/t".into()));
        files::write_for_tests(&home.path().join(".vault"), "# ours\ntoken_helper = \"~/helper\"\n");
        let helper = TokenHelper::from_env(&env(home.path(), &[])).unwrap();
        assert_eq!(helper, TokenHelper::Program(home.path().join("helper")));
        let script = "#!/bin/sh\ncase $1 in get) cat \"$0.t\";; store) cat > \"$0.t\";; esac\n";
        files::replace(&home.path().join("helper"), script.as_bytes(), 0o700).unwrap();
        helper.store("hvs.b").unwrap();
        assert_eq!(helper.get().unwrap(), "hvs.b");
        files::replace(&home.path().join("helper"), b"#!/bin/sh\necho no >&2; exit 3\n", 0o700).unwrap();
        assert!(helper.get().unwrap_err().ends_with(": no"));
    }
}
