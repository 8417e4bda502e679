//! The development server: starts unsealed, says its secrets aloud, and can keep its data in a directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_core::Core;
use cofferdam_model::{Error, Operation, Request, SecretText};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files;

/// In the data directory: what a later start needs to unseal by itself.
const KEPT: &str = "dev.json";
/// In the user's home directory: the token that the command line uses.
const TOKEN_FILE: &str = ".vault-token";

/// Why a development server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    /// The vault said no.
    #[error("{0}")]
    Vault(#[from] Error),
    /// No certificate comes of what was asked for.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The data were not made by a development server.
    #[error("{0} holds data of another server: there is no {KEPT} to unseal them with")]
    Foreign(String),
    /// The root token was chosen when the data were made.
    #[error("{0} was made with another root token than -dev-root-token-id names; it is in {KEPT} there")]
    OtherToken(String),
}

/// What the operator is told.
#[derive(Deserialize, Serialize)]
pub(crate) struct Secrets {
    /// The one share, base64.
    pub(crate) unseal_key: String,
    /// All-powerful.
    pub(crate) root_token: String,
}

/// Initialises and unseals; data that `path` holds already are only unsealed.
pub(crate) async fn start(
    core: &Arc<Core>,
    root_token: Option<String>,
    path: Option<&str>,
) -> Result<Secrets, DevError> {
    let Some(path) = path else { return init(core, root_token).await };
    let failed = |source| DevError::File { path: Path::new(path).join(KEPT).display().to_string(), source };
    let dir = files::directory(Path::new(path)).map_err(failed)?;
    if !is_initialized(core).await? {
        let secrets = init(core, root_token).await?;
        let text = serde_json::to_vec_pretty(&secrets).map_err(|e| failed(e.into()))?;
        files::replace(&dir, Path::new(KEPT), &text, 0o600).map_err(failed)?;
        return Ok(secrets);
    }
    let kept = match dir.read(KEPT) {
        Ok(kept) => kept,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(DevError::Foreign(path.to_owned())),
        Err(e) => return Err(failed(e)),
    };
    let secrets: Secrets = serde_json::from_slice(&kept).map_err(|e| failed(e.into()))?;
    if root_token.is_some_and(|wanted| wanted != secrets.root_token) {
        return Err(DevError::OtherToken(path.to_owned()));
    }
    let mut request = Request::new(Operation::Update, "sys/unseal");
    request.data.insert("key".to_owned(), Value::String(secrets.unseal_key.clone()));
    core.handle(request).await?;
    Ok(secrets)
}

async fn init(core: &Arc<Core>, root_token: Option<String>) -> Result<Secrets, DevError> {
    let made = core.dev_init(root_token).await?;
    Ok(Secrets { unseal_key: made.unseal_key, root_token: made.root_token.expose().to_owned() })
}

async fn is_initialized(core: &Arc<Core>) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Status {
        initialized: bool,
    }
    let answer = core.handle(Request::new(Operation::Read, "sys/init")).await?;
    let data = answer.data.ok_or_else(|| Error::internal("sys/init said nothing"))?;
    let status: Status = serde_json::from_str(data.get()).map_err(|e| Error::internal(format!("sys/init: {e}")))?;
    Ok(status.initialized)
}

/// Writes the token where the command line looks for it.
pub(crate) fn store_token(home: &str, token: &SecretText) -> io::Result<()> {
    let home = Dir::open_ambient_dir(home, ambient_authority())?;
    files::replace(&home, Path::new(TOKEN_FILE), token.expose().as_bytes(), 0o600)
}

/// What a development server prints when it is ready.
pub(crate) fn banner(secrets: &Secrets, url: &str, authority: Option<&str>, path: Option<&str>) -> String {
    let keeps = match path {
        None => "keeps everything in memory".to_owned(),
        Some(path) => format!("keeps its unseal key and root token readable in {path}"),
    };
    let authority = authority.map(|file| format!("    $ export VAULT_CACERT='{file}'\n")).unwrap_or_default();
    format!(
        "WARNING! dev mode is enabled! This server {keeps} and starts unsealed\n\
         with a single unseal key. Never use it for anything that matters.\n\
         \n\
         You may need to set the following environment variables:\n\
         \n    $ export VAULT_ADDR='{url}'\n{authority}\
         \n\
         The unseal key and root token are displayed below in case you want to\n\
         seal/unseal the server or authenticate again.\n\
         \n\
         Unseal Key: {}\n\
         Root Token: {}\n\n",
        secrets.unseal_key, secrets.root_token
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_file_is_private_and_whole() {
        use cap_std::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().display().to_string();
        store_token(&path, &SecretText::new("a-longer-token")).unwrap();
        store_token(&path, &SecretText::new("root")).unwrap();
        let dir = Dir::open_ambient_dir(home.path(), ambient_authority()).unwrap();
        assert_eq!(dir.read_to_string(TOKEN_FILE).unwrap(), "root");
        assert_eq!(dir.metadata(TOKEN_FILE).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_banner_has_the_lines_that_scripts_read() {
        let secrets = Secrets { unseal_key: "a2V5".to_owned(), root_token: "root".to_owned() };
        let text = banner(&secrets, "http://127.0.0.1:8200", None, None);
        for line in ["Unseal Key: a2V5", "Root Token: root", "    $ export VAULT_ADDR='http://127.0.0.1:8200'"] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
    }
}
