//! Finds users by their stamps.

use super::session::{self, Session};
use super::{Error, Identity, identify};
use crate::statements::literal;

/// A user that bears a stamp.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) name: String,
    pub(crate) oid: String,
    pub(crate) stamp: String,
}

/// So many users at most whose stamps begin with `mark`, by name, after this one; or the one of this name. A standby
/// does not count: what it does not show may be there.
pub(crate) async fn stamped(
    session: &mut Session,
    mark: &str,
    name: Option<&str>,
    after: &str,
    most: usize,
) -> Result<(Identity, Vec<Stamped>), Error> {
    let identity = identify(session).await?;
    let name = name.map(|name| format!("AND rolname = {}", literal(name))).unwrap_or_default();
    let sql = format!(
        "SELECT name, oid, stamp FROM (
             SELECT rolname::text AS name, oid::text AS oid, pg_catalog.shobj_description(oid, 'pg_authid') AS stamp
             FROM pg_catalog.pg_roles WHERE rolname::text COLLATE \"C\" > {after} {name}
         ) AS roles
         WHERE pg_catalog.left(stamp, pg_catalog.length({mark})) = {mark}
         ORDER BY name COLLATE \"C\" LIMIT {most}",
        after = literal(after),
        mark = literal(mark),
    );
    let rows = session.finish(sql).await?;
    let user = |row| {
        Ok(Stamped {
            name: session::some_text(row, "name")?,
            oid: session::some_text(row, "oid")?,
            stamp: session::some_text(row, "stamp")?,
        })
    };
    let users: Result<_, Error> = rows.iter().map(user).collect();
    Ok((identity, users?))
}
