//! From arguments to a command: flags that count everywhere, the command's words, its own flags.

use cofferdam_client::{Environment, variable};

use crate::api::Instead;
use crate::command::Command;
use crate::commands;
use crate::context::{Context, Globals};
use crate::failure::Failure;
use crate::flags::{Args, parse_bool};
use crate::help;
use crate::output::Format;
use crate::{Inspector, Io};

/// The exit code for a command that does not exist.
const UNKNOWN_COMMAND: i32 = 127;

/// Runs arguments (without the program's name) and returns the exit code.
pub fn run(args: &[String], env: &dyn Environment, inspector: &dyn Inspector, io: &mut Io<'_>) -> i32 {
    let say = |stream: &mut dyn std::io::Write, text: &str| {
        // Nobody is left to tell.
        let _ = writeln!(stream, "{text}");
    };
    let only_version = matches!(args, [one] if matches!(one.as_str(), "-v" | "-version" | "--version"));
    if only_version {
        say(io.stdout, &help::version());
        return 0;
    }
    let globals = match globals(args, env) {
        Ok(globals) => globals,
        Err(text) => {
            say(io.stderr, &text);
            return 1;
        }
    };
    let asks_help = args.iter().take_while(|a| *a != "--").any(|a| matches!(a.as_str(), "-h" | "-help" | "--help"));
    match find(args) {
        Found::Nothing if asks_help => {
            say(io.stdout, &help::program());
            0
        }
        Found::Nothing => {
            say(io.stderr, &help::program());
            UNKNOWN_COMMAND
        }
        Found::FlagFirst => {
            say(
                io.stderr,
                "Invalid flags before the subcommand. If these flags are for\n\
                 the subcommand, please put them after the subcommand.\n",
            );
            say(io.stderr, &help::program());
            1
        }
        Found::Group(name, about) => {
            say(if asks_help { io.stdout } else { io.stderr }, &help::group(name, about));
            i32::from(!asks_help)
        }
        Found::Command(command, _) if asks_help => {
            say(io.stdout, &help::command(command));
            0
        }
        Found::Command(command, rest) => execute(command, rest, globals, (env, inspector), io),
    }
}

fn execute(
    command: &Command,
    rest: &[String],
    globals: Globals,
    (env, inspector): (&dyn Environment, &dyn Inspector),
    io: &mut Io<'_>,
) -> i32 {
    // Where a call is only described, nothing but the description and the reason for its absence is of interest.
    let mut held_back = Vec::new();
    let result = {
        let stderr: &mut dyn std::io::Write = if globals.instead.is_some() { &mut held_back } else { &mut *io.stderr };
        let mut inner =
            Io { stdin: &mut *io.stdin, stdout: &mut *io.stdout, stderr, stdout_is_terminal: io.stdout_is_terminal };
        let mut context = Context::new(globals, env, inspector, &mut inner);
        invoke(command, rest, &mut context)
    };
    let code = match result {
        Ok(0) if globals.instead.is_some() => {
            let _ = io.stderr.write_all(&held_back);
            let what = if globals.instead == Some(Instead::Curl) { "cURL command" } else { "policy" };
            let _ = writeln!(io.stderr, "Could not generate {what}");
            1
        }
        Ok(code) => {
            let _ = io.stderr.write_all(&held_back);
            code
        }
        Err(Failure::Described(text)) => {
            let _ = writeln!(io.stdout, "{text}");
            0
        }
        Err(Failure::Told { code, text }) => {
            let _ = io.stderr.write_all(&held_back);
            let _ = writeln!(io.stderr, "{text}");
            code
        }
    };
    let _ = io.stdout.flush();
    let _ = io.stderr.flush();
    code
}

fn invoke(command: &Command, rest: &[String], context: &mut Context<'_>) -> crate::failure::Result {
    let args = Args::parse(&command.all_flags(), rest).map_err(Failure::local)?;
    if let Some(warning) = late_flags(&args.rest).filter(|_| context.is_table()) {
        context.warn(warning);
    }
    if context.globals.format == Format::Raw && !command.raw {
        return Err(Failure::local("This command does not support the -format=raw option."));
    }
    let (least, most) = command.positionals;
    let got = args.rest.len();
    if got < least {
        return Err(Failure::local(format!("Not enough arguments (expected {least}, got {got})")));
    }
    if got > most {
        return Err(Failure::local(format!("Too many arguments (expected {most}, got {got})")));
    }
    (command.run)(context, &args)
}

enum Found<'a> {
    Nothing,
    FlagFirst,
    Group(&'static str, &'static str),
    Command(&'static Command, &'a [String]),
}

/// The longest run of words that names a command or a group.
fn find(args: &[String]) -> Found<'_> {
    match args.first() {
        None => return Found::Nothing,
        Some(first) if first.starts_with('-') && first.len() > 1 => {
            return if matches!(first.as_str(), "-h" | "-help" | "--help") { Found::Nothing } else { Found::FlagFirst };
        }
        Some(_) => {}
    }
    for count in (1..=args.len().min(3)).rev() {
        let name = args[..count].join(" ");
        if let Some(command) = commands::all().find(|c| c.name == name) {
            return Found::Command(command, &args[count..]);
        }
        if let Some((name, about)) = commands::GROUPS.iter().find(|(n, _)| *n == name) {
            return Found::Group(name, about);
        }
    }
    Found::Nothing
}

