//! From a template's text to its pieces.

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text between actions.
    Text(String),
    /// What stands in braces.
    Action(Pipeline),
    /// One way or the other.
    If(Pipeline, Vec<Piece>, Vec<Piece>),
}

/// Commands, each of which gets the value of the one before as its last argument.
pub(super) type Pipeline = Vec<Command>;

/// A value, or a function with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// A value on its own.
    Value(Operand),
    /// A function by its name.
    Call(String, Vec<Operand>),
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// `.Name`
    Field(String),
    /// A text in quotes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A function without arguments, standing as an argument.
    Function(String),
    /// In parentheses.
    Group(Pipeline),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Pipe,
    Field(String),
    Word(String),
    Text(String),
    Number(i64),
}

const UNCLOSED: &str = "the username_template has an unclosed action";
const UNCLOSED_WAY: &str = "the username_template has an if without its end";
const TOO_DEEP: &str = "the username_template nests too deep";

/// What a template is made of before its ways are put together.
enum Bit<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// How deep ways and parentheses may nest.
const DEPTH: usize = 32;

/// Reads a template.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let bits = bits(text)?;
    let mut rest = bits.iter();
    match block(&mut rest, 0)? {
        (pieces, None) => Ok(pieces),
        (_, Some(word)) => Err(format!("the username_template has an unexpected {word:?}")),
    }
}

/// Pieces up to an `else` or an `end`, and that.
fn block<'a>(bits: &mut std::slice::Iter<'_, Bit<'a>>, depth: usize) -> Result<(Vec<Piece>, Option<&'a str>), String> {
    let mut pieces = Vec::new();
    while let Some(bit) = bits.next() {
        match *bit {
            Bit::Text(text) => pieces.push(Piece::Text(text.to_owned())),
            Bit::Action(action) => match action.split_once(char::is_whitespace).unwrap_or((action, "")) {
                ("else" | "end", _) => return Ok((pieces, Some(action))),
                ("if", condition) => pieces.push(way(condition, bits, depth + 1)?),
                _ => pieces.push(Piece::Action(pipeline(action)?)),
            },
        }
    }
    Ok((pieces, None))
}

/// What follows an `if`, to its `end`.
fn way(condition: &str, bits: &mut std::slice::Iter<'_, Bit<'_>>, depth: usize) -> Result<Piece, String> {
    if depth > DEPTH {
        return Err(TOO_DEEP.to_owned());
    }
    let condition = pipeline(condition)?;
    let (then, word) = block(bits, depth)?;
    let otherwise = match word.map(|word| word.split_whitespace().collect::<Vec<_>>()).as_deref() {
        Some(["end"]) => Vec::new(),
        Some(["else"]) => match block(bits, depth)? {
            (otherwise, Some("end")) => otherwise,
            _ => return Err(UNCLOSED_WAY.to_owned()),
        },
        Some(["else", "if", ..]) => {
            let nested = word.and_then(|word| word.split_once("if")).map_or("", |(_, condition)| condition);
            vec![way(nested, bits, depth + 1)?]
        }
        _ => return Err(UNCLOSED_WAY.to_owned()),
    };
    Ok(Piece::If(condition, then, otherwise))
}

fn pipeline(action: &str) -> Result<Pipeline, String> {
    let tokens = tokens(action)?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let pipeline = parser.pipeline()?;
    match parser.tokens.first() {
        None => Ok(pipeline),
        Some(_) => Err("the username_template has an unexpected ')'".to_owned()),
    }
}

/// Texts and actions, with white space trimmed where told and without comments.
fn bits(text: &str) -> Result<Vec<Bit<'_>>, String> {
    let mut bits = Vec::new();
    let mut rest = text;
    let mut trim = false;
    while let Some(at) = rest.find("{{") {
        let (head, tail) = rest.split_at(at);
        let mut inner = &tail[2..];
        let mut head = if trim { head.trim_start() } else { head };
        if let Some(trimming) = inner.strip_prefix("- ") {
            (head, inner) = (head.trim_end(), trimming);
        }
        if !head.is_empty() {
            bits.push(Bit::Text(head));
        }
        let end = action_end(inner).ok_or(UNCLOSED)?;
        rest = &inner[end + 2..];
        let mut action = &inner[..end];
        trim = action.ends_with(" -");
        if trim {
            action = &action[..action.len() - 1];
        }
        let action = action.trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            bits.push(Bit::Action(action));
        }
    }
    let tail = if trim { rest.trim_start() } else { rest };
    if !tail.is_empty() {
        bits.push(Bit::Text(tail));
    }
    Ok(bits)
}

