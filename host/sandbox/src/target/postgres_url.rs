//! The grammar `postgres-url`. Stricter than the driver's: what two parsers could read differently is refused.

use cofferdam_model::engine::Protocol;

use super::{Address, TargetError, host_and_port, plain};

const MAX_BYTES: usize = 4096;
const DEFAULT_PORT: u16 = 5432;

/// What stands in place of a literal password.
const HIDDEN: &str = "xxxxx";

/// Options that would point the driver, or libpq, somewhere else or to somebody else.
const OVERRIDES: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "username",
    "password",
    "passfile",
    "dbname",
    "database",
    "service",
    "servicefile",
];

pub(super) fn parse(text: &str) -> Result<Address, TargetError> {
    // First: of a text for another database, or in another form, nothing else is worth saying.
    let rest = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or(TargetError::Scheme)?;
    plain(text, MAX_BYTES)?;
    if text.contains('#') {
        return Err(TargetError::Fragment);
    }
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));

    let (userinfo, place) = match authority.split_once('@') {
        Some((_, more)) if more.contains('@') => return Err(TargetError::TwoAts),
        Some((userinfo, more)) => (Some(userinfo), more),
        None => (None, authority),
    };
    if place.contains(['{', '}']) {
        return Err(TargetError::Template);
    }
    let (host, port) = host_and_port(place)?;
    check_path(path)?;
    if let Some(query) = query {
        check_query(query)?;
    }
    let password = userinfo.map(check_userinfo).transpose()?.flatten();
    let location = match password {
        Some(password) => {
            // The password is a slice of the text, so its place is known exactly.
            let start = password.as_ptr() as usize - text.as_ptr() as usize;
            format!("{}{HIDDEN}{}", &text[..start], &text[start + password.len()..])
        }
        None => text.to_owned(),
    };
    Ok(Address { host, port: port.unwrap_or(DEFAULT_PORT), protocol: Protocol::Tcp, location })
}

/// The literal password, if there is one.
fn check_userinfo(text: &str) -> Result<Option<&str>, TargetError> {
    let (user, password) = text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p)));
    template_or_text(user, "{{username}}")?;
    match password {
        None | Some("" | "{{password}}") => Ok(None),
        Some(password) => {
            template_or_text(password, "{{password}}")?;
            Ok(Some(password))
        }
    }
}

/// A part is a template as a whole, or has none: what is filled in can then never change the shape.
fn template_or_text(part: &str, template: &str) -> Result<(), TargetError> {
    if part == template {
        return Ok(());
    }
    if part.contains(['{', '}']) {
        return Err(TargetError::Template);
    }
    decode(part).map(|_| ())
}

fn check_path(path: &str) -> Result<(), TargetError> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if name.contains(['{', '}']) {
        return Err(TargetError::Template);
    }
    let name = decode(name)?;
    if name.contains(&b'/') || name.iter().any(|b| b.is_ascii_control()) {
        return Err(TargetError::Path);
    }
    Ok(())
}

fn check_query(query: &str) -> Result<(), TargetError> {
    if query.contains(['{', '}']) {
        return Err(TargetError::Template);
    }
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A plus sign is a space to some readers: neither reading may give an override.
        let key = String::from_utf8_lossy(&decode(key)?).replace('+', " ").trim().to_ascii_lowercase();
        if OVERRIDES.contains(&key.as_str()) {
            return Err(TargetError::Override);
        }
        if decode(value)?.iter().any(|b| b.is_ascii_control()) {
            return Err(TargetError::Character);
        }
        if seen.contains(&key) {
            return Err(TargetError::TwiceOption);
        }
        seen.push(key);
    }
    Ok(())
}

