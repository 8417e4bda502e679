//! What a rule can grant.

use cofferdam_model::Operation;

/// One capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Capability {
    /// POST and PUT where nothing is yet.
    Create = 1,
    /// DELETE.
    Delete = 1 << 1,
    /// Nothing at all, whatever else is granted for the same pattern.
    Deny = 1 << 2,
    /// LIST.
    List = 1 << 3,
    /// PATCH.
    Patch = 1 << 4,
    /// GET.
    Read = 1 << 5,
    /// Recovering from snapshots: known by name, used by nothing here.
    Recover = 1 << 6,
    /// SCAN: known by name, used by nothing here.
    Scan = 1 << 7,
    /// Events: known by name, used by nothing here.
    Subscribe = 1 << 8,
    /// Paths for administrators, on top of the verb's own capability.
    Sudo = 1 << 9,
    /// POST and PUT where something is already.
    Update = 1 << 10,
}

impl Capability {
    /// All of them, sorted by name.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Delete,
        Self::Deny,
        Self::List,
        Self::Patch,
        Self::Read,
        Self::Recover,
        Self::Scan,
        Self::Subscribe,
        Self::Sudo,
        Self::Update,
    ];

    /// As policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Deny => "deny",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Recover => "recover",
            Self::Scan => "scan",
            Self::Subscribe => "subscribe",
            Self::Sudo => "sudo",
            Self::Update => "update",
        }
    }

    /// The capability of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// What an operation needs. HELP needs nothing and HEAD cannot be granted.
    pub fn needed_by(operation: Operation) -> Option<Self> {
        match operation {
            Operation::Create => Some(Self::Create),
            Operation::Read => Some(Self::Read),
            Operation::Update => Some(Self::Update),
            Operation::Patch => Some(Self::Patch),
            Operation::Delete => Some(Self::Delete),
            Operation::List => Some(Self::List),
            Operation::Head | Operation::Help => None,
        }
    }
}

/// A set of capabilities. Where deny is in it, nothing else is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);
    /// Deny, and nothing else.
    pub const DENY: Self = Self(Capability::Deny as u16);

    /// Whether it holds this one.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & capability as u16 != 0
    }

    /// Whether it grants nothing: it is empty, or deny.
    pub fn is_barren(self) -> bool {
        self == Self::NONE || self == Self::DENY
    }

    /// Both together; deny swallows everything.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let both = Self(self.0 | other.0);
        if both.has(Capability::Deny) { Self::DENY } else { both }
    }

    /// The names as `sys/capabilities` shows them: sorted, and `deny` where nothing is granted.
    pub fn names(self) -> Vec<&'static str> {
        if self.is_barren() {
            return vec![Capability::Deny.name()];
        }
        Capability::ALL.into_iter().filter(|c| self.has(*c)).map(Capability::name).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Capability>>(capabilities: T) -> Self {
        capabilities.into_iter().fold(Self::NONE, |set, c| set.or(Self(c as u16)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_read_back() {
        assert!(Capability::ALL.is_sorted_by_key(|c| c.name()));
        for capability in Capability::ALL {
            assert_eq!(Capability::from_name(capability.name()), Some(capability));
        }
        assert_eq!(Capability::from_name("fly"), None);
    }

    #[test]
    fn deny_swallows_everything() {
        let set: Capabilities = [Capability::Read, Capability::Sudo].into_iter().collect();
        assert_eq!(set.names(), ["read", "sudo"]);
        assert_eq!(set.or(Capabilities::DENY), Capabilities::DENY);
        assert_eq!(Capabilities::NONE.names(), ["deny"]);
        assert_eq!(Capabilities::DENY.names(), ["deny"]);
    }
}
