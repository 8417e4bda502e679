//! The policies that are there from the beginning.

/// Attached to every token that does not refuse it. It may be edited, not deleted.
pub const DEFAULT: &str = r#"# What every token may do: look after itself, its own secrets and its own leases.

# The token itself.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}

path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# The entity behind it.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}

path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}

# Leases, for whoever knows their id.
path "sys/leases/lookup" {
  capabilities = ["update"]
}

path "sys/leases/renew" {
  capabilities = ["update"]
}

path "sys/renew" {
  capabilities = ["update"]
}

# Secrets that live and die with the token.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Wrapped answers.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}

path "sys/wrapping/lookup" {
  capabilities = ["update"]
}

path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}

# Tools without effect.
path "sys/tools/hash" {
  capabilities = ["update"]
}

path "sys/tools/hash/*" {
  capabilities = ["update"]
}

# Logging in elsewhere with this identity.
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
"#;

/// Of wrapping tokens. It cannot be changed, and no token can ask for it.
pub const RESPONSE_WRAPPING: &str = r#"# What a wrapping token may do: give its answer out, once.
path "cubbyhole/response" {
  capabilities = ["create", "read"]
}

path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
"#;

/// Everything. It has no text and cannot be changed.
pub const ROOT: &str = "";

/// The text of a built-in policy.
pub fn text(name: &str) -> Option<&'static str> {
    match name {
        "default" => Some(DEFAULT),
        "response-wrapping" => Some(RESPONSE_WRAPPING),
        "root" => Some(ROOT),
        _ => None,
    }
}

/// Whether nobody may write it.
pub fn is_immutable(name: &str) -> bool {
    matches!(name, "root" | "response-wrapping")
}

/// Whether nobody may delete it.
pub fn is_permanent(name: &str) -> bool {
    matches!(name, "root" | "response-wrapping" | "default")
}

/// Whether no token may ask for it, and no list shows it.
pub fn is_reserved(name: &str) -> bool {
    name == "response-wrapping"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cofferdam_model::Timestamp;

    use super::*;
    use crate::hcl::{HclError, format};
    use crate::{Acl, Policy, Selector};

    #[test]
    fn texts_are_policies_in_canonical_layout() -> Result<(), HclError> {
        for name in ["default", "response-wrapping", "root"] {
            let text = text(name).unwrap_or("missing");
            Policy::parse(name, text)?;
            assert_eq!(format(text)?, text, "{name}");
        }
        assert!(Policy::parse("root", ROOT)?.is_root());
        Ok(())
    }

    #[test]
    fn they_grant_what_they_are_for() -> Result<(), HclError> {
        let eve = |selector: &Selector| match selector {
            Selector::EntityId => Some("e1".to_owned()),
            Selector::EntityName => Some("eve".to_owned()),
            _ => None,
        };
        let acl = |name: &str, text: &str| -> Result<Acl, HclError> {
            Ok(Acl::new(&[Arc::new(Policy::parse(name, text)?)], &eve, Timestamp(0)))
        };
        let default = acl("default", DEFAULT)?;
        for (path, want) in [
            ("auth/token/lookup-self", &["read"][..]),
            ("auth/token/renew-self", &["update"]),
            ("auth/token/lookup", &["deny"]),
            ("identity/entity/id/e1", &["read"]),
            ("identity/entity/id/e2", &["deny"]),
            ("identity/entity/name/eve", &["read"]),
            ("cubbyhole/a/b", &["create", "delete", "list", "read", "update"]),
            ("sys/capabilities-self", &["update"]),
            ("sys/capabilities", &["deny"]),
            ("sys/tools/hash/sha2-256", &["update"]),
            ("identity/oidc/provider/p/authorize", &["read", "update"]),
            ("identity/oidc/provider/p/token", &["deny"]),
        ] {
            assert_eq!(default.capabilities(path), want, "{path}");
        }
        let wrapping = acl("response-wrapping", RESPONSE_WRAPPING)?;
        assert_eq!(wrapping.capabilities("cubbyhole/response"), ["create", "read"]);
        assert_eq!(wrapping.capabilities("sys/wrapping/unwrap"), ["update"]);
        assert_eq!(wrapping.capabilities("cubbyhole/other"), ["deny"]);
        Ok(())
    }
}
