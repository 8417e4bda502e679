//! The walk: one credential made, used, renewed and revoked, another left to expire; every claim is checked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::postgres::Postgres;
use crate::run::{Outcome, text, wait_for};
use crate::talk;

/// Where the tour goes.
pub(crate) struct Tour {
    tools: PathBuf,
    address: String,
    database: Postgres,
}

/// What `vault read database/creds/…` printed.
struct Credential {
    lease: String,
    user: String,
    password: String,
}

const STATEMENTS: &str = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; \
                          GRANT SELECT ON demo_orders TO \"{{name}}\";";

impl Tour {
    pub(crate) fn new(tools: PathBuf, address: String, database: Postgres) -> Self {
        Self { tools, address, database }
    }

    /// The command line tool, aimed at the server.
    pub(crate) fn vault(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.tools.join("vault"));
        command.args(arguments).env("VAULT_ADDR", &self.address).env("VAULT_TOKEN", "root");
        command
    }

    /// How to go on by oneself.
    pub(crate) fn invitation(&self, log: &Path) -> String {
        format!(
            "\n   In another terminal, paste this and follow the tour in README.md:\n\n\
             \x20  export PATH={}:$PATH VAULT_ADDR={} VAULT_TOKEN=root\n\
             \x20  export PGHOST={} PGPORT={} PGUSER={} PGPASSWORD={} PGDATABASE={}\n\n\
             \x20  The server's log: {}\n",
            self.tools.display(),
            self.address,
            self.database.host,
            self.database.port,
            self.database.user,
            self.database.password,
            self.database.database,
            log.display(),
        )
    }

    /// Prints a command as it is typed, and what came back.
    fn show(&self, arguments: &[&str]) -> Outcome<String> {
        talk::command(&typed(arguments));
        let said = text(&mut self.vault(arguments))?;
        println!("{said}");
        Ok(said)
    }

    fn credential(&self, role: &str) -> Outcome<Credential> {
        let said = self.show(&["read", &format!("database/creds/{role}")])?;
        let row = |key: &str| {
            said.lines()
                .find_map(|line| line.strip_prefix(key).filter(|rest| rest.starts_with(' ')))
                .map(|value| value.trim().to_owned())
                .ok_or_else(|| format!("the answer has no row {key}"))
        };
        Ok(Credential { lease: row("lease_id")?, user: row("username")?, password: row("password")? })
    }

    fn exists(&self, user: &str) -> Outcome<bool> {
        let found = self.database.query(&format!("select count(*) from pg_roles where rolname = '{user}'"))?;
        Ok(found == "1")
    }

    fn wait_gone(&self, user: &str) -> Outcome<()> {
        wait_for(&format!("the end of {user}"), Duration::from_secs(30), || {
            matches!(self.exists(user), Ok(false)).then_some(())
        })
    }
}

/// Walks.
pub(crate) fn walk(tour: &Tour) -> Outcome<()> {
    let database = &tour.database;
    talk::stage("a table that somebody wants to read");
    database.query("create table if not exists demo_orders (id int primary key, item text)")?;
    database.query("insert into demo_orders values (1, 'a lamp') on conflict do nothing")?;

    talk::stage("the operator's part: an engine, a connection, a role");
    tour.show(&["secrets", "enable", "database"])?;
    let url = format!(
        "connection_url=postgresql://{{{{username}}}}:{{{{password}}}}@{}:{}/{}?sslmode=disable",
        database.host, database.port, database.database
    );
    let user = format!("username={}", database.user);
    let password = format!("password={}", database.password);
    let plugin = "plugin_name=postgresql-database-plugin";
    tour.show(&["write", "database/config/shop", plugin, "allowed_roles=readonly,brief", &url, &user, &password])?;
    let statements = format!("creation_statements={STATEMENTS}");
    let role = ["db_name=shop", &statements];
    tour.show(&["write", "database/roles/readonly", role[0], role[1], "default_ttl=1h", "max_ttl=24h"])?;

    talk::stage("a reader's part: a user of one's own, made on the spot");
    let reader = tour.credential("readonly")?;
    let query = "select current_user, item from demo_orders";
    talk::command(&format!("psql -U {} -c '{query}'", reader.user));
    println!("{}", text(database.psql(&reader.user, &reader.password).args(["-c", query]))?);
    talk::shown("the user can log in and read");
    tour.show(&["lease", "renew", &reader.lease])?;
    talk::shown("the lease was renewed");
    tour.show(&["lease", "revoke", &reader.lease])?;
    tour.wait_gone(&reader.user)?;
    if database.admits(&reader.user, &reader.password) {
        return Err(format!("{} was revoked and can still log in", reader.user));
    }
    talk::shown("the user is gone from PostgreSQL");

    talk::stage("what nobody gives back ends by itself");
    tour.show(&["write", "database/roles/brief", role[0], role[1], "default_ttl=3s", "max_ttl=1m"])?;
    let brief = tour.credential("brief")?;
    if !database.admits(&brief.user, &brief.password) {
        return Err(format!("{} cannot log in", brief.user));
    }
    talk::shown("the user can log in");
    tour.wait_gone(&brief.user)?;
    talk::shown("three seconds later the user is gone");

    let left = database.query("select count(*) from pg_roles where rolname like 'v-%'")?;
    if left != "0" && std::env::var_os("COFFERDAM_DEMO_PG").is_none() {
        return Err(format!("{left} users are left in PostgreSQL"));
    }
    talk::shown("no user is left in PostgreSQL");
    Ok(())
}

/// A command line as a person would type it in a shell.
fn typed(arguments: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    let mut line = "vault".to_owned();
    for argument in arguments {
        line.push(' ');
        if argument.chars().all(plain) {
            line.push_str(argument);
        } else {
            line.push_str(&format!("'{}'", argument.replace('\'', r"'\''")));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn quotes_what_a_shell_would_read() {
        assert_eq!(typed(&["read", "a/b"]), "vault read a/b");
        assert_eq!(typed(&["write", "r", "s=it's"]), r"vault write r 's=it'\''s'");
    }
}
