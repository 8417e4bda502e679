//! Fuzz targets: durations, fields, route patterns.

use crate::duration;
use crate::fields;
use crate::json;
use crate::route::{FieldKind, Pattern};

/// What is a duration can be written and read again.
fn durations(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(seconds) = duration::parse_text(&text) {
        for written in [duration::go_text(seconds), duration::short_text(seconds)] {
            // The shortest of all numbers has no opposite that could be written with a sign.
            assert!(seconds == i64::MIN || duration::parse_text(&written) == Ok(seconds), "{text:?} → {written:?}");
        }
    }
}

/// What a kind of field made of a value, it makes of that again.
fn values(input: &[u8]) {
    use FieldKind::{
        Any, Boolean, CommaIntegers, CommaList, Integer, LowerText, Object, Pairs, Seconds, SignedSeconds, Text,
        TextList,
    };
    let Ok(value) = json::value(input) else { return };
    for kind in [
        Any,
        Boolean,
        CommaIntegers,
        CommaList,
        Integer,
        LowerText,
        Object,
        Pairs,
        Seconds,
        SignedSeconds,
        Text,
        TextList,
    ] {
        if let Ok(read) = fields::read(kind, &value) {
            assert_eq!(fields::read(kind, &read).as_ref(), Ok(&read), "{kind:?} of {value}");
        }
    }
}

/// The first line is a pattern, the second a path: what is captured, put into the pattern, gives the path.
fn patterns(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (text, path) = input.split_once('\n').unwrap_or((&input, ""));
    let Ok(pattern) = Pattern::parse(text) else { return };
    assert_eq!(pattern.as_str(), text);
    let Some(captured) = pattern.matches(path) else { return };
    assert!(captured.iter().map(|(name, _)| name.as_str()).eq(pattern.params()), "{text:?}: {captured:?}");
    let mut built = text.to_owned();
    for (name, value) in &captured {
        for form in [format!("{{{name}}}"), format!("{{{name}@}}"), format!("{{{name}*}}")] {
            built = built.replacen(&form, value, 1);
        }
    }
    // A rest may be absent together with its slash.
    assert!(built == path || built == format!("{path}/"), "{text:?} of {path:?}: {captured:?}");
}

#[test]
fn durations_hold() {
    cofferdam_fuzz::run("duration", durations);
}

#[test]
fn fields_hold() {
    cofferdam_fuzz::run("json", values);
}

#[test]
fn patterns_hold() {
    cofferdam_fuzz::run("pattern", patterns);
}
