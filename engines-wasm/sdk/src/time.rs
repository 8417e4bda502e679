//! Points in time: small to store, written as the API writes them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

const NANOS: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z; good until the year 2554. Displays as RFC 3339 in UTC with as many digits of
/// the second as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From whole seconds since 1970.
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn unix(self) -> u64 {
        self.0 / NANOS
    }

    /// So many seconds later.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(NANOS)))
    }

    /// Year, month and day in UTC.
    #[must_use]
    pub const fn date(self) -> (u64, u64, u64) {
        // Counts in years that begin in March, so that the leap day comes last, and in eras of 400 years.
        let days = self.unix() / DAY + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }

    /// Hour, minute and second in UTC.
    #[must_use]
    pub const fn time_of_day(self) -> (u64, u64, u64) {
        let second = self.unix() % DAY;
        (second / 3600, second / 60 % 60, second % 60)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: every answer about a secret has such texts, and formatting machinery takes longer than the rest of it.
        const SHAPE: [u8; 30] = *b"0000-00-00T00:00:00.000000000Z";
        const FRACTION: usize = 19;
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time_of_day();
        let mut text = SHAPE;
        for (range, number) in
            [(0..4, year), (5..7, month), (8..10, day), (11..13, hour), (14..16, minute), (17..19, second)]
        {
            put_digits(&mut text[range], number);
        }
        put_digits(&mut text[FRACTION + 1..SHAPE.len() - 1], self.0 % NANOS);
        let digits = text.iter().rposition(|byte| matches!(byte, b'1'..=b'9')).unwrap_or(0);
        let end = if digits > FRACTION { digits + 1 } else { FRACTION };
        text[end] = b'Z';
        f.write_str(str::from_utf8(&text[..=end]).map_err(|_| fmt::Error)?)
    }
}

/// The number in decimal, with zeros before it.
fn put_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[usize::try_from(number % 10).unwrap_or_default()];
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_around_every_kind_of_leap_year() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_unix(unix).to_string(), text);
        }
    }

    #[test]
    fn writes_no_zeros_at_the_end_of_a_fraction() {
        for (nanos, text) in [
            (1, "1970-01-01T00:00:00.000000001Z"),
            (120_000_000, "1970-01-01T00:00:00.12Z"),
            (3_000_000_000, "1970-01-01T00:00:03Z"),
        ] {
            assert_eq!(Timestamp(nanos).to_string(), text);
        }
    }

    #[test]
    fn never_wraps() {
        assert_eq!(Timestamp::from_unix(1).plus(u64::MAX), Timestamp(u64::MAX));
        assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), Timestamp(0));
    }
}
