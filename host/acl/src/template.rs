//! Paths with `{{identity.…}}` in them, filled in from what is known about the asking entity.

/// What a placeholder asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `identity.entity.id`
    EntityId,
    /// `identity.entity.name`
    EntityName,
    /// `identity.entity.metadata.<key>`
    EntityMetadata(String),
    /// `identity.entity.aliases.<mount accessor>.…`
    Alias {
        /// Of the auth mount.
        accessor: String,
        /// Which of its values.
        field: AliasField,
    },
    /// `identity.groups.ids.<id>.…`, for groups that the entity is in.
    GroupById {
        /// Of the group.
        id: String,
        /// Which of its values.
        field: GroupField,
    },
    /// `identity.groups.names.<name>.…`, for groups that the entity is in.
    GroupByName {
        /// Of the group.
        name: String,
        /// Which of its values.
        field: GroupField,
    },
    /// Something else: never has a value.
    Unknown,
}

/// A value of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasField {
    /// `id`
    Id,
    /// `name`
    Name,
    /// `metadata.<key>`
    Metadata(String),
    /// `custom_metadata.<key>`
    CustomMetadata(String),
}

/// A value of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupField {
    /// `id`
    Id,
    /// `name`
    Name,
    /// `metadata.<key>`
    Metadata(String),
}

impl Selector {
    fn parse(text: &str) -> Self {
        Self::known(text.trim()).unwrap_or(Self::Unknown)
    }

    fn known(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("identity.")?;
        if let Some(entity) = rest.strip_prefix("entity.") {
            return Some(match entity {
                "id" => Self::EntityId,
                "name" => Self::EntityName,
                _ => match entity.strip_prefix("metadata.") {
                    Some(key) => Self::EntityMetadata(key.to_owned()),
                    None => {
                        let (accessor, field) = entity.strip_prefix("aliases.")?.split_once('.')?;
                        Self::Alias { accessor: accessor.to_owned(), field: AliasField::parse(field)? }
                    }
                },
            });
        }
        let (by, rest) = rest.strip_prefix("groups.")?.split_once('.')?;
        let (group, field) = GroupField::split(rest)?;
        match by {
            "ids" => Some(Self::GroupById { id: group.to_owned(), field }),
            "names" => Some(Self::GroupByName { name: group.to_owned(), field }),
            _ => None,
        }
    }
}

impl AliasField {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "id" => Some(Self::Id),
            "name" => Some(Self::Name),
            _ => match text.split_once('.')? {
                ("metadata", key) => Some(Self::Metadata(key.to_owned())),
                ("custom_metadata", key) => Some(Self::CustomMetadata(key.to_owned())),
                _ => None,
            },
        }
    }
}

impl GroupField {
    /// Group and field; the name of a group may hold dots.
    fn split(text: &str) -> Option<(&str, Self)> {
        if let Some((group, key)) = text.split_once(".metadata.") {
            return Some((group, Self::Metadata(key.to_owned())));
        }
        match text.rsplit_once('.')? {
            (group, "id") => Some((group, Self::Id)),
            (group, "name") => Some((group, Self::Name)),
            _ => None,
        }
    }
}

/// Where the values come from. Closures over a [`Selector`] will do.
pub trait Identity {
    /// The value, if the asking entity has it.
    fn value(&self, selector: &Selector) -> Option<String>;
}

impl<F: Fn(&Selector) -> Option<String>> Identity for F {
    fn value(&self, selector: &Selector) -> Option<String> {
        self(selector)
    }
}

/// A token without an entity: no placeholder has a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIdentity;

impl Identity for NoIdentity {
    fn value(&self, _: &Selector) -> Option<String> {
        None
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(Selector),
}

/// A path as a policy writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Template {
    /// Finds the placeholders.
    ///
    /// # Errors
    /// Where braces do not pair.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        let unpaired = || format!("{text:?}: unbalanced template braces");
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}").ok_or_else(unpaired)?;
            if before.contains("}}") || inside.contains("{{") {
                return Err(unpaired());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Placeholder(Selector::parse(inside)));
            rest = after;
        }
        if rest.contains("}}") {
            return Err(unpaired());
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Whether it needs an identity.
    pub fn has_placeholders(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Placeholder(_)))
    }

    /// The path. None where a placeholder has no value, or one that would widen the rule: names and metadata are
    /// often chosen by users, so a value is one piece of one segment and never a wildcard.
    pub fn fill(&self, identity: &dyn Identity) -> Option<String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Placeholder(selector) => {
                    let value = identity.value(selector)?;
                    if value.is_empty() || value.contains(['*', '+', '/']) {
                        return None;
                    }
                    out.push_str(&value);
                }
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_placeholders() {
        let key = || "k".to_owned();
        let acc = || "auth_x_1".to_owned();
        for (text, want) in [
            ("identity.entity.id", Selector::EntityId),
            (" identity.entity.name ", Selector::EntityName),
            ("identity.entity.metadata.k", Selector::EntityMetadata(key())),
            ("identity.entity.metadata.a.b", Selector::EntityMetadata("a.b".into())),
            ("identity.entity.aliases.auth_x_1.id", Selector::Alias { accessor: acc(), field: AliasField::Id }),
            ("identity.entity.aliases.auth_x_1.name", Selector::Alias { accessor: acc(), field: AliasField::Name }),
            (
                "identity.entity.aliases.auth_x_1.metadata.k",
                Selector::Alias { accessor: acc(), field: AliasField::Metadata(key()) },
            ),
            (
                "identity.entity.aliases.auth_x_1.custom_metadata.k",
                Selector::Alias { accessor: acc(), field: AliasField::CustomMetadata(key()) },
            ),
            ("identity.groups.ids.1.name", Selector::GroupById { id: "1".into(), field: GroupField::Name }),
            ("identity.groups.names.a.b.id", Selector::GroupByName { name: "a.b".into(), field: GroupField::Id }),
            (
                "identity.groups.names.g.metadata.k",
                Selector::GroupByName { name: "g".into(), field: GroupField::Metadata(key()) },
            ),
            ("identity.entity.aliases.x", Selector::Unknown),
            ("identity.groups.x.y.id", Selector::Unknown),
            ("time.now", Selector::Unknown),
            ("", Selector::Unknown),
        ] {
            assert_eq!(Selector::parse(text), want, "{text}");
        }
    }

    #[test]
    fn fills_or_gives_up() -> Result<(), String> {
        let template = Template::parse("a/{{identity.entity.id}}/b-{{identity.entity.name}}*")?;
        assert!(template.has_placeholders());
        let with = |name: &'static str| {
            move |s: &Selector| match s {
                Selector::EntityId => Some("7".to_owned()),
                Selector::EntityName => Some(name.to_owned()),
                _ => None,
            }
        };
        assert_eq!(template.fill(&with("eve")).as_deref(), Some("a/7/b-eve*"));
        for bad in ["", "*", "a*", "+", "a/b", "../x"] {
            assert_eq!(template.fill(&with(bad)), None, "{bad}");
        }
        assert_eq!(template.fill(&NoIdentity), None);
        assert_eq!(Template::parse("plain/{x}")?.fill(&NoIdentity).as_deref(), Some("plain/{x}"));
        for bad in ["{{a", "a}}", "{{a{{b}}", "{{a}}b}}", "a}}{{b}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        Ok(())
    }
}
