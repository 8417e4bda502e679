//! A command as data.

use crate::context::Context;
use crate::failure::Result;
use crate::flags::{Args, Flag, Kind, flag};

/// A command of the tree.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    /// Its words, such as `kv metadata get`.
    pub(crate) name: &'static str,
    /// What follows them in the usage line.
    pub(crate) usage: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// More lines for the help, or empty.
    pub(crate) details: &'static str,
    /// Which of the output flags it has.
    pub(crate) output: &'static [Flag],
    /// Its own flags.
    pub(crate) flags: &'static [Flag],
    /// How many positionals it takes: at least, at most.
    pub(crate) positionals: (usize, usize),
    /// Whether `-format=raw` makes sense.
    pub(crate) raw: bool,
    /// Whether it speaks to a server and so has the flags for that.
    pub(crate) remote: bool,
    /// Does it; the result is the exit code.
    pub(crate) run: fn(&mut Context<'_>, &Args) -> Result,
}

/// Any number of positionals.
pub(crate) const ANY: usize = usize::MAX;

impl Command {
    /// What a command is unless it says otherwise.
    pub(crate) const DEFAULT: Self = Self {
        name: "",
        usage: "",
        about: "",
        details: "",
        output: &[],
        flags: &[],
        positionals: (0, ANY),
        raw: false,
        remote: true,
        run: |_, _| Ok(0),
    };

    /// Every flag that the command knows.
    pub(crate) fn all_flags(&self) -> Vec<Flag> {
        let http = if self.remote { HTTP } else { &[] };
        [self.flags, self.output, http].concat()
    }
}

const FORMAT_FLAG: Flag = flag(
    "format",
    Kind::Text,
    "Print the output in the given format: \"table\", \"json\", \"yaml\", or for some commands \"pretty\" or \"raw\". \
     This can also be specified via the VAULT_FORMAT environment variable.",
);
const FIELD_FLAG: Flag =
    flag("field", Kind::Text, "Print only the field with the given name, without a trailing newline in a pipe.");
const DETAILED_FLAG: Flag = flag(
    "detailed",
    Kind::Bool,
    "Show more about each element. This can also be specified via the VAULT_DETAILED environment variable.",
);

/// `-format`.
pub(crate) const FORMAT: &[Flag] = &[FORMAT_FLAG];
/// `-format` and `-field`.
pub(crate) const FIELD: &[Flag] = &[FORMAT_FLAG, FIELD_FLAG];
/// `-format` and `-detailed`.
pub(crate) const DETAILED: &[Flag] = &[FORMAT_FLAG, DETAILED_FLAG];

/// The flags of every command that speaks to a server.
pub(crate) const HTTP: &[Flag] = &[
    flag("address", Kind::Text, "Address of the server. The default is https://127.0.0.1:8200 (VAULT_ADDR)."),
    flag("agent-address", Kind::Text, "Address of the agent (VAULT_AGENT_ADDR); it takes precedence."),
    flag("ca-cert", Kind::Text, "A PEM file with the roots that are trusted (VAULT_CACERT)."),
    flag("ca-path", Kind::Text, "A folder of PEM files with the roots that are trusted (VAULT_CAPATH)."),
    flag("client-cert", Kind::Text, "A PEM file with our certificate (VAULT_CLIENT_CERT)."),
    flag("client-key", Kind::Text, "A PEM file with its private key (VAULT_CLIENT_KEY)."),
    flag("tls-server-name", Kind::Text, "The name that the server's certificate must have (VAULT_TLS_SERVER_NAME)."),
    flag("tls-skip-verify", Kind::Bool, "Trust any certificate (VAULT_SKIP_VERIFY)."),
    flag("namespace", Kind::Text, "The namespace to work in (VAULT_NAMESPACE)."),
    flag("ns", Kind::Text, ""),
    flag("wrap-ttl", Kind::Seconds, "Ask for a wrapped answer with this TTL (VAULT_WRAP_TTL)."),
    flag("mfa", Kind::List, "Send second factors (VAULT_MFA)."),
    flag("policy-override", Kind::Bool, "Override a soft-mandatory policy."),
    flag("header", Kind::Pairs, "Add a header, as key=value. Names that begin with X-Vault- are refused."),
    flag("unlock-key", Kind::Text, "Key to unlock a namespace."),
    flag("non-interactive", Kind::Bool, "Never ask for input on the terminal."),
    flag("disable-redirects", Kind::Bool, "Do not follow the one redirect (VAULT_DISABLE_REDIRECTS)."),
    flag("output-curl-string", Kind::Bool, "Print the call as a cURL command instead of making it."),
    flag("output-policy", Kind::Bool, "Print the policy that the call needs instead of making it."),
];
