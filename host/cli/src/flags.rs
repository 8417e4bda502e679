//! Flags as Go's `flag` package reads them: `-x`, `--x`, `-x=v`, `-x v`, all before the first positional.

use std::collections::BTreeMap;

use cofferdam_model::duration;

/// What a flag's value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `-x` or `-x=false`.
    Bool,
    /// Any text.
    Text,
    /// A whole number.
    Int,
    /// A duration; a bare number is seconds.
    Seconds,
    /// May be repeated.
    List,
    /// `k=v`, may be repeated.
    Pairs,
}

/// A flag that a command knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// Without dashes.
    pub(crate) name: &'static str,
    /// A short form, or empty.
    pub(crate) alias: &'static str,
    /// What its value is.
    pub(crate) kind: Kind,
    /// For the help; empty hides the flag.
    pub(crate) help: &'static str,
}

/// A flag without short form.
pub(crate) const fn flag(name: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag { name, alias: "", kind, help }
}

/// Several lists of flags as one; `N` must be the sum of their lengths.
pub(crate) const fn concat<const N: usize>(parts: &[&[Flag]]) -> [Flag; N] {
    let mut all = [flag("", Kind::Bool, ""); N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    all
}

#[derive(Clone, Debug)]
enum Value {
    Bool(bool),
    Text(String),
    Int(i64),
    Seconds(i64),
    List(Vec<String>),
    Pairs(BTreeMap<String, String>),
}

/// The parsed arguments of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    values: BTreeMap<&'static str, Value>,
    /// What follows the flags.
    pub(crate) rest: Vec<String>,
}

