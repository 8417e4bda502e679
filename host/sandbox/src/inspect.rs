//! Looks at a component that is not mounted: what it is, and what would be refused.

use cofferdam_model::review::Inspection;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::SandboxError;
use crate::component::{self, Exports};
use crate::policy::{Policy, World};
use crate::runtime;

/// Of the interfaces that engines share with the host.
const PACKAGE: &str = "cofferdam:engine/";

/// What a policy says of itself.
#[derive(Deserialize)]
struct Named {
    engine: String,
}

/// Compiles the component and holds it against the policy (TOML), if there is one. Nothing of it runs. Blocking, for up
/// to some seconds.
///
/// # Errors
/// A policy that cannot be used, or a machine without room for the runtime. What is wrong with the component is part of
/// the answer.
pub fn inspect(bytes: &[u8], policy: Option<&str>) -> Result<Inspection, SandboxError> {
    let policy = policy.map(read).transpose()?;
    let engine = runtime::engine(2)?;
    let mut found =
        Inspection { digest: hex::encode(Sha256::digest(bytes)), size: bytes.len(), ..Inspection::default() };
    if bytes.len() > component::MAX_COMPONENT {
        found.refused.push(format!("it is larger than {} MiB", component::MAX_COMPONENT >> 20));
        return Ok(found);
    }
    let compiled = match Component::from_binary(&engine, bytes) {
        Ok(compiled) => compiled,
        Err(error) => {
            found.refused.push(format!("it does not load: {error:#}"));
            return Ok(found);
        }
    };
    let kind = compiled.component_type();
    found.imports = kind.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    found.exports = kind.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    found.imports.sort();
    found.exports.sort();
    found.contract = contract(&found.exports);
    let world = world(&found.exports);
    found.world = world.map(|world| world.to_string());
    if let Some(policy) = &policy {
        let forbidden = found.imports.iter().filter(|import| !policy.allows(import));
        found.refused.extend(forbidden.map(|import| format!("its sandbox policy does not allow the import {import}")));
        found.refused.extend(component::check_needs(&compiled, policy.limits.memory_bytes()).err());
    }
    let Some(world) = policy.as_ref().map(|policy| policy.world).or(world) else {
        found.refused.push("it exports nothing that makes it an engine".to_owned());
        return Ok(found);
    };
    match component::linker(&engine)?.instantiate_pre(&compiled) {
        Err(error) => found.refused.push(format!("the host does not offer what it imports: {error:#}")),
        Ok(ready) => {
            if let Err(error) = Exports::find(&ready, world) {
                found.refused.push(format!("it is no engine of the world {world}: {error:#}"));
            }
        }
    }
    Ok(found)
}

fn read(text: &str) -> Result<Policy, SandboxError> {
    let named: Named = toml::from_str(text)
        .map_err(|e| SandboxError::Policy { engine: "unknown".to_owned(), reason: e.to_string() })?;
    Policy::parse(&named.engine, text)
}

/// The version of the contract that the exports are of.
fn contract(exports: &[String]) -> Option<String> {
    exports.iter().find_map(|name| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1.to_owned()))
}

/// What the exports make it.
fn world(exports: &[String]) -> Option<World> {
    let has = |interface: &str| {
        exports.iter().filter_map(|name| name.strip_prefix(PACKAGE)).any(|n| n.split('@').next() == Some(interface))
    };
    let engine = ["descriptor", "lifecycle", "backend"].into_iter().all(has);
    match engine {
        true if has("credentials") && has("rotation") => Some(World::Issuer),
        true => Some(World::Secrets),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn what_is_no_engine_is_told_in_full() -> Outcome {
        let bytes = wat::parse_str(
            r#"(component
                (import "wasi:sockets/tcp@0.2.0" (instance))
                (import "cofferdam:engine/log@0.1.0-dev" (instance))
                (import "evil:corp/door" (instance)))"#,
        )?;
        let found = inspect(&bytes, Some(include_str!("../../../policies/kv.toml")))?;
        assert_eq!(found.imports, ["cofferdam:engine/log@0.1.0-dev", "evil:corp/door", "wasi:sockets/tcp@0.2.0"]);
        assert_eq!((found.world, found.contract, found.size), (None, None, bytes.len()));
        let told = found.refused.join("\n");
        for what in ["the import evil:corp/door", "the import wasi:sockets/tcp@0.2.0"] {
            assert!(told.contains(what), "{told}");
        }
        assert!(!told.contains("engine/log"), "{told}");
        let alone = inspect(&bytes, None)?;
        assert!(alone.refused.iter().any(|r| r.contains("nothing that makes it an engine")), "{:?}", alone.refused);
        Ok(())
    }

    #[test]
    fn what_is_no_component_is_refused_and_a_bad_policy_is_an_error() -> Outcome {
        let found = inspect(b"not wasm", None)?;
        assert!(found.refused.iter().any(|r| r.contains("does not load")) && found.digest.len() == 64);
        assert!(inspect(b"", Some("engine = 3")).is_err());
        assert!(inspect(b"", Some("engine = \"x\"\nworld = \"secrets\"\nunknown = 1")).is_err());
        Ok(())
    }

    #[test]
    fn exports_make_the_world() {
        let names = |all: &[&str]| all.iter().map(|n| format!("{PACKAGE}{n}@0.1.0-dev")).collect::<Vec<_>>();
        let plain = names(&["descriptor", "lifecycle", "backend"]);
        let issuer = names(&["descriptor", "lifecycle", "backend", "credentials", "rotation"]);
        assert_eq!((world(&plain), world(&issuer)), (Some(World::Secrets), Some(World::Issuer)));
        assert_eq!(world(&names(&["descriptor"])), None);
        assert_eq!(contract(&plain).as_deref(), Some("0.1.0-dev"));
    }
}
