//! Go's way of writing a time: by an example, the second of January 2006, 15:04:05.

use std::time::Duration;

use time::OffsetDateTime;

/// The pieces of the example, longer ones before those that they begin with.
const PIECES: &[&str] = &[
    "January", "Jan", "Monday", "Mon", "MST", "2006", "-07:00", "-0700", "-07", "Z07:00", "Z0700", "01", "02", "03",
    "04", "05", "06", "002", "15", "PM", "pm", "_2", "1", "2", "3", "4", "5",
];

/// Writes a time (since 1970, UTC) as the layout shows it.
pub(super) fn format(layout: &str, since: Duration) -> Result<String, String> {
    let at = i64::try_from(since.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or("the time of day is out of range")?;
    let mut written = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some(digits) = fraction(rest) {
            let nanos = format!("{:09}", since.subsec_nanos());
            written.push(c);
            written.push_str(&nanos[..digits]);
            rest = &rest[1 + digits..];
        } else if let Some(piece) = longest(rest) {
            written.push_str(&self::piece(piece, at));
            rest = &rest[piece.len()..];
        } else {
            written.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(written)
}

fn longest(rest: &str) -> Option<&'static str> {
    PIECES.iter().copied().filter(|piece| rest.starts_with(piece)).max_by_key(|piece| piece.len())
}

/// `.000`: so many digits of a second.
fn fraction(rest: &str) -> Option<usize> {
    let digits = rest.strip_prefix(['.', ','])?;
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    let more = digits[zeros..].starts_with(|c: char| c.is_ascii_digit());
    ((1..=9).contains(&zeros) && !more).then_some(zeros)
}

fn piece(piece: &str, at: OffsetDateTime) -> String {
    let hour12 = (at.hour() + 11) % 12 + 1;
    let month = at.month().to_string();
    let weekday = at.weekday().to_string();
    match piece {
        "January" => month,
        "Jan" => month[..3].to_owned(),
        "Monday" => weekday,
        "Mon" => weekday[..3].to_owned(),
        "MST" => "UTC".to_owned(),
        "2006" => format!("{:04}", at.year()),
        "06" => format!("{:02}", at.year() % 100),
        "01" => format!("{:02}", u8::from(at.month())),
        "1" => u8::from(at.month()).to_string(),
        "02" => format!("{:02}", at.day()),
        "_2" => format!("{:2}", at.day()),
        "2" => at.day().to_string(),
        "002" => format!("{:03}", at.ordinal()),
        "15" => format!("{:02}", at.hour()),
        "03" => format!("{hour12:02}"),
        "3" => hour12.to_string(),
        "04" => format!("{:02}", at.minute()),
        "4" => at.minute().to_string(),
        "05" => format!("{:02}", at.second()),
        "5" => at.second().to_string(),
        "PM" => (if at.hour() < 12 { "AM" } else { "PM" }).to_owned(),
        "pm" => (if at.hour() < 12 { "am" } else { "pm" }).to_owned(),
        "Z07:00" | "Z0700" => "Z".to_owned(),
        "-07:00" => "+00:00".to_owned(),
        "-0700" => "+0000".to_owned(),
        _ => "+00".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_like_the_example() {
        let at = Duration::new(1_515_625_519, 42_000_000);
        for (layout, want) in [
            ("2006-01-02 15:04:05-0700", "2018-01-10 23:05:19+0000"),
            ("Mon Jan _2 3:04PM 06", "Wed Jan 10 11:05PM 18"),
            ("Monday, 2 January, day 002", "Wednesday, 10 January, day 010"),
            ("20060102T150405.000Z07:00", "20180110T230519.042Z"),
            ("1/2 at 4:5 pm MST", "1/10 at 5:19 pm UTC"),
        ] {
            assert_eq!(format(layout, at).as_deref(), Ok(want), "{layout}");
        }
    }
}