/// The flags that count wherever they stand before `--`. They stay in place, too: a command parses them again, and
/// behind a positional they are data.
fn globals(args: &[String], env: &dyn Environment) -> Result<Globals, String> {
    let (mut format, mut detailed, mut instead) = (None, None, None);
    let mut args = args.iter().take_while(|a| *a != "--");
    while let Some(arg) = args.next() {
        let Some(body) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else { continue };
        match body.split_once('=') {
            Some(("format", value)) => format = Some(value.to_owned()),
            Some(("detailed", value)) => detailed = Some(parse_bool(value).unwrap_or(false)),
            None if body == "format" => format = args.next().cloned().or(format),
            None if body == "detailed" => detailed = Some(true),
            None if body == "output-curl-string" => instead = Some(Instead::Curl),
            None if body == "output-policy" => instead = instead.or(Some(Instead::Policy)),
            _ => {}
        }
    }
    let name = format.filter(|f| !f.is_empty()).or_else(|| variable(env, "FORMAT")).unwrap_or_default().to_lowercase();
    let format = Format::named(&name).ok_or_else(|| format!("Invalid output format: {name}"))?;
    let from_env = || variable(env, "DETAILED").and_then(|v| parse_bool(&v)).unwrap_or(false);
    Ok(Globals { format, detailed: detailed.unwrap_or_else(from_env), instead })
}

/// Flags behind the first positional are data; who wrote them probably meant otherwise.
fn late_flags(rest: &[String]) -> Option<String> {
    const EVERYWHERE: &[&str] = &["output-curl-string", "output-policy", "output-profile", "format", "detailed"];
    let late = rest.iter().filter(|arg| {
        let name = arg.trim_start_matches('-').split('=').next().unwrap_or_default();
        arg.starts_with('-') && *arg != "-" && !EVERYWHERE.contains(&name)
    });
    let late: Vec<&str> = late.map(String::as_str).collect();
    (!late.is_empty()).then(|| {
        format!(
            "Command flags must be provided before positional arguments. The following arguments will not be parsed \
             as flags: [{}]",
            late.join(",")
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Sees nothing: no test here shows it a component.
    struct Blind;

    impl Inspector for Blind {
        fn inspect(&self, _: &[u8], _: Option<&str>) -> Result<cofferdam_model::review::Inspection, String> {
            Err("nothing to look with".to_owned())
        }
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn told(line: &str, env: &[(&str, &str)]) -> (i32, String, String) {
        let env: HashMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (mut stdin, mut stdout, mut stderr) = ("".as_bytes(), Vec::new(), Vec::new());
        let code = run(
            &words(line),
            &env,
            &Blind,
            &mut Io { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr, stdout_is_terminal: false },
        );
        (code, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn finds_the_longest_name() {
        assert!(matches!(find(&words("kv metadata get a/b")), Found::Command(c, [_]) if c.name == "kv metadata get"));
        assert!(matches!(find(&words("kv metadata")), Found::Group("kv metadata", _)));
        assert!(matches!(find(&words("kv -x get")), Found::Group("kv", _)));
        assert!(matches!(find(&words("nonsense")), Found::Nothing));
    }

    #[test]
    fn exit_codes_of_usage() {
        let (code, out, err) = told("nonsense", &[]);
        assert!(code == 127 && out.is_empty() && err.starts_with("Usage: cofferdam <command> [args]"), "{code} {err}");
        let (code, out, err) = told("-h", &[]);
        assert!(code == 0 && out.contains("Common commands:\n    read ") && err.is_empty());
        assert_eq!(told("", &[]).0, 127);
        let (code, _, err) = told("secrets", &[]);
        assert!(code == 1 && err.contains("    enable "), "{err}");
        let (code, out, _) = told("kv metadata put -h", &[]);
        assert!(code == 0 && out.contains("-custom-metadata=<key=value>"), "{out}");
        assert_eq!(told("-format=json status", &[]).0, 1);
        assert_eq!(told("-version", &[]).1, format!("Cofferdam v{}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn refusals_before_anything_is_sent() {
        for (line, want) in [
            ("read -ttl=30m database/creds/x", "flag provided but not defined: -ttl\n"),
            ("status -field=a", "flag provided but not defined: -field\n"),
            ("read -format=bogus x", "Invalid output format: bogus\n"),
            ("list -format=raw x", "This command does not support the -format=raw option.\n"),
            ("read", "Not enough arguments (expected 1, got 0)\n"),
            ("secrets list x", "Too many arguments (expected 0, got 1)\n"),
            ("write x", "Must supply data or use -force\n"),
            ("write a x", "Failed to parse K=V data: invalid key/value pair \"x\": format must be key=value\n"),
            ("lease revoke -force a", "Specifying -force requires also specifying -prefix\n"),
            ("kv put a/b", "Must supply data\n"),
        ] {
            assert_eq!(told(line, &[]), (1, String::new(), want.to_owned()), "{line}");
        }
    }

    #[test]
    fn formats_count_wherever_they_stand() {
        let format = |line: &str, env: &[(&str, &str)]| {
            let env: HashMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            globals(&words(line), &env).unwrap()
        };
        assert_eq!(format("read a -format=JSON", &[]).format, Format::Json);
        assert_eq!(format("read -format yaml a", &[("VAULT_FORMAT", "json")]).format, Format::Yaml);
        assert_eq!(format("read a -- -format=json", &[]).format, Format::Table);
        assert_eq!(format("read a", &[("VAULT_FORMAT", "yml")]).format, Format::Yaml);
        assert!(format("list --detailed a", &[]).detailed);
        assert!(!format("list -detailed=false a", &[("VAULT_DETAILED", "1")]).detailed);
        assert_eq!(format("read a -output-policy", &[]).instead, Some(Instead::Policy));
    }

    #[test]
    fn says_which_flags_came_too_late() {
        let late = late_flags(&words("P a=1 -b=2 - -format=json")).unwrap();
        assert!(late.ends_with("will not be parsed as flags: [-b=2]"), "{late}");
        assert_eq!(late_flags(&words("P a=1 -")), None);
    }
}
