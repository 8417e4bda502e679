//! Tokens to a [`Body`], by recursive descent with a limit.

use super::lexer::{Kind, Token};
use super::{Body, HclError, Item, MAX_DEPTH, Value};

/// Reads the whole text.
pub(super) fn parse(tokens: Vec<Token<'_>>, json: bool) -> Result<Body, HclError> {
    let tokens: Vec<_> = tokens.into_iter().filter(|t| t.kind != Kind::Comment).collect();
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let body = if json { parser.json_object()? } else { parser.members(Kind::End)? };
    match parser.peek() {
        Some(token) if token.kind != Kind::End => Err(unexpected(token, "the end of the text")),
        _ => Ok(body),
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: usize,
}

fn unexpected(token: &Token<'_>, wanted: &str) -> HclError {
    HclError::new(token.line, format!("expected {wanted}, found {}", token.show()))
}

impl<'t, 'a> Parser<'t, 'a> {
    fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at)
    }

    /// The next token. The last one, the end, is given for ever.
    fn next(&mut self) -> Result<&'t Token<'a>, HclError> {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        self.at += 1;
        token.ok_or_else(|| HclError::new(1, "the text is empty"))
    }

    fn eat(&mut self, kind: &Kind) -> bool {
        let found = self.peek().is_some_and(|t| t.kind == *kind);
        self.at += usize::from(found);
        found
    }

    fn line(&self) -> u32 {
        self.peek().or(self.tokens.last()).map_or(1, |t| t.line)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, HclError>) -> Result<T, HclError> {
        if self.depth >= MAX_DEPTH {
            return Err(HclError::new(self.line(), format!("more than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Members up to `end`, which is consumed. Commas between them may be left out.
    fn members(&mut self, end: Kind) -> Result<Body, HclError> {
        let mut body = Body { items: Vec::new(), line: self.line() };
        while !self.eat(&end) {
            body.items.push(self.member()?);
            self.eat(&Kind::Comma);
        }
        Ok(body)
    }

    /// `key = value`, or `key label … { … }`.
    fn member(&mut self) -> Result<Item, HclError> {
        let first = self.next()?;
        let key = word(first).ok_or_else(|| unexpected(first, "a key"))?;
        let mut labels = Vec::new();
        loop {
            let token = self.next()?;
            let value = match &token.kind {
                Kind::Assign if labels.is_empty() => self.value()?,
                Kind::OpenBrace => Value::Object(self.deeper(|p| p.members(Kind::CloseBrace))?),
                _ => match word(token) {
                    Some(label) => {
                        labels.push(label);
                        continue;
                    }
                    None => return Err(unexpected(token, &format!("'=' or '{{' after {key:?}"))),
                },
            };
            return Ok(Item { key, labels, value, line: first.line });
        }
    }

    fn value(&mut self) -> Result<Value, HclError> {
        let token = self.next()?;
        match &token.kind {
            Kind::OpenBracket => self.deeper(|p| p.list(Self::value)),
            Kind::OpenBrace => Ok(Value::Object(self.deeper(|p| p.members(Kind::CloseBrace))?)),
            _ => match scalar(token) {
                Some(Value::Null) | None => Err(unexpected(token, "a value")),
                Some(value) => Ok(value),
            },
        }
    }

    /// The rest of a list; a comma may follow its last member.
    fn list(&mut self, member: fn(&mut Self) -> Result<Value, HclError>) -> Result<Value, HclError> {
        let mut list = Vec::new();
        while !self.eat(&Kind::CloseBracket) {
            list.push(member(self)?);
            if !self.eat(&Kind::Comma) && self.peek().is_some_and(|t| t.kind != Kind::CloseBracket) {
                return Err(unexpected(self.next()?, "',' or ']'"));
            }
        }
        Ok(Value::List(list))
    }

    fn json_object(&mut self) -> Result<Body, HclError> {
        let open = self.next()?;
        if open.kind != Kind::OpenBrace {
            return Err(unexpected(open, "'{'"));
        }
        self.deeper(|p| {
            let mut body = Body { items: Vec::new(), line: open.line };
            if p.eat(&Kind::CloseBrace) {
                return Ok(body);
            }
            loop {
                let name = p.next()?;
                let Kind::Text(key) = &name.kind else { return Err(unexpected(name, "a name in quotes")) };
                if !p.eat(&Kind::Colon) {
                    return Err(unexpected(p.next()?, "':'"));
                }
                let value = p.json_value()?;
                body.items.push(Item { key: key.clone(), labels: Vec::new(), value, line: name.line });
                let token = p.next()?;
                match token.kind {
                    Kind::Comma => {}
                    Kind::CloseBrace => return Ok(body),
                    _ => return Err(unexpected(token, "',' or '}'")),
                }
            }
        })
    }

    fn json_value(&mut self) -> Result<Value, HclError> {
        let token = self.next()?;
        match token.kind {
            Kind::OpenBrace => {
                self.at -= 1;
                Ok(Value::Object(self.json_object()?))
            }
            Kind::OpenBracket => self.deeper(|p| p.list(Self::json_value)),
            _ => scalar(token).ok_or_else(|| unexpected(token, "a value")),
        }
    }
}

/// A key or a label.
fn word(token: &Token<'_>) -> Option<String> {
    match &token.kind {
        Kind::Word => Some(token.source.to_owned()),
        // A heredoc is a text but no key.
        Kind::Text(text) if token.source.starts_with('"') => Some(text.clone()),
        _ => None,
    }
}

fn scalar(token: &Token<'_>) -> Option<Value> {
    Some(match (&token.kind, token.source) {
        (Kind::Text(text), _) => Value::Text(text.clone()),
        (Kind::Number, source) => Value::Number(source.to_owned()),
        (Kind::Word, "true") => Value::Bool(true),
        (Kind::Word, "false") => Value::Bool(false),
        (Kind::Word, "null") => Value::Null,
        _ => return None,
    })
}
