//! The TTL hierarchy: system → mount → role → request, and what a renewal may add. Pure.

use cofferdam_model::duration::short_text;

/// What bounds a lease, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of the mount, after the system's.
    pub default_ttl: u64,
    /// Of the mount, after the system's.
    pub max_ttl: u64,
    /// Of the role; 0: none.
    pub role_ttl: u64,
    /// Of the role; 0: none.
    pub role_max_ttl: u64,
}

impl Limits {
    /// The lowest maximum; 0: none.
    pub fn effective_max(&self) -> u64 {
        [self.max_ttl, self.role_max_ttl].into_iter().filter(|m| *m > 0).min().unwrap_or(0)
    }
}

/// A TTL after the hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clamped {
    /// Seconds from now.
    pub ttl: u64,
    /// Said where the wish was larger.
    pub warning: Option<String>,
}

/// The TTL of a new lease: the request's, else the role's, else the mount's, and never beyond the effective maximum.
pub fn clamp(requested: u64, limits: &Limits) -> Clamped {
    within("TTL", wish(requested, limits), limits.effective_max(), limits.effective_max())
}

/// The TTL of what is renewed by its period, again and again: the period, and never beyond the effective maximum.
pub fn clamp_period(period: u64, limits: &Limits) -> Clamped {
    within("period", period, limits.effective_max(), limits.effective_max())
}

/// The TTL of a renewal `age` seconds after the issue; none where the maximum is reached.
pub fn clamp_renewal(increment: u64, age: u64, limits: &Limits) -> Option<Clamped> {
    let max = limits.effective_max();
    let left = if max == 0 { 0 } else { max.checked_sub(age).filter(|left| *left > 0)? };
    Some(within("TTL", wish(increment, limits), left, max))
}

fn wish(requested: u64, limits: &Limits) -> u64 {
    [requested, limits.role_ttl, limits.default_ttl].into_iter().find(|t| *t > 0).unwrap_or(0)
}

fn within(what: &str, wish: u64, left: u64, max: u64) -> Clamped {
    if max == 0 || wish <= left {
        return Clamped { ttl: wish, warning: None };
    }
    let warning = format!(
        "{what} of \"{}\" exceeded the effective max_ttl of \"{}\"; {what} value is capped accordingly",
        short_text(i64::try_from(wish).unwrap_or(i64::MAX)),
        short_text(i64::try_from(left).unwrap_or(i64::MAX)),
    );
    Clamped { ttl: left, warning: Some(warning) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { default_ttl: 3600, max_ttl: 7200, role_ttl: 0, role_max_ttl: 0 };

    #[test]
    fn the_lowest_maximum_wins() {
        assert_eq!(clamp(0, &LIMITS), Clamped { ttl: 3600, warning: None });
        assert_eq!(clamp(7200, &LIMITS).ttl, 7200);
        let over = clamp(36_000, &LIMITS);
        assert_eq!(over.ttl, 7200);
        assert_eq!(
            over.warning.as_deref(),
            Some("TTL of \"10h\" exceeded the effective max_ttl of \"2h\"; TTL value is capped accordingly")
        );
        let role = Limits { role_ttl: 9000, role_max_ttl: 600, ..LIMITS };
        assert_eq!(clamp(0, &role).ttl, 600);
    }

    #[test]
    fn a_period_has_a_maximum_too() {
        assert_eq!(clamp_period(600, &LIMITS), Clamped { ttl: 600, warning: None });
        let over = clamp_period(36_000, &LIMITS);
        assert_eq!(over.ttl, 7200);
        assert_eq!(
            over.warning.as_deref(),
            Some("period of \"10h\" exceeded the effective max_ttl of \"2h\"; period value is capped accordingly")
        );
    }

    #[test]
    fn renewal_counts_from_the_issue() {
        assert_eq!(clamp_renewal(1800, 0, &LIMITS).map(|c| c.ttl), Some(1800));
        assert_eq!(clamp_renewal(7200, 7000, &LIMITS).map(|c| c.ttl), Some(200));
        assert_eq!(clamp_renewal(1, 7200, &LIMITS), None);
    }
}
