//! The flags of `cofferdam server`.

/// What the operator asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `-config`, in order.
    pub(crate) config: Vec<String>,
    /// `-dev`
    pub(crate) dev: bool,
    /// `-dev-root-token-id`
    pub(crate) dev_root_token: Option<String>,
    /// `-dev-listen-address`
    pub(crate) dev_listen_address: Option<String>,
    /// `-dev-path`: keep a development server's data in this directory.
    pub(crate) dev_path: Option<String>,
    /// `-dev-plugin-dir`: engines besides the built-in ones.
    pub(crate) dev_plugin_dir: Option<String>,
    /// `-dev-no-store-token`
    pub(crate) dev_no_store_token: bool,
    /// `-dev-tls`: with certificates made at start.
    pub(crate) dev_tls: bool,
    /// `-dev-tls-cert-dir`: where they are written, and stay.
    pub(crate) dev_tls_dir: Option<String>,
    /// `-dev-tls-san`: what they are for besides this machine.
    pub(crate) dev_tls_names: Vec<String>,
    /// `-log-level`
    pub(crate) log_level: Option<String>,
    /// `-log-format`
    pub(crate) log_format: Option<String>,
    /// `-help`
    pub(crate) help: bool,
}

/// What `-help` prints.
pub(crate) const HELP: &str = "\
Usage: cofferdam server [options]

  Starts a server. With -config it reads its configuration from files; with -dev it
  starts unsealed, with a KV engine at secret/, and forgets everything when it ends.

      $ cofferdam server -config=/etc/cofferdam.hcl
      $ cofferdam server -dev -dev-root-token-id=root

Options:

  -config=<path>              A file, or a directory of *.hcl and *.json. May be repeated.
  -log-level=<level>          trace, debug, info (default), warn or error.
  -log-format=<format>        standard (default) or json.

Development:

  -dev                        Start a development server.
  -dev-root-token-id=<token>  Its root token (default: a random one).
  -dev-listen-address=<addr>  Where it listens (default: 127.0.0.1:8200).
  -dev-path=<directory>       Keep its data there, in place of memory.
  -dev-plugin-dir=<directory> Engines besides the built-in ones: <type>.wasm, with its
                              sandbox policy <type>.toml beside it.
  -dev-no-store-token         Do not write the root token to ~/.vault-token.
  -dev-tls                    Start a development server that speaks TLS, with an
                              authority of its own: VAULT_CACERT is printed.
  -dev-tls-cert-dir=<directory>
                              Keep authority, certificate and key there (default: a
                              temporary directory, removed at the end).
  -dev-tls-san=<name>         A further name or address of it. May be repeated.
";

impl Flags {
    /// Reads `-x`, `--x`, `-x=v` and `-x v`; fills what is missing from the environment.
    ///
    /// # Errors
    /// A line for standard error.
    pub(crate) fn parse(args: &[String], env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|f| !f.is_empty()) else {
                return Err(format!("Too many arguments: {arg:?} is no flag"));
            };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
            let on = || boolean(name, value.as_deref());
            match name {
                "dev" => flags.dev = on()?,
                "dev-tls" => flags.dev_tls = on()?,
                "dev-no-store-token" => flags.dev_no_store_token = on()?,
                "h" | "help" => flags.help = on()?,
                _ => {
                    let place = flags.place(name).ok_or_else(|| format!("flag provided but not defined: -{name}"))?;
                    let missing = || format!("flag needs an argument: -{name}");
                    place.put(value.or_else(|| args.next().cloned()).ok_or_else(missing)?);
                }
            }
        }
        flags.dev |= flags.dev_tls;
        flags.dev_root_token = flags.dev_root_token.or_else(|| variable(env, "DEV_ROOT_TOKEN_ID"));
        flags.dev_listen_address = flags.dev_listen_address.or_else(|| variable(env, "DEV_LISTEN_ADDRESS"));
        flags.log_level = flags.log_level.or_else(|| variable(env, "LOG_LEVEL"));
        flags.log_format = flags.log_format.or_else(|| variable(env, "LOG_FORMAT"));
        Ok(flags)
    }

    fn place(&mut self, name: &str) -> Option<Place<'_>> {
        Some(match name {
            "config" => Place::Many(&mut self.config),
            "dev-root-token-id" => Place::One(&mut self.dev_root_token),
            "dev-listen-address" => Place::One(&mut self.dev_listen_address),
            "dev-plugin-dir" => Place::One(&mut self.dev_plugin_dir),
            "dev-tls-cert-dir" => Place::One(&mut self.dev_tls_dir),
            "dev-tls-san" => Place::Many(&mut self.dev_tls_names),
            "dev-path" => Place::One(&mut self.dev_path),
            "log-level" => Place::One(&mut self.log_level),
            "log-format" => Place::One(&mut self.log_format),
            _ => return None,
        })
    }
}

/// Where a flag's value goes.
enum Place<'a> {
    One(&'a mut Option<String>),
    Many(&'a mut Vec<String>),
}

impl Place<'_> {
    fn put(self, value: String) {
        match self {
            Self::One(place) => *place = Some(value),
            Self::Many(place) => place.push(value),
        }
    }
}

fn boolean(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("invalid boolean value {other:?} for -{name}")),
    }
}

/// `COFFERDAM_<name>`, else `VAULT_<name>`; an empty one is as good as none.
pub(crate) fn variable(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    ["COFFERDAM_", "VAULT_"].iter().find_map(|prefix| env(&format!("{prefix}{name}")).filter(|v| !v.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], env: &[(&str, &str)]) -> Result<Flags, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Flags::parse(&args, &get)
    }

    #[test]
    fn takes_flags_in_every_form() {
        let flags = parse(
            &["-dev", "--dev-root-token-id=root", "-dev-listen-address", "127.0.0.1:0", "-config=a", "-config", "b"],
            &[],
        )
        .unwrap();
        assert!(flags.dev && !flags.dev_no_store_token);
        assert_eq!(flags.dev_root_token.as_deref(), Some("root"));
        assert_eq!(flags.dev_listen_address.as_deref(), Some("127.0.0.1:0"));
        assert_eq!(flags.config, ["a", "b"]);
        assert!(!parse(&["-dev=false"], &[]).unwrap().dev);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(parse(&["-devv"], &[]).unwrap_err(), "flag provided but not defined: -devv");
        assert_eq!(parse(&["-config"], &[]).unwrap_err(), "flag needs an argument: -config");
        assert!(parse(&["-dev=perhaps"], &[]).is_err());
        assert!(parse(&["start"], &[]).is_err());
        assert!(parse(&["-"], &[]).is_err());
    }

    #[test]
    fn flags_win_over_the_environment_and_our_names_over_the_peers() {
        let env = [("VAULT_DEV_ROOT_TOKEN_ID", "v"), ("VAULT_LOG_LEVEL", "debug"), ("COFFERDAM_LOG_LEVEL", "warn")];
        let flags = parse(&["-dev-root-token-id=f"], &env).unwrap();
        assert_eq!(flags.dev_root_token.as_deref(), Some("f"));
        assert_eq!(flags.log_level.as_deref(), Some("warn"));
        assert_eq!(parse(&[], &env).unwrap().dev_root_token.as_deref(), Some("v"));
        assert_eq!(parse(&[], &[("VAULT_DEV_ROOT_TOKEN_ID", "")]).unwrap().dev_root_token, None);
    }
}
