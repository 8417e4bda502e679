//! What a command has at hand: streams, environment, formats, and the server.

use std::rc::Rc;

use cofferdam_client::{Client, Config, Environment, Secret, variable};
use cofferdam_model::duration;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::{Api, Instead};
use crate::failure::{Failure, Result};
use crate::files::UserFiles;
use crate::flags::Args;
use crate::output::{Format, json as json_format, secret, table, value, yaml};
use crate::prompt;
use crate::text::{wrap, wrap_indented};
use crate::token_helper::TokenHelper;
use crate::{Inspector, Io};

/// What the flags say that count wherever they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Globals {
    /// How results are printed.
    pub(crate) format: Format,
    /// Whether lists show more than keys.
    pub(crate) detailed: bool,
    /// What to show instead of making calls.
    pub(crate) instead: Option<Instead>,
}

/// A command's surroundings.
pub(crate) struct Context<'a> {
    /// Flags that count wherever they stand.
    pub(crate) globals: Globals,
    /// The environment.
    pub(crate) env: &'a dyn Environment,
    /// Looks at components.
    pub(crate) inspector: &'a dyn Inspector,
    /// The streams.
    pub(crate) io: &'a mut Io<'a>,
    api: Option<Rc<Api>>,
}

impl<'a> Context<'a> {
    /// The surroundings of a run.
    pub(crate) fn new(
        globals: Globals,
        env: &'a dyn Environment,
        inspector: &'a dyn Inspector,
        io: &'a mut Io<'a>,
    ) -> Self {
        Self { globals, env, inspector, io, api: None }
    }

    /// The server. The first call reads the environment, the flags and the stored token.
    pub(crate) fn api(&mut self, args: &Args) -> Result<Rc<Api>> {
        if let Some(api) = &self.api {
            return Ok(api.clone());
        }
        let config = self.config(args)?;
        let client = Client::new(config, &UserFiles).map_err(|e| Failure::remote(e.to_string()))?;
        let api = Rc::new(Api::new(client, self.globals.instead)?);
        self.api = Some(api.clone());
        Ok(api)
    }

    /// [`Self::api`] for commands that must not wrap, or that ask in the root namespace.
    pub(crate) fn config(&self, args: &Args) -> Result<Config> {
        let mut config =
            Config::from_env(self.env).map_err(|e| Failure::remote(format!("failed to read environment: {e}")))?;
        // A person at a terminal wants the answer now; who wants attempts says so.
        if variable(self.env, "MAX_RETRIES").is_none() {
            config.max_retries = 0;
        }
        if let Some(address) = args.text("agent-address").or_else(|| args.text("address")) {
            config.address = address.to_owned();
        }
        let tls = &mut config.tls;
        let files = [
            ("ca-cert", &mut tls.ca_cert),
            ("ca-path", &mut tls.ca_path),
            ("client-cert", &mut tls.client_cert),
            ("client-key", &mut tls.client_key),
        ];
        for (name, file) in files {
            if let Some(given) = args.text(name) {
                *file = Some(given.into());
            }
        }
        if let Some(name) = args.text("tls-server-name") {
            tls.server_name = Some(name.to_owned());
        }
        tls.skip_verify = args.bool("tls-skip-verify").unwrap_or(tls.skip_verify);
        let namespace = args.given("ns").or_else(|| args.given("namespace")).map(str::to_owned).or(config.namespace);
        config.namespace = namespace.as_deref().and_then(canonical_namespace);
        config.wrap_ttl = match args.seconds("wrap-ttl") {
            Some(0) => None,
            Some(seconds) => Some(duration::go_text(seconds)),
            None => config.wrap_ttl,
        };
        if args.is_set("mfa") {
            config.mfa = args.list("mfa").to_vec();
        }
        config.policy_override = args.on("policy-override");
        config.follow_redirect = args.bool("disable-redirects").map_or(config.follow_redirect, |off| !off);
        for (name, header) in args.pairs("header") {
            if name.to_lowercase().starts_with("x-vault-") {
                return Err(Failure::remote(format!(
                    "failed to setup Headers[{name}]: Header starting by 'X-Vault-' are for internal usage only"
                )));
            }
            config.headers.push((name, header));
        }
        if config.token.is_none() {
            config.token = self.stored_token()?.map(Into::into);
        }
        Ok(config)
    }

    fn stored_token(&self) -> Result<Option<String>> {
        // Who has no home has stored nothing there; many calls need no token.
        if variable(self.env, "TOKEN_PATH").is_none() && self.env.get("HOME").is_none_or(|h| h.is_empty()) {
            return Ok(None);
        }
        let token = self.token_helper()?.get();
        let token = token.map_err(|e| Failure::remote(format!("failed to get token from token helper: {e}")))?;
        Ok(Some(token).filter(|t| !t.is_empty()))
    }

    /// Where the token rests.
    pub(crate) fn token_helper(&self) -> Result<TokenHelper> {
        TokenHelper::from_env(self.env).map_err(|e| Failure::remote(format!("failed to get token helper: {e}")))
    }

    /// Whether results are for people.
    pub(crate) fn is_table(&self) -> bool {
        self.globals.format == Format::Table
    }

    /// A line on stdout.
    pub(crate) fn out(&mut self, text: impl AsRef<str>) {
        // A reader that went away has seen what it wanted.
        let _ = writeln!(self.io.stdout, "{}", text.as_ref());
    }

