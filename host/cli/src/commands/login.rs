//! `login`: a token for this and later commands.

use std::collections::BTreeMap;

use cofferdam_client::{Auth, Method, Request, Secret, variable};
use serde_json::{Value, json};

use crate::api::Api;
use crate::command::{Command, FIELD};
use crate::context::Context;
use crate::data;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Kind, flag};
use crate::output::secret::field;
use crate::text::{trim_path, wrap};

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "login",
    usage: "[options] [AUTH K=V...]",
    about: "Authenticate, and keep the token for later commands",
    details: "      $ cofferdam login\n      $ cofferdam login -method=userpass username=ada\n      \
              $ cofferdam login -method=approle role_id=... secret_id=@file",
    output: FIELD,
    flags: &[
        flag("method", Kind::Text, "The type of auth method, such as \"userpass\"; \"token\" if not given."),
        flag("path", Kind::Text, "Where the method is mounted; the type's name if not given."),
        flag("no-store", Kind::Bool, "Do not keep the token."),
        flag("no-print", Kind::Bool, "Do not print the token."),
        flag("token-only", Kind::Bool, "Print only the token, and neither keep nor check it."),
    ],
    run: login,
    ..Command::DEFAULT
}];

/// Methods whose path ends with the user's name.
const BY_NAME: &[&str] = &["userpass", "ldap", "okta", "radius"];

fn login(context: &mut Context<'_>, args: &Args) -> Result {
    let only = args.on("token-only");
    let store = !args.on("no-store") && !only;
    if !store && args.on("no-print") {
        return Err(Failure::local("-no-store and -no-print cannot be used together"));
    }
    let method = trim_path(args.text("method").unwrap_or("token"));
    let mut given = args.rest.clone();
    if method == "token"
        && let Some(first) = given.first_mut().filter(|a| !a.contains('='))
    {
        first.insert_str(0, "token=");
    }
    let mut no_input = std::io::empty();
    let stdin = if args.on("non-interactive") { &mut no_input } else { &mut *context.io.stdin };
    let mut config = data::parse_texts(stdin, &given)
        .map_err(|why| Failure::local(format!("Error parsing configuration: {why}")))?;
    let mount = config.remove("mount").filter(|m| !m.is_empty());
    let mount = mount.as_deref().or(args.text("path")).map_or(method, trim_path).to_owned();

    let secret = if method == "token" {
        by_token(context, args, config, only)?
    } else {
        by_method(context, args, method, &mount, config)?
    };
    let api = context.api(args)?;
    let (secret, wrapped) = token_of(&api, secret, store)?;
    if wrapped {
        return if only {
            context.print_field(field(&secret, "wrapping_token"), "wrapping_token")
        } else {
            context.print_secret(&secret)
        };
    }
    let auth = secret.auth.as_ref().ok_or_else(|| {
        Failure::remote("The server answered, but without a token. Is this the path of an auth method?")
    })?;
    if auth.mfa_requirement.as_ref().is_some_and(|m| !m.is_null()) {
        context.warn_wrapped(
            "A login request was issued that is subject to MFA validation. Please make sure to validate the login by \
             sending another request to sys/mfa/validate endpoint.",
        );
        return context.print_secret(&secret);
    }
    if store {
        keep(context, &secret, &auth.client_token)?;
    } else if !only {
        context.warn_wrapped(
            "The token was not stored in token helper. Set the VAULT_TOKEN environment variable or pass the token below \
             with each request to Vault.",
        );
    }
    if args.on("no-print") {
        return Ok(0);
    }
    let name = if only { Some("token") } else { args.text("field") };
    if let Some(name) = name {
        return context.print_field(field(&secret, name), name);
    }
    if context.is_table() {
        context.out(
            wrap(
                "Success! You are now authenticated. The token information displayed below is already stored in the \
                 token helper. You do NOT need to run \"vault login\" again. Future Vault requests will automatically \
                 use this token.",
            ) + "\n",
        );
    }
    context.print_secret(&secret)
}

/// Stores the token, and warns where another one takes precedence.
fn keep(context: &mut Context<'_>, secret: &Secret, token: &str) -> Result<()> {
    let helper = context.token_helper().map_err(|f| f.code(1))?;
    if let Err(why) = helper.store(token) {
        context.warn(format!("Error storing token: {why}"));
        context.warn_wrapped(
            "Authentication was successful, but the token was not persisted. The resulting token is shown below for \
             your records.",
        );
        context.print_secret(secret)?;
        return Err(Failure::remote("The token was not stored."));
    }
    if variable(context.env, "TOKEN").is_some() {
        context.warn_wrapped(
            "WARNING! The VAULT_TOKEN environment variable is set! The value of this variable will take precedence; if \
             this is unwanted please unset VAULT_TOKEN or update its value accordingly.",
        );
    }
    Ok(())
}

