//! Durations as the API writes them, for texts that the host does not read for the engine.

/// Whole seconds: `""` is zero, an integer is seconds, `<integer>d` is days, else Go's form (`1h30m`, `1.5h`, `300ms`).
/// Fractions of a second are cut. None: no duration.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0);
    }
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let seconds = match rest.strip_suffix('d') {
        // A sign of its own is no digit.
        Some(days) if days.bytes().all(|b| b.is_ascii_digit()) => i64::from(days.parse::<u32>().ok()?) * 86_400,
        Some(_) => return None,
        None => i64::try_from(nanoseconds(rest)? / 1_000_000_000).ok()?,
    };
    Some(sign * seconds)
}

/// One or more numbers with their units.
fn nanoseconds(mut text: &str) -> Option<u128> {
    let number_of = |c: char| c.is_ascii_digit() || c == '.';
    let mut total = 0_u128;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let (number, rest) = text.split_at(text.find(|c| !number_of(c))?);
        let (unit, rest) = rest.split_at(rest.find(number_of).unwrap_or(rest.len()));
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60 * 1_000_000_000,
            "h" => 3_600 * 1_000_000_000,
            _ => return None,
        };
        total = total.checked_add(times(number, scale)?)?;
        text = rest;
    }
    Some(total)
}

/// A decimal number times `scale`, cut to an integer.
fn times(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // What is beyond a hundred-millionth of a unit cannot be seen in seconds.
    let fraction = fraction.get(..fraction.len().min(8))?;
    let power = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(scale)?.checked_add(part * scale / power)
}

/// Go's text of a duration: `0s`, `1m30s`, `1h0m0s`.
#[must_use]
pub fn go_text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, m, s) => format!("{sign}{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_of_the_api() {
        for (text, seconds) in [
            ("", 0),
            ("90", 90),
            ("-5", -5),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("1.5h", 5_400),
            (".5m", 30),
            ("1500ms", 1),
            ("2d", 172_800),
            ("-1m", -60),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text:?}");
        }
        for text in [
            "soon",
            "1w",
            "1d12h",
            "1.5d",
            "1.5",
            "m",
            ".s",
            "1..5s",
            "5 m",
            "-",
            "+",
            "-+5d",
            "d",
            "999999999999999999999h",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn writes_go_text() {
        for (seconds, text) in [(0, "0s"), (90, "1m30s"), (3_600, "1h0m0s"), (5_400, "1h30m0s"), (-1, "-1s")] {
            assert_eq!(go_text(seconds), text);
        }
    }
}
