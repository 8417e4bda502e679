//! Prefixes as ranges, and listings that jump over folders.

/// The least text that is greater than every text with this prefix; none where there is no such text.
///
/// UTF-8 sorts as its code points do, so the last character is raised by one.
pub(super) fn successor(prefix: &str) -> Option<String> {
    let mut out = prefix.to_owned();
    while let Some(last) = out.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        out.extend(next);
        return Some(out);
    }
    None
}

/// Where a listing of the names below `prefix` that are greater than `after` begins.
pub(super) fn first_key(prefix: &str, after: Option<&str>) -> String {
    match after {
        // An entry of the prefix's own name has no name below it.
        None => format!("{prefix}\0"),
        Some(after) => match after.split_once('/') {
            // What lies in the folder has its name; '0' follows '/'.
            Some((folder, _)) => format!("{prefix}{folder}0"),
            None => format!("{prefix}{after}\0"),
        },
    }
}

/// The names below a prefix, one index seek each. `?1`: first key, `?2`: end, `?3`: the prefix's bytes + 1, `?4`: limit,
/// `?5`: whatever the rows' condition needs. Bytes are counted, not characters, and a key may hold a NUL, at which
/// SQLite's functions on text stop: hence the casts.
macro_rules! skip_scan {
    ($table:literal, $key:literal, $condition:literal) => {
        concat!(
            "WITH RECURSIVE step (key) AS (
                SELECT * FROM (SELECT t.",
            $key,
            " FROM ",
            $table,
            " AS t WHERE ",
            $condition,
            " AND t.",
            $key,
            " >= ?1
                    AND t.",
            $key,
            " < ?2 ORDER BY t.",
            $key,
            " LIMIT 1)
                UNION ALL
                SELECT (
                    SELECT t.",
            $key,
            " FROM ",
            $table,
            " AS t WHERE ",
            $condition,
            " AND t.",
            $key,
            " >=
                        CASE instr(substr(CAST(step.key AS BLOB), ?3), x'2f')
                        WHEN 0 THEN step.key || char(0)
                        ELSE CAST(substr(CAST(step.key AS BLOB), 1,
                            ?3 + instr(substr(CAST(step.key AS BLOB), ?3), x'2f') - 2) AS TEXT) || '0' END
                    AND t.",
            $key,
            " < ?2 ORDER BY t.",
            $key,
            " LIMIT 1)
                FROM step WHERE step.key IS NOT NULL
                LIMIT ?4
            )
            SELECT CASE instr(substr(CAST(key AS BLOB), ?3), x'2f')
                WHEN 0 THEN substr(CAST(key AS BLOB), ?3)
                ELSE substr(CAST(key AS BLOB), ?3, instr(substr(CAST(key AS BLOB), ?3), x'2f')) END
            FROM step WHERE key IS NOT NULL"
        )
    };
}
pub(super) use skip_scan;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors() {
        assert_eq!(successor(""), None);
        assert_eq!(successor("a/").as_deref(), Some("a0"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}\u{10ffff}"), None);
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor("\u{7f}").as_deref(), Some("\u{80}"));
    }

    #[test]
    fn beginnings() {
        assert_eq!(first_key("p/", None), "p/\0");
        assert_eq!(first_key("p/", Some("a")), "p/a\0");
        assert_eq!(first_key("p/", Some("a/")), "p/a0");
    }
}