/// Checks a token by looking itself up.
fn by_token(
    context: &mut Context<'_>,
    args: &Args,
    mut config: BTreeMap<String, String>,
    only: bool,
) -> Result<Secret> {
    let token = match config.remove("token").map(|t| t.trim().to_owned()) {
        Some(token) if !token.is_empty() => token,
        Some(_) => {
            return Err(Failure::remote(
                "Error authenticating: a token must be passed to auth, please view the help for more information",
            ));
        }
        None => context.ask_hidden(
            args,
            "Token (will be hidden): ",
            "a token",
            "If you want to pipe the value, pass \"-\" as the argument to read from stdin.",
        )?,
    };
    let given =
        |token: String| Secret { auth: Some(Auth { client_token: token, ..Auth::default() }), ..Secret::default() };
    if only || config.get("lookup").is_some_and(|l| matches!(l.as_str(), "0" | "f" | "false")) {
        return Ok(given(token));
    }
    let request = Request::new(Method::Get, "auth/token/lookup-self").token(&token).unwrapped();
    let answer =
        context.api(args)?.secret(&request).doing(|| "Error authenticating: error looking up token".to_owned())?;
    let mut secret = given(token);
    if let (Some(auth), Some(data)) = (secret.auth.as_mut(), answer.and_then(|a| a.data)) {
        let texts = |name: &str| -> Vec<String> {
            let list = data.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        auth.accessor = data.get("accessor").and_then(Value::as_str).unwrap_or_default().to_owned();
        auth.token_policies = texts("policies");
        auth.identity_policies = texts("identity_policies");
        auth.policies = texts("policies");
        auth.policies.extend(texts("identity_policies"));
        auth.policies.sort();
        auth.policies.dedup();
        auth.lease_duration = data.get("ttl").and_then(Value::as_i64).unwrap_or(0);
        auth.renewable = data.get("renewable") == Some(&Value::Bool(true));
        auth.metadata = data.get("meta").and_then(Value::as_object).cloned();
        auth.entity_id = data.get("entity_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        auth.orphan = data.get("orphan") == Some(&Value::Bool(true));
    }
    Ok(secret)
}

/// Sends what was given to the method's login path.
fn by_method(
    context: &mut Context<'_>,
    args: &Args,
    method: &str,
    mount: &str,
    mut config: BTreeMap<String, String>,
) -> Result<Secret> {
    let mut path = format!("auth/{mount}/login");
    if BY_NAME.contains(&method) {
        let user = config.remove("username").filter(|u| !u.is_empty());
        let user = user.or_else(|| context.env.get("USER").filter(|u| !u.is_empty() && method == "ldap"));
        let user = user.ok_or_else(|| Failure::remote("Error authenticating: 'username' must be specified"))?;
        path = format!("{path}/{user}");
        if !config.contains_key("password") {
            let password = context.ask_hidden(
                args,
                "Password (will be hidden): ",
                "a password",
                "If you want to pipe the value, pass \"password=-\" to read it from stdin.",
            )?;
            config.insert("password".to_owned(), password);
        }
    }
    let request = Request::new(Method::Put, &path).body(json!(config)).token("");
    let answer = context.api(args)?.secret(&request).doing(|| "Error authenticating".to_owned())?;
    answer.ok_or_else(|| Failure::remote("Error authenticating: empty response"))
}

/// The token of an answer: unwrapped, if it came wrapped and is to be stored.
fn token_of(api: &Api, secret: Secret, unwrap: bool) -> Result<(Secret, bool)> {
    if secret.auth.is_some() {
        return Ok((secret, false));
    }
    let failed = |why: &str| Failure::remote(format!("Error extracting token: {why}"));
    let Some(wrap) = &secret.wrap_info else {
        return Err(failed("no auth or wrapping info in response"));
    };
    if wrap.wrapped_accessor.is_empty() {
        return Err(failed("wrapped response does not contain a token"));
    }
    if !unwrap {
        return Ok((secret, true));
    }
    let request = Request::new(Method::Put, "sys/wrapping/unwrap").token(&wrap.token).unwrapped();
    let answer = api.secret(&request).doing(|| "Error extracting token".to_owned())?;
    answer.map(|s| (s, false)).ok_or_else(|| failed("empty response from auth helper"))
}
