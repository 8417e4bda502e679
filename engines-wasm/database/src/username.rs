//! User names from a template, as PostgreSQL takes them.

use std::time::SystemTime;

/// What names are made of where the configuration has no template.
const DEFAULT: &str = r#"{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) (random 20) (unix_time) | truncate 63 }}"#;
/// PostgreSQL cuts longer names off without a word, at the log-in too.
const MAX_BYTES: usize = 63;

/// A template that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Template(engine_names::Template);

/// What a template may use.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    /// Of the token that asks.
    pub(crate) display_name: String,
    /// Of the role.
    pub(crate) role_name: String,
    /// The time of day.
    pub(crate) now: SystemTime,
}

impl Template {
    /// Reads a template; an empty one is the default. It is tried once, so that what it cannot do is known early.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = if text.is_empty() { DEFAULT } else { text };
        let template = Self(engine_names::Template::parse(text)?);
        let trial = Fields { display_name: "token".into(), role_name: "role".into(), now: SystemTime::UNIX_EPOCH };
        template.render(&trial)?;
        Ok(template)
    }

    /// A name. Unsafe characters of the display name, which others choose, are replaced.
    ///
    /// # Errors
    /// A text, if what came out is no usable name.
    pub(crate) fn render(&self, fields: &Fields) -> Result<String, String> {
        let safe: String = fields.display_name.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
        let values = [("DisplayName", safe.as_str()), ("RoleName", fields.role_name.as_str())];
        let mut name = self.0.render(&engine_names::Fields { values: &values, now: fields.now })?;
        name.truncate(name.floor_char_boundary(MAX_BYTES));
        match name.chars().find(|&c| !is_safe(c)) {
            _ if name.is_empty() => Err("the username_template makes an empty name".to_owned()),
            Some(c) => Err(format!("the username_template makes a name with {c:?}")),
            None => Ok(name),
        }
    }
}

/// What can stand in quotes of either kind, and is no placeholder.
fn is_safe(c: char) -> bool {
    !c.is_control() && !matches!(c, '\'' | '"' | '\\' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let fields = Fields {
            display_name: "userpass-o'brien".into(),
            role_name: "my-long-role".into(),
            now: SystemTime::UNIX_EPOCH + Duration::from_millis(1_515_625_519_042),
        };
        Template::parse(template)?.render(&fields)
    }

    #[test]
    fn makes_names_of_the_customary_shape() {
        let name = render("").unwrap();
        let random = name.strip_prefix("v-userpass-my-long--").unwrap().strip_suffix("-1515625519").unwrap();
        assert!(random.len() == 20 && random.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        assert_ne!(name, render("").unwrap());
    }

    #[test]
    fn renders_what_templates_say() {
        for (template, want) in [
            ("plain", "plain"),
            ("c_{{.RoleName | uppercase}}", "c_MY-LONG-ROLE"),
            ("{{ .DisplayName }}", "userpass-o_brien"),
            ("a {{- .RoleName -}} b", "amy-long-roleb"),
            ("{{ truncate 2 .RoleName }}", "my"),
            ("{{ .RoleName | replace \"-\" \"_\" | uppercase | lowercase }}", "my_long_role"),
            ("{{ .RoleName | truncate_sha256 11 }}", "my-9dc02228"),
            ("{{ \"abc\" | sha256 | truncate 8 }}", "ba7816bf"),
            ("{{ \"abc\" | base64 }}", "YWJj"),
            ("{{ unix_time }}.{{ unix_time_millis }}", "1515625519.1515625519042"),
            ("{{ timestamp \"2006-01-02T15:04:05Z07:00\" }}", "2018-01-10T23:05:19Z"),
            ("{{ printf `%s-%d%%` .RoleName (unix_time) }}", "my-long-role-1515625519%"),
            ("{{/* a comment */}}x", "x"),
        ] {
            assert_eq!(render(template).as_deref(), Ok(want), "{template}");
        }
        assert_eq!(render("{{ random 6 }}").unwrap().len(), 6);
        assert_eq!(render("{{ uuid }}").unwrap().len(), 36);
    }

    #[test]
    fn cuts_at_what_the_server_keeps() {
        assert_eq!(render("{{ random 70 }}").unwrap().len(), 63);
        assert_eq!(render(&"é".repeat(40)).unwrap(), "é".repeat(31));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for template in [
            "{{ nonsense",
            "{{ nonsense }}",
            "{{ .PolicyName }}",
            "{{ random }}",
            "{{ random \"x\" }}",
            "{{ random 1001 }}",
            "{{ truncate 3 }}",
            "{{ truncate -1 .RoleName }}",
            "{{ truncate_sha256 8 .RoleName }}",
            "{{ printf \"%s\" }}",
            "{{ printf \"%x\" 3 }}",
            "{{ if .RoleName }}x",
            "{{ (.RoleName }}",
            "{{ .RoleName | }}",
            "{{ \"open }}",
            "{{ }}",
            "it's",
            "{{ \"\" }}",
        ] {
            assert!(render(template).is_err(), "{template}");
        }
    }
}
