//! Route tables: what a mount answers, as data. Engines describe themselves with these; so do the built-in mounts.

use crate::request::Operation;

/// How a field is read. See `wit/exports.wit`, `field-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Any JSON value.
    Any,
    /// Text; numbers and booleans become text.
    Text,
    /// Text in lower case.
    LowerText,
    /// A number or its text.
    Integer,
    /// true, "true", "1", …
    Boolean,
    /// A JSON object.
    Object,
    /// Names and texts.
    Pairs,
    /// A duration, not negative.
    Seconds,
    /// A duration, perhaps negative.
    SignedSeconds,
    /// A list; a text becomes a list of one.
    TextList,
    /// A list; a text is split at commas.
    CommaList,
    /// A list of integers; a text is split at commas.
    CommaIntegers,
}

/// One parameter of a route.
#[derive(Clone, Debug)]
pub struct Field {
    /// As clients write it.
    pub name: String,
    /// How it is read.
    pub kind: FieldKind,
    /// 400 where absent or empty.
    pub required: bool,
    /// Redacted everywhere.
    pub sensitive: bool,
    /// For people.
    pub help: String,
}

/// One path of a mount.
#[derive(Clone, Debug)]
pub struct Route {
    /// Compiled from the pattern's text.
    pub pattern: Pattern,
    /// What may be asked.
    pub operations: Vec<Operation>,
    /// Unknown fields reach the engine.
    pub open_fields: bool,
    /// POST is create or update as the engine's existence check says.
    pub upsert: bool,
    /// The backend whose network and slot the route's calls get; literal or `{param}`.
    pub backend: Option<String>,
    /// Its parameters.
    pub fields: Vec<Field>,
    /// One line for people.
    pub synopsis: String,
    /// The rest for people.
    pub help: String,
}

/// A kind of credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Of the engine.
    pub name: String,
    /// Handle formats that can be revoked.
    pub reads_formats: Vec<u32>,
    /// Seconds after `not-after` until which an undecided create may still show an effect.
    pub settles_after: u64,
    /// Seconds that a create may take.
    pub creates_within: u64,
    /// The backend ends such credentials by itself: nobody asks for a revocation.
    pub ends_itself: bool,
}

/// What an engine is.
#[derive(Clone, Debug)]
pub struct Description {
    /// The engine's own name for itself.
    pub name: String,
    /// Of the engine.
    pub version: String,
    /// For `path-help MOUNT`.
    pub help: String,
    /// In order; the first match wins.
    pub routes: Vec<Route>,
    /// Credentials it makes.
    pub kinds: Vec<Kind>,
    /// The format of its entries.
    pub storage_format: u32,
    /// Formats that it can migrate from.
    pub reads_storage: Vec<u32>,
}

/// A route that matched, and what its pattern captured.
pub type Matched<'a> = (&'a Route, Vec<(String, String)>);

impl Description {
    /// The first route whose pattern matches the path (below the mount).
    pub fn find(&self, path: &str) -> Option<Matched<'_>> {
        find(&self.routes, path)
    }

    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|k| k.name == name)
    }
}

/// The first of `routes` whose pattern matches.
pub fn find<'a>(routes: &'a [Route], path: &str) -> Option<Matched<'a>> {
    routes.iter().find_map(|r| r.pattern.matches(path).map(|params| (r, params)))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// One segment: word characters, inside also dots and dashes (`at`: and `@`).
    Name {
        param: String,
        at: bool,
    },
    /// The rest, possibly empty.
    Rest(String),
}

/// A path template: `roles/{name}`, `data/{path*}`, `roles/{name@}` (which also takes an `@`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    folder: bool,
}