/// Where `}}` stands outside of quotes.
fn action_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some('"') if c == '\\' => {
                chars.next();
            }
            Some(q) if q == c => quote = None,
            Some(_) => {}
            None if c == '"' || c == '`' => quote = Some(c),
            None if text[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

fn tokens(action: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Pipe, 1),
            '"' | '`' => quoted(rest, c)?,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()|\"`".contains(c)).unwrap_or(rest.len());
                (word(&rest[..end])?, end)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// A quoted text and its length with the quotes.
fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(text), at + 1)),
            '\\' if quote == '"' => match chars.next().map(|(_, c)| c) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '"')) => text.push(c),
                _ => return Err("the username_template has an unknown escape".to_owned()),
            },
            _ => text.push(c),
        }
    }
    Err("the username_template has an unclosed text".to_owned())
}

fn word(text: &str) -> Result<Token, String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = text.strip_prefix('.').filter(|name| is_name(name)) {
        return Ok(Token::Field(name.to_owned()));
    }
    if let Ok(number) = text.parse() {
        return Ok(Token::Number(number));
    }
    if is_name(text) {
        return Ok(Token::Word(text.to_owned()));
    }
    Err(format!("the username_template has an unexpected {text:?}"))
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn next_if(&mut self, wanted: impl Fn(&Token) -> bool) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        wanted(first).then(|| {
            self.tokens = rest;
            first.clone()
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, String> {
        let mut commands = vec![self.command()?];
        while self.next_if(|token| *token == Token::Pipe).is_some() {
            commands.push(self.command()?);
        }
        Ok(commands)
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut operands = Vec::new();
        while let Some(token) = self.next_if(|token| !matches!(token, Token::Pipe | Token::Close)) {
            operands.push(match token {
                Token::Field(name) => Operand::Field(name),
                Token::Text(text) => Operand::Text(text),
                Token::Number(number) => Operand::Number(number),
                Token::Word(name) => Operand::Function(name),
                _ => {
                    self.depth += 1;
                    if self.depth > DEPTH {
                        return Err(TOO_DEEP.to_owned());
                    }
                    let group = self.pipeline()?;
                    self.depth -= 1;
                    self.next_if(|token| *token == Token::Close).ok_or("the username_template lacks a ')'")?;
                    Operand::Group(group)
                }
            });
        }
        let mut operands = operands.into_iter();
        match (operands.next(), operands.len()) {
            (Some(Operand::Function(name)), _) => Ok(Command::Call(name, operands.collect())),
            (Some(value), 0) => Ok(Command::Value(value)),
            (Some(_), _) => Err("the username_template gives arguments to a value".to_owned()),
            (None, _) => Err("the username_template has an empty command".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pipelines_groups_and_braces_in_texts() {
        let action = vec![
            Command::Call(
                "f".into(),
                vec![
                    Operand::Text("}}".into()),
                    Operand::Group(vec![Command::Value(Operand::Field("A".into())), Command::Call("g".into(), vec![])]),
                    Operand::Number(-3),
                ],
            ),
            Command::Call("h".into(), vec![Operand::Function("i".into())]),
        ];
        let want = vec![Piece::Text("a ".into()), Piece::Action(action), Piece::Text(" b".into())];
        assert_eq!(pieces(r#"a {{ f "}}" (.A | g) -3 | h i }} b"#), Ok(want));
    }

    #[test]
    fn trims_where_told() {
        let want = vec![
            Piece::Text("a".into()),
            Piece::Action(vec![Command::Value(Operand::Number(1))]),
            Piece::Text("b".into()),
        ];
        assert_eq!(pieces("a \n {{- 1 -}} \n b"), Ok(want));
    }
}
