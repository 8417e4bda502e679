//! Characters to tokens.

use super::HclError;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Word,
    /// With its value: quotes, escapes and heredoc markers resolved.
    Text(String),
    Number,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Comma,
    Assign,
    Colon,
    Comment,
    End,
}

/// A token with its source.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As it stands in the text.
    pub(super) source: &'a str,
    pub(super) line: u32,
}

impl Token<'_> {
    /// For messages.
    pub(super) fn show(&self) -> String {
        match &self.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::Text(_) if self.source.len() > 40 => "a text".to_owned(),
            _ => format!("{:?}", self.source),
        }
    }
}

/// All tokens of the text, comments included, with an [`Kind::End`] last.
pub(super) fn scan(text: &str, json: bool) -> Result<Vec<Token<'_>>, HclError> {
    let mut lexer = Lexer { text, at: 0, line: 1, json };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let (start, line) = (lexer.at, lexer.line);
        let kind = lexer.token()?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, source: &text[start..lexer.at], line });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    json: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += u32::from(c == '\n');
        Some(c)
    }

    /// Moves past the characters for which `wanted` holds.
    fn eat_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        self.line += u32::try_from(rest[..len].matches('\n').count()).unwrap_or(u32::MAX);
        &rest[..len]
    }

    fn skip_blanks(&mut self) {
        self.eat_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, HclError> {
        Err(HclError::new(self.line, message))
    }

    fn token(&mut self) -> Result<Kind, HclError> {
        let Some(c) = self.peek() else { return Ok(Kind::End) };
        let single = match c {
            '{' => Some(Kind::OpenBrace),
            '}' => Some(Kind::CloseBrace),
            '[' => Some(Kind::OpenBracket),
            ']' => Some(Kind::CloseBracket),
            ',' => Some(Kind::Comma),
            ':' if self.json => Some(Kind::Colon),
            '=' if !self.json => Some(Kind::Assign),
            _ => None,
        };
        if let Some(kind) = single {
            self.bump();
            return Ok(kind);
        }
        match c {
            '"' => self.quoted().map(Kind::Text),
            '<' if !self.json && self.rest().starts_with("<<") => self.heredoc().map(Kind::Text),
            '#' | '/' if !self.json => self.comment(),
            '0'..='9' | '-' => self.number(),
            c if c.is_alphabetic() || c == '_' => {
                self.eat_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
                Ok(Kind::Word)
            }
            other => self.error(format!("unexpected character {other:?}")),
        }
    }

    fn comment(&mut self) -> Result<Kind, HclError> {
        let rest = self.rest();
        if rest.starts_with('#') || rest.starts_with("//") {
            self.eat_while(|c| c != '\n');
            return Ok(Kind::Comment);
        }
        let Some(body) = rest.strip_prefix("/*") else {
            return self.error("unexpected character '/'");
        };
        let Some(len) = body.find("*/") else {
            return self.error("a comment does not end");
        };
        let end = self.at + len + 4;
        while self.at < end {
            self.bump();
        }
        Ok(Kind::Comment)
    }

    fn number(&mut self) -> Result<Kind, HclError> {
        let source = self.eat_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
        if is_number(source) { Ok(Kind::Number) } else { self.error(format!("{source:?} is no number")) }
    }

    /// A text in double quotes, on one line. In HCL, what stands between `${` and its closing brace is taken as it is.
    fn quoted(&mut self) -> Result<String, HclError> {
        self.bump();
        let mut out = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(out),
                Some('\\') => out.push(self.escape()?),
                Some('$') if !self.json && self.peek() == Some('{') => {
                    out.push('$');
                    self.interpolation(&mut out)?;
                }
                Some('\n') | None => {
                    self.line -= u32::from(self.text[..self.at].ends_with('\n'));
                    return self.error("a text has no closing quote on its line");
                }
                Some(c) if self.json && c < ' ' => return self.error("a control character inside of a text"),
                Some(c) => out.push(c),
            }
        }
    }

    fn interpolation(&mut self, out: &mut String) -> Result<(), HclError> {
        let mut depth = 0usize;
        loop {
            let Some(c) = self.bump() else { return self.error("${ is not closed") };
            out.push(c);
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return Ok(()),
                '}' => depth -= 1,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<char, HclError> {
        let Some(c) = self.bump() else { return self.error("a text does not end") };
        Ok(match c {
            '"' | '\\' | '/' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => return self.unicode(),
            'a' if !self.json => '\u{7}',
            'v' if !self.json => '\u{b}',
            'x' if !self.json => return self.hex(2).and_then(|code| self.char(code)),
            'U' if !self.json => return self.hex(8).and_then(|code| self.char(code)),
            '0'..='7' if !self.json => {
                self.at -= 1;
                return self.digits(3, 8).and_then(|code| self.char(code));
            }
            other => return self.error(format!("unknown escape \\{other}")),
        })
    }

    /// Four hex digits, twice where they are the first half of a surrogate pair.
    fn unicode(&mut self) -> Result<char, HclError> {
        let high = self.hex(4)?;
        if !(0xd800..0xdc00).contains(&high) {
            return self.char(high);
        }
        if !self.rest().starts_with("\\u") {
            return self.error("half a surrogate pair");
        }
        self.at += 2;
        let low = self.hex(4)?;
        if !(0xdc00..0xe000).contains(&low) {
            return self.error("half a surrogate pair");
        }
        self.char(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
    }

    fn hex(&mut self, len: usize) -> Result<u32, HclError> {
        self.digits(len, 16)
    }

    fn digits(&mut self, len: usize, radix: u32) -> Result<u32, HclError> {
        match self.rest().get(..len) {
            Some(digits) if digits.chars().all(|c| c.is_digit(radix)) => {
                self.at += len;
                u32::from_str_radix(digits, radix).or_else(|_| self.error("an escape is out of range"))
            }
            _ => self.error(format!("an escape needs {len} digits")),
        }
    }

    fn char(&self, code: u32) -> Result<char, HclError> {
        char::from_u32(code).map_or_else(|| self.error("an escape names no character"), Ok)
    }

    /// `<<EOF` … `EOF`; with `<<-EOF`, the closing line's indentation is taken off all lines if all have it.
    fn heredoc(&mut self) -> Result<String, HclError> {
        let opened = self.line;
        self.at += 2;
        let indented = self.rest().starts_with('-');
        self.at += usize::from(indented);
        let marker = self.eat_while(|c| c != '\n').trim_end_matches('\r').to_owned();
        if marker.is_empty() || !marker.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return self.error("a heredoc needs a marker: <<EOF");
        }
        if self.bump().is_none() {
            return self.error("a heredoc does not end");
        }
        let mut lines = Vec::new();
        loop {
            let line = self.eat_while(|c| c != '\n');
            let bare = line.trim_end_matches('\r');
            if bare.trim_start_matches([' ', '\t']) == marker {
                // The line break after the marker belongs to what follows.
                let indent = &bare[..bare.len() - marker.len()];
                let cut = if indented && lines.iter().all(|l: &&str| l.starts_with(indent) || l.trim().is_empty()) {
                    indent
                } else {
                    ""
                };
                return Ok(lines.iter().map(|l| l.strip_prefix(cut).unwrap_or(l).to_owned() + "\n").collect());
            }
            lines.push(line);
            if self.bump().is_none() {
                return Err(HclError::new(opened, format!("a heredoc does not end: no line is {marker}")));
            }
        }
    }
}

/// Decimal with fraction and exponent, or `0x` and hex digits.
fn is_number(source: &str) -> bool {
    let body = source.strip_prefix('-').unwrap_or(source);
    if let Some(digits) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    body.starts_with(|c: char| c.is_ascii_digit())
        && body.ends_with(|c: char| c.is_ascii_digit())
        && body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && body.parse::<f64>().is_ok()
}
