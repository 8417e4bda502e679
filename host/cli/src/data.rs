//! Argument data: `k=v`, `k=@file`, `k=-`, `@file.json`, `-`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::files;

/// Reads arguments into one object. Values that come from the command line are always texts.
///
/// # Errors
/// In Vault's words; the caller says what was parsed.
pub(crate) fn parse(stdin: &mut dyn Read, args: &[String]) -> Result<Map<String, Value>, String> {
    let mut builder = Builder { stdin: Some(stdin), result: Map::new() };
    for arg in args.iter().filter(|a| !a.is_empty()) {
        builder.add(arg).map_err(|why| format!("invalid key/value pair {arg:?}: {why}"))?;
    }
    Ok(builder.result)
}

/// [`parse`] for values that must be texts; a list becomes its elements, comma-separated.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_texts(stdin: &mut dyn Read, args: &[String]) -> Result<BTreeMap<String, String>, String> {
    Ok(parse(stdin, args)?.into_iter().map(|(k, v)| (k, as_texts(v).join(","))).collect())
}

/// [`parse`] for a query string.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_query(stdin: &mut dyn Read, args: &[String]) -> Result<Vec<(String, String)>, String> {
    let pairs = parse(stdin, args)?.into_iter();
    Ok(pairs.flat_map(|(k, v)| as_texts(v).into_iter().map(move |v| (k.clone(), v))).collect())
}

fn as_texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.into_iter().flat_map(as_texts).collect(),
        Value::Null => vec![String::new()],
        // As Go's weak decoding writes them.
        Value::Bool(on) => vec![if on { "1" } else { "0" }.to_owned()],
        other => vec![other.to_string()],
    }
}

struct Builder<'a> {
    stdin: Option<&'a mut dyn Read>,
    result: Map<String, Value>,
}

impl Builder<'_> {
    fn add(&mut self, arg: &str) -> Result<(), String> {
        let Some((key, value)) = arg.split_once('=') else {
            let text = match arg.strip_prefix('@') {
                Some(file) => read_file(file)?,
                None if arg == "-" => self.read_stdin()?,
                None => return Err("format must be key=value".to_owned()),
            };
            let object: Map<String, Value> = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            self.result.extend(object);
            return Ok(());
        };
        let value = match value.strip_prefix('@') {
            Some(file) => read_file(file)?,
            None if value == "-" => self.read_stdin()?,
            None if value.starts_with("\\@") => value[1..].to_owned(),
            None => value.to_owned(),
        };
        let new = Value::String(value);
        match self.result.get_mut(key) {
            None => {
                self.result.insert(key.to_owned(), new);
            }
            Some(Value::Array(list)) => list.push(new),
            Some(old) => *old = Value::Array(vec![old.take(), new]),
        }
        Ok(())
    }

    fn read_stdin(&mut self) -> Result<String, String> {
        let stdin = self.stdin.take().ok_or("stdin already consumed")?;
        let mut bytes = Vec::new();
        stdin.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn read_file(name: &str) -> Result<String, String> {
    let bytes =
        files::read(Path::new(name)).map_err(|e| format!("error reading file: open {name}: {}", files::why(&e)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(stdin: &str, args: &[&str]) -> Result<Value, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        parse(&mut stdin.as_bytes(), &args).map(Value::Object)
    }

    #[test]
    fn values_are_texts_and_repeats_are_lists() {
        let got =
            parsed("", &["n=1", "b=true", "e=", "j={\"a\":1}", "l=1", "l=2", "l=3", "q=a=b", "at=\\@x", ""]).unwrap();
        let want =
            json!({"n": "1", "b": "true", "e": "", "j": "{\"a\":1}", "l": ["1", "2", "3"], "q": "a=b", "at": "@x"});
        assert_eq!(got, want);
    }

    #[test]
    fn stdin_is_a_value_or_an_object_but_only_once() {
        assert_eq!(parsed("x\n", &["k=-"]).unwrap(), json!({"k": "x\n"}));
        assert_eq!(parsed(r#"{"n":1,"t":"a"}"#, &["-", "t=b"]).unwrap().to_string(), r#"{"n":1,"t":["a","b"]}"#);
        assert_eq!(parsed("x", &["k=-", "l=-"]).unwrap_err(), "invalid key/value pair \"l=-\": stdin already consumed");
    }

    #[test]
    fn files_keep_their_newline_and_a_name_with_equals_is_a_pair() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let name = file.to_str().unwrap();
        files::write_for_tests(&file, "{\"a\": 1}\n");
        assert_eq!(parsed("", &[&format!("k=@{name}")]).unwrap(), json!({"k": "{\"a\": 1}\n"}));
        assert_eq!(parsed("", &[&format!("@{name}")]).unwrap(), json!({"a": 1}));
        assert_eq!(parsed("", &["@k=v"]).unwrap(), json!({"@k": "v"}));
        let error = parsed("", &["k=@/nowhere/at/all"]).unwrap_err();
        assert!(error.contains("error reading file: open /nowhere/at/all: no such file or directory"), "{error}");
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        assert_eq!(parsed("", &["x"]).unwrap_err(), "invalid key/value pair \"x\": format must be key=value");
        assert!(parsed("[1]", &["-"]).is_err());
    }

    #[test]
    fn queries_repeat_keys() {
        let args = ["a=1".to_owned(), "a=2".to_owned(), "b=x".to_owned()];
        let want = [("a", "1"), ("a", "2"), ("b", "x")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(parse_query(&mut "".as_bytes(), &args).unwrap(), want);
    }
}
