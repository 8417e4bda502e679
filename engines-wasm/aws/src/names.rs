//! Names of IAM users and STS sessions, from the configuration's template.

use std::time::SystemTime;

use engine_names::{Fields, Template};

/// What names are made of where the configuration has no template.
const DEFAULT: &str = r#"{{ if (eq .Type "STS") }}{{ printf "vault-%s-%s" (unix_time) (random 20) | truncate 32 }}{{ else }}{{ printf "vault-%s-%s-%s" (printf "%s-%s" (.DisplayName) (.PolicyName) | truncate 42) (unix_time) (random 20) | truncate 64 }}{{ end }}"#;

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A user; at most 64 characters.
    User,
    /// A federated session; at most 32.
    Session,
}

impl Named {
    const fn limit(self) -> usize {
        match self {
            Self::User => 64,
            Self::Session => 32,
        }
    }

    const fn of_type(self) -> &'static str {
        match self {
            Self::User => "IAM",
            Self::Session => "STS",
        }
    }
}

/// A name by this template; by the default one where it is empty.
///
/// # Errors
/// A text that says what is wrong with the template, or with what it made.
pub(crate) fn name(
    template: &str,
    named: Named,
    display_name: &str,
    role: &str,
    now: SystemTime,
) -> Result<String, String> {
    let template = Template::parse(if template.is_empty() { DEFAULT } else { template })?;
    let (display_name, role) = (tame(display_name), tame(role));
    let values = [("Type", named.of_type()), ("DisplayName", display_name.as_str()), ("PolicyName", role.as_str())];
    let name = template.render(&Fields { values: &values, now })?;
    match name.chars().find(|&c| !is_plain(c)) {
        _ if name.is_empty() => Err("the username_template makes an empty name".to_owned()),
        Some(c) => Err(format!("the username_template makes a name with {c:?}")),
        None if name.len() > named.limit() => {
            Err(format!("the username_template makes a name of more than {} characters", named.limit()))
        }
        None => Ok(name),
    }
}

/// What others chose, in the characters that AWS takes.
pub(crate) fn tame(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(template: &str, named: Named) -> Result<String, String> {
        name(template, named, "userpass-o'brien", "my role", SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn makes_names_of_the_customary_shape() {
        let user = made("", Named::User).unwrap();
        assert!(user.starts_with("vault-userpass-o_brien-my_role-0-") && user.len() <= 64, "{user}");
        let session = made("", Named::Session).unwrap();
        assert!(session.starts_with("vault-0-") && session.len() <= 32, "{session}");
        assert_ne!(user, made("", Named::User).unwrap());
    }

    #[test]
    fn refuses_what_aws_would() {
        for template in ["{{ random 65 }}", "a b", "{{ .Nothing }}", r#"{{ "" }}"#, "{{ if .Type }}x"] {
            assert!(made(template, Named::User).is_err(), "{template}");
        }
        assert!(made("{{ random 33 }}", Named::Session).is_err());
        assert_eq!(made("{{ .Type }}", Named::Session).as_deref(), Ok("STS"));
    }
}