fn decode(text: &str) -> Result<Vec<u8>, TargetError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(TargetError::Percent);
        };
        out.push(u8::try_from(high * 16 + low).map_err(|_| TargetError::Percent)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<(String, u16), TargetError> {
        parse(text).map(|a| (a.host, a.port))
    }

    #[test]
    fn usual_addresses() {
        let db = |port| Ok(("db.corp".to_owned(), port));
        assert_eq!(at("postgresql://{{username}}:{{password}}@db.corp:5432/app?sslmode=require"), db(5432));
        assert_eq!(at("postgres://{{username}}:{{password}}@DB.corp"), db(5432));
        assert_eq!(at("postgresql://db.corp:6000/"), db(6000));
        assert_eq!(at("postgresql://db.corp?sslmode=disable&application_name=x"), db(5432));
        assert_eq!(at("postgresql://u@db.corp:1/a%20b"), db(1));
        assert_eq!(at("postgresql://u:p@[::1]:7/x"), Ok(("::1".to_owned(), 7)));
        assert_eq!(at("postgresql://u:p@[2001:db8::1]/x"), Ok(("2001:db8::1".to_owned(), 5432)));
        assert_eq!(at("postgresql://u:p%40@127.0.0.1:5432/x"), Ok(("127.0.0.1".to_owned(), 5432)));
    }

    #[test]
    fn literal_passwords_are_cut_out() {
        let location = |text| parse(text).map(|a| a.location);
        assert_eq!(
            location("postgresql://app:s3cret@db.corp/x?sslmode=disable").as_deref(),
            Ok("postgresql://app:xxxxx@db.corp/x?sslmode=disable")
        );
        assert_eq!(location("postgresql://db:db@db/db").as_deref(), Ok("postgresql://db:xxxxx@db/db"));
        for kept in ["postgresql://{{username}}:{{password}}@db/x", "postgresql://app@db/x", "postgresql://app:@db/x"] {
            assert_eq!(location(kept).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn what_surprises_is_refused() {
        use TargetError as E;
        for (text, want) in [
            ("postgresql://u:p@db.corp:5432/x?host=evil&port=6666", E::Override),
            ("postgresql://u:p@db.corp/x?hostaddr=10.0.0.1", E::Override),
            ("postgresql://u:p@db.corp/x?HOST=evil", E::Override),
            ("postgresql://u:p@db.corp/x?%68ost=evil", E::Override),
            ("postgresql://u:p@db.corp/x?host+=evil", E::Override),
            ("postgresql://u:p@db.corp/x?port=1", E::Override),
            ("postgresql://u:p@db.corp/x?user=postgres", E::Override),
            ("postgresql://u:p@db.corp/x?password=p", E::Override),
            ("postgresql://u:p@db.corp/x?sslmode=disable&passfile=/x", E::Override),
            ("postgresql://u:p@db.corp/x?service=other", E::Override),
            ("postgresql://u:p@db.corp/x?dbname=postgresql://evil", E::Override),
            ("postgresql://u:p@db.corp/x?sslmode=require&sslmode=disable", E::TwiceOption),
            ("postgresql://u:p@db.corp\\@evil/x", E::Backslash),
            ("postgresql://u:p@db.corp@evil/x", E::TwoAts),
            ("postgresql://u:p@/x", E::NoHost),
            ("postgresql:///x", E::NoHost),
            ("postgresql://u:p@:5432/x", E::NoHost),
            ("postgresql://u:p@%2Fvar%2Frun/x", E::EncodedHost),
            ("postgresql://u:p@%64b.corp/x", E::EncodedHost),
            ("postgresql://u:p@a,b/x", E::SeveralHosts),
            ("postgresql://u:p@a:1,b:2/x", E::SeveralHosts),
            ("postgresql://u:p@db.corp:0/x", E::Port),
            ("postgresql://u:p@db.corp:/x", E::Port),
            ("postgresql://u:p@db.corp:99999/x", E::Port),
            ("postgresql://u:p@db.corp:5432:1/x", E::Port),
            ("postgresql://u:p@2130706433/x", E::Host),
            ("postgresql://u:p@0x7f.1/x", E::Host),
            ("postgresql://u:p@127.1/x", E::Host),
            ("postgresql://u:p@[::1/x", E::Host),
            ("postgresql://u:p@[::1]x/x", E::Host),
            ("postgresql://u:p@::1/x", E::NoHost),
            ("postgresql://u:p@{{username}}/x", E::Template),
            ("postgresql://u:p@db/{{username}}", E::Template),
            ("postgresql://u:p@db/x?options={{password}}", E::Template),
            ("postgresql://{{password}}:{{username}}@db/x", E::Template),
            ("postgresql://a{{username}}:{{password}}@db/x", E::Template),
            ("postgresql://u:p@db/a/b", E::Path),
            ("postgresql://u:p@db/a%2fb", E::Path),
            ("postgresql://u:p@db/a%00", E::Path),
            ("postgresql://u:p%@db/x", E::Percent),
            ("postgresql://u:p#@db/x", E::Fragment),
            ("postgresql://u:p@db/x\n", E::Character),
            ("postgresql://u:p@d b/x", E::Character),
            ("postgresql://u:p@dä/x", E::Character),
            ("mysql://u:p@db/x", E::Scheme),
            ("u:p@tcp(db:3306)/", E::Scheme),
            ("host=db user=u", E::Scheme),
            ("host=db", E::Scheme),
        ] {
            assert_eq!(at(text), Err(want), "{text}");
        }
        assert_eq!(at(&format!("postgresql://db/{}", "x".repeat(5000))), Err(E::TooLong));
    }
}