    /// A line on stderr.
    pub(crate) fn warn(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.io.stderr, "{}", text.as_ref());
    }

    /// A line on stdout, for people only.
    pub(crate) fn success(&mut self, text: impl AsRef<str>) -> Result {
        if self.is_table() {
            self.out(text);
        }
        Ok(0)
    }

    /// Asks for a secret at the terminal. The question goes to stderr: stdout may be a pipe that waits for the result.
    pub(crate) fn ask_hidden(&mut self, args: &Args, question: &str, what: &str, way_out: &str) -> Result<String> {
        prompt::hidden(self.io.stderr, question, what, way_out, !args.on("non-interactive"))
    }

    /// An answer as a whole.
    pub(crate) fn print_secret(&mut self, answer: &Secret) -> Result {
        if self.is_table() {
            self.print_warnings(answer);
            let rows = secret::rows(answer);
            if !rows.is_empty() {
                self.out(table::pairs(rows));
            }
            return Ok(0);
        }
        self.print_machine(answer)
    }

    /// One field of an answer, or all of it.
    pub(crate) fn print_field_or_secret(&mut self, args: &Args, answer: &Secret) -> Result {
        match args.text("field") {
            Some(name) => self.print_field(secret::field(answer, name), name),
            None => self.print_secret(answer),
        }
    }

    /// A single value: in a pipe nothing follows it.
    pub(crate) fn print_field(&mut self, found: Option<Value>, name: &str) -> Result {
        let found = found
            .filter(|v| !v.is_null())
            .ok_or_else(|| Failure::local(format!("Field {name:?} not present in secret")))?;
        let text = match self.globals.format {
            Format::Json => json_format::pretty(&found).map_err(Failure::local)?,
            // The YAML writer ends a document with a newline.
            Format::Yaml => format!("{}\n", yaml::document(&found)),
            Format::Table | Format::Raw | Format::Pretty => value::plain(&found),
        };
        let end = if self.io.stdout_is_terminal { "\n" } else { "" };
        let _ = write!(self.io.stdout, "{text}{end}");
        Ok(0)
    }

    /// A map as `Key`/`Value` rows, or as it is.
    pub(crate) fn print_map(&mut self, data: &Map<String, Value>) -> Result {
        if self.is_table() {
            let rows = secret::data_rows(data);
            if !rows.is_empty() {
                self.out(table::pairs(rows));
            }
            return Ok(0);
        }
        self.print_machine(data)
    }

    /// Data for programs.
    pub(crate) fn print_machine(&mut self, data: &impl Serialize) -> Result {
        let told = |e: String| Failure::local(format!("Could not parse output: {e}"));
        let text = match self.globals.format {
            Format::Yaml => yaml::document(&serde_json::to_value(data).map_err(|e| told(e.to_string()))?),
            Format::Json => json_format::pretty(data).map_err(told)?,
            Format::Pretty => return Err(told("cannot use the pretty formatter for this type".to_owned())),
            Format::Raw => {
                return Err(told(
                    "This command does not support the -format=raw option; only `vault read` does.".to_owned(),
                ));
            }
            Format::Table => return Err(told("cannot use the table formatter for this type".to_owned())),
        };
        self.out(text);
        Ok(0)
    }

    /// The keys of a listing, or with details all of it.
    pub(crate) fn print_list(&mut self, answer: &Secret) -> Result {
        let keys = answer.keys().cloned().unwrap_or_default();
        if !self.is_table() {
            if self.globals.detailed && self.globals.format == Format::Json {
                return self.print_machine(answer);
            }
            return self.print_machine(&keys);
        }
        self.print_warnings(answer);
        let mut keys: Vec<String> = keys.iter().map(value::plain).collect();
        keys.sort();
        let infos = answer.field("key_info").and_then(Value::as_object).filter(|_| self.globals.detailed);
        let mut headers: Vec<&str> = keys
            .iter()
            .filter_map(|k| infos?.get(k)?.as_object())
            .flat_map(|info| info.keys().map(String::as_str))
            .collect();
        headers.sort_unstable();
        headers.dedup();
        let rows = keys.iter().map(|key| {
            let info = infos.and_then(|i| i.get(key));
            let cells = headers.iter().map(|h| info.and_then(|i| i.get(*h)).map(|v| value::cell(h, v)));
            std::iter::once(key.clone()).chain(cells.map(Option::unwrap_or_default)).collect()
        });
        let rows = rows.collect();
        let header = [&["Keys"], headers.as_slice()].concat();
        self.out(table::with_header(&header, rows));
        Ok(0)
    }

    /// What the server remarks, on stderr.
    pub(crate) fn print_warnings(&mut self, answer: &Secret) {
        let warnings = answer.warnings.as_deref().unwrap_or_default();
        if warnings.is_empty() {
            return;
        }
        self.warn("WARNING! The following warnings were returned from Vault:\n");
        for warning in warnings {
            self.warn(wrap_indented(&format!("* {warning}"), 2));
            self.warn("");
        }
    }

    /// Nothing was found: a text for people, an empty object for programs that asked for a list.
    pub(crate) fn nothing_listed(&mut self, text: String) -> Result {
        if self.is_table() {
            return Err(Failure::remote(text));
        }
        self.print_machine(&json!({}))?;
        Ok(2)
    }

    /// A paragraph on stderr.
    pub(crate) fn warn_wrapped(&mut self, text: &str) {
        self.warn(format!("{}\n", wrap(text)));
    }
}

/// `a/b/`; the root namespace is none.
fn canonical_namespace(name: &str) -> Option<String> {
    let name = name.trim().trim_matches('/');
    (!name.is_empty() && name != "root").then(|| format!("{name}/"))
}
