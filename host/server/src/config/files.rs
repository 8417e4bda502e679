//! Reading configuration files: single ones, and all of a directory.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use cofferdam_acl::hcl;

use super::{Config, ConfigError};

/// Reads what `-config` names, in order. A directory gives its `*.hcl` and `*.json`, by name.
pub(crate) fn load(paths: &[String]) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    for path in paths {
        for (name, text) in read(Path::new(path))? {
            let body = hcl::parse(&text).map_err(ConfigError::from);
            body.and_then(|b| config.apply(&b)).map_err(|e| ConfigError(format!("{name}: {e}")))?;
        }
    }
    config.check()?;
    Ok(config)
}

/// Names and texts.
fn read(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let failed = |what: &Path, e: std::io::Error| ConfigError(format!("cannot read {}: {e}", what.display()));
    // What the operator names is opened as named, wherever links lead.
    let file = File::open_ambient(path, ambient_authority()).map_err(|e| failed(path, e))?;
    if !file.metadata().map_err(|e| failed(path, e))?.is_dir() {
        let text = std::io::read_to_string(file).map_err(|e| failed(path, e))?;
        return Ok(vec![(path.display().to_string(), text)]);
    }
    let dir = Dir::from_std_file(file.into_std());
    let mut names = Vec::new();
    for entry in dir.entries().map_err(|e| failed(path, e))? {
        let name = entry.map_err(|e| failed(path, e))?.file_name();
        if let Some(name) = name.to_str().filter(|n| n.ends_with(".hcl") || n.ends_with(".json")) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(ConfigError(format!("{} holds no *.hcl or *.json", path.display())));
    }
    names.sort();
    let open = |name: String| {
        let at = path.join(&name);
        let text = dir.read_to_string(&name).map_err(|e| failed(&at, e))?;
        Ok((at.display().to_string(), text))
    };
    names.into_iter().map(open).collect()
}
