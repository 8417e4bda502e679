//! Durations as the API writes them, in and out.

use serde_json::Value;

const UNITS: [(&str, u64); 6] =
    [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)];
const HOUR: u64 = 3_600_000_000_000;

/// Reads a duration: null or "" is zero, an integer (or its text) is seconds, `<int>d` is days, else Go's form
/// (`1h30m`, `300ms`, `1.5h`). To whole seconds, truncated. A sign is accepted; whether negative is allowed is the
/// caller's matter.
///
/// # Errors
/// A text for the client that quotes the value.
pub fn parse(value: &Value) -> Result<i64, String> {
    match value {
        Value::Null => Ok(0),
        Value::Number(n) => n.as_i64().ok_or_else(|| format!("{n} is no whole number of seconds")),
        Value::String(s) => parse_text(s),
        other => Err(format!("{other} is no duration")),
    }
}

/// [`parse`] for a text.
///
/// # Errors
/// A text for the client that quotes the value.
pub fn parse_text(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is no duration (such as 90, \"90s\", \"1h30m\", \"2d\")");
    let t = text.trim();
    if t.is_empty() {
        return Ok(0);
    }
    if let Ok(seconds) = t.parse::<i64>() {
        return Ok(seconds);
    }
    let (negative, t) = match t.as_bytes()[0] {
        b'-' => (true, &t[1..]),
        b'+' => (false, &t[1..]),
        _ => (false, t),
    };
    let seconds = match t.strip_suffix('d') {
        Some(days) if days.bytes().all(|b| b.is_ascii_digit()) && !days.is_empty() => {
            days.parse::<i64>().ok().and_then(|d| d.checked_mul(86_400)).ok_or_else(bad)?
        }
        _ => go_nanos(t).and_then(|n| i64::try_from(n / 1_000_000_000).ok()).ok_or_else(bad)?,
    };
    Ok(if negative { -seconds } else { seconds })
}

/// One or more of number + unit, as Go's time.ParseDuration.
fn go_nanos(mut t: &str) -> Option<u128> {
    let mut total = 0u128;
    if t.is_empty() {
        return None;
    }
    while !t.is_empty() {
        let digits = t.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = t.split_at(digits);
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_len);
        let nanos = if unit == "h" { HOUR } else { UNITS.iter().find(|(u, _)| *u == unit)?.1 };
        total = total.checked_add(scaled(number, nanos)?)?;
        t = rest;
    }
    Some(total)
}

/// `number` (digits with at most one dot) times `nanos`.
fn scaled(number: &str, nanos: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let nanos = u128::from(nanos);
    let total = if whole.is_empty() { 0 } else { whole.parse::<u128>().ok()?.checked_mul(nanos)? };
    // Eighteen digits of an hour stay below 2^128, and what follows them is no nanosecond.
    let (mut part, mut scale) = (0u128, 1u128);
    for digit in fraction.bytes().take(18) {
        part = part * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    total.checked_add(part * nanos / scale)
}

/// Go's `time.Duration.String` of whole seconds: `0s`, `45s`, `1m30s`, `1h0m0s`.
pub fn go_text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let s = seconds.unsigned_abs();
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, m, s) => format!("{sign}{h}h{m}m{s}s"),
    }
}

/// The same without units that are zero: `1h`, `2m30s`, `768h`; `0s` for nothing.
pub fn short_text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let s = seconds.unsigned_abs();
    let mut out = String::from(sign);
    for (n, unit) in [(s / 3600, 'h'), (s / 60 % 60, 'm'), (s % 60, 's')] {
        if n > 0 {
            out.push_str(&format!("{n}{unit}"));
        }
    }
    if s == 0 { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_contract_lists() {
        for (text, want) in [
            ("", 0),
            ("90", 90),
            ("1m30s", 90),
            ("1.5h", 5400),
            ("2d", 172_800),
            ("2500ms", 2),
            ("-1h", -3600),
            ("1h0m0s", 3600),
            ("0", 0),
            ("768h", 2_764_800),
            ("0.5m", 30),
            ("+5s", 5),
            ("0.999999999999999999h", 3599),
            ("1.9999999999999999999999999999999999999999h", 7199),
        ] {
            assert_eq!(parse_text(text), Ok(want), "{text}");
        }
        let huge = format!("{}.9h", u128::MAX / u128::from(HOUR));
        for text in [
            "1d12h",
            "1.5d",
            "ten",
            "5 m",
            "1w",
            "h",
            "1.h.",
            ".",
            "d",
            "-",
            "+",
            "-+5d",
            "--5s",
            "99999999999999999999h",
            &huge,
        ] {
            assert!(parse_text(text).is_err(), "{text}");
        }
        assert!(parse(&serde_json::json!(1.5)).is_err());
        assert_eq!(parse(&serde_json::json!(90)), Ok(90));
    }

    #[test]
    fn prints_as_the_peers_do() {
        assert_eq!(go_text(0), "0s");
        assert_eq!(go_text(5400), "1h30m0s");
        assert_eq!(short_text(2_764_800), "768h");
        assert_eq!(short_text(150), "2m30s");
        assert_eq!(short_text(0), "0s");
    }
}