impl Args {
    /// Reads arguments.
    ///
    /// # Errors
    /// In the words of Go's package.
    pub(crate) fn parse(known: &[Flag], args: &[String]) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some(body) = arg.strip_prefix('-').filter(|b| !b.is_empty()) else {
                parsed.rest.push(arg.clone());
                break;
            };
            let body = match body.strip_prefix('-') {
                Some("") => break,
                Some(body) => body,
                None => body,
            };
            if body.starts_with(['-', '=']) {
                return Err(format!("bad flag syntax: {arg}"));
            }
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (body, None),
            };
            let flag = known
                .iter()
                .find(|f| f.name == name || (!f.alias.is_empty() && f.alias == name))
                .ok_or_else(|| format!("flag provided but not defined: -{name}"))?;
            match (flag.kind, value) {
                (Kind::Bool, value) => {
                    let on = parse_bool(value.unwrap_or("true")).ok_or_else(|| {
                        let value = value.unwrap_or_default();
                        format!(
                            "invalid boolean value {value:?} for -{name}: strconv.ParseBool: parsing {value:?}: invalid syntax"
                        )
                    })?;
                    parsed.values.insert(flag.name, Value::Bool(on));
                }
                (_, Some(value)) => parsed.set(flag, name, value)?,
                (_, None) => {
                    let value = args.next().ok_or_else(|| format!("flag needs an argument: -{name}"))?;
                    parsed.set(flag, name, value)?;
                }
            }
        }
        parsed.rest.extend(args.cloned());
        Ok(parsed)
    }

    fn set(&mut self, flag: &Flag, name: &str, value: &str) -> Result<(), String> {
        let invalid = |why: String| format!("invalid value {value:?} for flag -{name}: {why}");
        let new = match flag.kind {
            Kind::Bool | Kind::Text => Value::Text(value.to_owned()),
            Kind::Int => Value::Int(
                value.parse().map_err(|_| invalid(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")))?,
            ),
            Kind::Seconds => Value::Seconds(
                // "system" is what a negative duration stands for.
                duration::parse_text(if value == "system" { "-1" } else { value })
                    .map_err(|_| invalid(format!("time: invalid duration {value:?}")))?,
            ),
            Kind::List => {
                let mut list = match self.values.remove(flag.name) {
                    Some(Value::List(list)) => list,
                    _ => Vec::new(),
                };
                list.push(value.trim().to_owned());
                Value::List(list)
            }
            Kind::Pairs => {
                let (k, v) =
                    value.split_once('=').ok_or_else(|| invalid(format!("missing = in KV pair: {value:?}")))?;
                let mut pairs = match self.values.remove(flag.name) {
                    Some(Value::Pairs(pairs)) => pairs,
                    _ => BTreeMap::new(),
                };
                pairs.insert(k.to_owned(), v.to_owned());
                Value::Pairs(pairs)
            }
        };
        self.values.insert(flag.name, new);
        Ok(())
    }

    /// Whether the flag was given.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A boolean that is false unless set.
    pub(crate) fn on(&self, name: &str) -> bool {
        self.bool(name).unwrap_or(false)
    }

    /// A boolean, if given.
    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        match self.values.get(name)? {
            Value::Bool(on) => Some(*on),
            _ => None,
        }
    }

    /// A text, if given and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text.as_str()).filter(|t| !t.is_empty()),
            _ => None,
        }
    }

    /// A text, if given, even if empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, if given.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// A duration in seconds, if given.
    pub(crate) fn seconds(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Seconds(n) => Some(*n),
            _ => None,
        }
    }

    /// All values of a list flag.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// All values of a list flag whose values may themselves be comma-separated.
    pub(crate) fn split_list(&self, name: &str) -> Vec<String> {
        let parts = self.list(name).iter().flat_map(|v| v.split(','));
        parts.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect()
    }

    /// All pairs of a pairs flag.
    pub(crate) fn pairs(&self, name: &str) -> BTreeMap<String, String> {
        match self.values.get(name) {
            Some(Value::Pairs(pairs)) => pairs.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Flag] = &[
        Flag { name: "force", alias: "f", kind: Kind::Bool, help: "" },
        flag("path", Kind::Text, ""),
        flag("n", Kind::Int, ""),
        flag("ttl", Kind::Seconds, ""),
        flag("policy", Kind::List, ""),
        flag("meta", Kind::Pairs, ""),
    ];

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(KNOWN, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_every_form() {
        let args = parse("-f --path=a=b -n 3 -ttl 90 -policy=a --policy b -meta k=v -meta l= P -force=false").unwrap();
        assert!(args.on("force"));
        assert_eq!((args.text("path"), args.int("n"), args.seconds("ttl")), (Some("a=b"), Some(3), Some(90)));
        assert_eq!(args.list("policy"), ["a", "b"]);
        assert_eq!(args.pairs("meta").into_iter().collect::<Vec<_>>().len(), 2);
        assert_eq!(args.rest, ["P", "-force=false"]);
    }

    #[test]
    fn stops_at_the_first_positional_and_at_two_dashes() {
        assert_eq!(parse("- -f").unwrap().rest, ["-", "-f"]);
        let args = parse("-f=false -- -f x").unwrap();
        assert_eq!((args.bool("force"), args.rest), (Some(false), vec!["-f".to_owned(), "x".to_owned()]));
        let given = parse("-path= x").unwrap();
        assert_eq!((given.text("path"), given.given("path")), (None, Some("")));
    }

    #[test]
    fn refuses_in_gos_words() {
        for (line, want) in [
            ("-x", "flag provided but not defined: -x"),
            ("--x=1", "flag provided but not defined: -x"),
            ("-path", "flag needs an argument: -path"),
            ("---path", "bad flag syntax: ---path"),
            ("-=", "bad flag syntax: -="),
            ("-n=x", "invalid value \"x\" for flag -n: strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("-ttl=soon", "invalid value \"soon\" for flag -ttl: time: invalid duration \"soon\""),
            ("-meta=k", "invalid value \"k\" for flag -meta: missing = in KV pair: \"k\""),
            (
                "-f=maybe",
                "invalid boolean value \"maybe\" for -f: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err(), want);
        }
    }
}