impl Pattern {
    /// Compiles a template. A trailing slash (`roles/`) is for routes that are only listed.
    ///
    /// # Errors
    /// A text that says what is wrong with the template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let folder = text.ends_with('/');
        let body = text.strip_suffix('/').unwrap_or(text);
        let mut segments = Vec::new();
        let mut params: Vec<&str> = Vec::new();
        for (i, part) in body.split('/').enumerate() {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err(format!("{text}: nothing may follow the rest"));
            }
            match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(inside) => {
                    let (param, rest, at) = match (inside.strip_suffix('*'), inside.strip_suffix('@')) {
                        (Some(param), _) => (param, true, false),
                        (None, Some(param)) => (param, false, true),
                        (None, None) => (inside, false, false),
                    };
                    if param.is_empty() || !param.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                        return Err(format!("{text}: {param:?} is no name of a parameter"));
                    }
                    if params.contains(&param) {
                        return Err(format!("{text}: the parameter {param} twice"));
                    }
                    params.push(param);
                    let param = param.to_owned();
                    segments.push(if rest { Segment::Rest(param) } else { Segment::Name { param, at } });
                }
                None if part.contains(['{', '}']) => return Err(format!("{text}: a parameter is a whole segment")),
                None if part.is_empty() && i == 0 && body.is_empty() => {}
                None if part.is_empty() => return Err(format!("{text}: an empty segment")),
                None => segments.push(Segment::Literal(part.to_owned())),
            }
        }
        Ok(Self { text: text.to_owned(), segments, folder })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of what it captures, in order.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Name { param, .. } | Segment::Rest(param) => Some(param.as_str()),
        })
    }

    /// What the path gives for each parameter, if it matches.
    pub fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut params = Vec::new();
        let mut rest = Some(path);
        for segment in &self.segments {
            match segment {
                Segment::Rest(param) => {
                    params.push((param.clone(), rest.unwrap_or_default().to_owned()));
                    return Some(params);
                }
                Segment::Literal(want) => {
                    let (head, tail) = split(rest?);
                    if head != want {
                        return None;
                    }
                    rest = tail;
                }
                Segment::Name { param, at } => {
                    let (head, tail) = split(rest?);
                    if !is_name(head, *at) {
                        return None;
                    }
                    params.push((param.clone(), head.to_owned()));
                    rest = tail;
                }
            }
        }
        match (rest, self.folder) {
            (None, false) | (Some(""), true) => Some(params),
            (None | Some(_), _) if self.segments.is_empty() && path.is_empty() => Some(params),
            _ => None,
        }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(head, tail)| (head, Some(tail)))
}

/// `\w(([\w-.]+)?\w)?`, as the peers' generic names.
pub fn is_name(text: &str, at: bool) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(word)
        && text.ends_with(word)
        && text.chars().all(|c| word(c) || c == '-' || c == '.' || (at && c == '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        Pattern::parse(pattern).expect("a good template").matches(path)
    }

    #[test]
    fn matches_whole_paths_only() {
        let one = |v: &str| Some(vec![("name".to_owned(), v.to_owned())]);
        assert_eq!(captured("roles/{name}", "roles/app"), one("app"));
        assert_eq!(captured("roles/{name}", "roles/app/x"), None);
        assert_eq!(captured("roles/{name}", "roles/-app"), None);
        assert_eq!(captured("roles/{name}", "roles/"), None);
        assert_eq!(captured("roles/", "roles/"), Some(vec![]));
        assert_eq!(captured("roles/", "roles"), None);
        assert_eq!(captured("{name*}", ""), one(""));
        assert_eq!(captured("data/{name*}", "data/a/b/"), one("a/b/"));
        assert_eq!(captured("data/{name*}", "data"), one(""));
        assert_eq!(captured("roles/{name@}", "roles/a@b"), one("a@b"));
        assert_eq!(captured("roles/{name}", "roles/a@b"), None);
    }

    #[test]
    fn refuses_bad_templates() {
        for bad in ["a//b", "{x*}/b", "a{b}", "{}", "{*}", "{a@*}", "{a@@}", "{{a}}", "{a b}", "{a}/{a}", "{a}/{a*}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
