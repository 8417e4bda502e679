//! Names of what engines make: the part of Go's template language that `username_template`s use.

mod eval;
mod functions;
mod layout;
mod parse;

#[cfg(test)]
mod fuzz;

use std::time::SystemTime;

use parse::Piece;

/// A template that was understood.
#[derive(Clone, Debug)]
pub struct Template(Vec<Piece>);

/// What a template may use.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Names (without the dot) and values.
    pub values: &'a [(&'a str, &'a str)],
    /// The time of day.
    pub now: SystemTime,
}

impl Template {
    /// Reads a template. What it cannot do shows only when it is rendered.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::pieces(text).map(Self)
    }

    /// A name.
    ///
    /// # Errors
    /// A text that says what the template asks for in vain.
    pub fn render(&self, fields: &Fields<'_>) -> Result<String, String> {
        eval::render(&self.0, fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields<'_> =
        Fields { values: &[("Type", "STS"), ("Role", "app"), ("Empty", "")], now: SystemTime::UNIX_EPOCH };

    fn render(template: &str) -> Result<String, String> {
        Template::parse(template)?.render(&FIELDS)
    }

    #[test]
    fn takes_one_of_two_ways() {
        for (template, want) in [
            (r#"{{ if (eq .Type "STS") }}s{{ else }}u{{ end }}"#, "s"),
            (r#"{{ if eq .Type "IAM" }}u{{ else }}s{{ end }}"#, "s"),
            (r#"{{ if eq .Type "IAM" "STS" }}any{{ end }}"#, "any"),
            (r#"a{{ if ne .Type "STS" }}b{{ end }}c"#, "ac"),
            (r#"{{ if .Empty }}x{{ else if .Role }}{{ .Role }}{{ else }}y{{ end }}"#, "app"),
            (r#"{{ if .Empty }}x{{ else if .Empty }}y{{ else }}z{{ end }}"#, "z"),
            (r#"{{ if .Role }}{{ if .Empty }}1{{ else }}2{{ end }}3{{ end }}"#, "23"),
            (r#"{{ if not .Empty }}{{ eq .Type "STS" }}{{ end }}"#, "true"),
            ("{{- if .Role -}} x {{- end -}}", "x"),
        ] {
            assert_eq!(render(template).as_deref(), Ok(want), "{template}");
        }
    }

    #[test]
    fn refuses_ways_that_do_not_end() {
        for template in [
            "{{ if .Role }}x",
            "{{ if .Role }}x{{ else }}y",
            "{{ if .Role }}x{{ else }}y{{ else }}z{{ end }}",
            "{{ if }}x{{ end }}",
            "{{ end }}",
            "{{ else }}",
            "{{ eq .Role }}",
            "{{ end .Role }}",
            "{{ .None }}",
        ] {
            assert!(render(template).is_err(), "{template}");
        }
    }

    #[test]
    fn texts_do_not_multiply() {
        let ten = "0123456789";
        let chain = format!("{{{{ .Role{} }}}}", format!(r#" | replace "" "{ten}""#).repeat(20));
        assert!(render(&chain).is_err_and(|e| e.contains("too long")));
        assert!(render(&format!(r#"{{{{ .Role | replace "p" "{ten}" }}}}"#)).is_ok());
        assert!(render(&format!(r#"{{{{ print "{}" | truncate 3 }}}}"#, "x".repeat(5_000))).is_err());
    }

    #[test]
    fn nests_only_so_deep() {
        let deep = format!("{}x{}", "{{ if .Role }}".repeat(100), "{{ end }}".repeat(100));
        assert!(Template::parse(&deep).is_err());
        let deep = format!("{{{{ {}.Role{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Template::parse(&deep).is_err());
    }
}
