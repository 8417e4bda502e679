//! The canonical layout of an HCL text: two blanks a level, aligned equal signs, one member a line. Keeps comments.

use super::lexer::{Kind, Token, scan};
use super::{HclError, check, is_json, parser};

/// Lays the text out anew. What it means, its comments and the order of its members stay; to format twice changes
/// nothing more.
///
/// # Errors
/// For what is no HCL, and for JSON, whose layout is not ours to say.
pub fn format(text: &str) -> Result<String, HclError> {
    let text = check(text)?;
    if is_json(text) {
        return Err(HclError::new(1, "JSON is not formatted"));
    }
    let tokens = scan(text, false)?;
    parser::parse(tokens.clone(), false)?;
    let lines = Printer { tokens: &tokens, at: 0 }.members();
    let mut out = String::with_capacity(text.len() + 64);
    for line in lines {
        if !line.raw && !line.text.is_empty() {
            out.extend(std::iter::repeat_n("  ", line.depth));
        }
        out.push_str(&line.text);
        out.push('\n');
    }
    Ok(out)
}

/// A line of output.
struct Line {
    depth: usize,
    /// The rest of a heredoc or of a long comment: nothing may be put before it.
    raw: bool,
    text: String,
}

impl Line {
    fn new(text: impl Into<String>) -> Self {
        Self { depth: 0, raw: false, text: text.into() }
    }
}

/// A member or a comment.
struct Entry {
    /// Before the equal sign; None for blocks and comments.
    key: Option<String>,
    lines: Vec<Line>,
    comment: bool,
    blank_before: bool,
}

impl Entry {
    fn is_long(&self) -> bool {
        !self.comment && self.lines.len() > 1
    }
}

struct Printer<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'t, 'a> Printer<'t, 'a> {
    fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at).filter(|t| t.kind != Kind::End)
    }

    fn previous_line(&self) -> u32 {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, last_line)
    }

    /// All members up to the end or a closing brace, which is consumed.
    fn members(&mut self) -> Vec<Line> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(token) = self.peek() {
            let gap = token.line.saturating_sub(self.previous_line());
            let blank_before = gap > 1 && !entries.is_empty();
            match token.kind {
                Kind::CloseBrace => {
                    self.at += 1;
                    break;
                }
                Kind::Comma => self.at += 1,
                Kind::Comment => {
                    self.at += 1;
                    match entries.last_mut().and_then(|e| e.lines.last_mut()) {
                        Some(line) if gap == 0 && last_line(token) == token.line && !line.raw => {
                            line.text.push(' ');
                            line.text.push_str(token.source.trim_end());
                        }
                        _ => entries.push(comment(token, blank_before)),
                    }
                }
                _ => self.member(blank_before, &mut entries),
            }
        }
        layout(entries)
    }

    fn member(&mut self, blank_before: bool, entries: &mut Vec<Entry>) {
        let mut blank_before = blank_before;
        let mut head = String::new();
        while let Some(token) = self.peek() {
            self.at += 1;
            match token.kind {
                Kind::Comment => entries.push(comment(token, std::mem::take(&mut blank_before))),
                Kind::Assign => {
                    while let Some(token) = self.peek().filter(|t| t.kind == Kind::Comment) {
                        self.at += 1;
                        entries.push(comment(token, std::mem::take(&mut blank_before)));
                    }
                    let lines = self.value();
                    entries.push(Entry { key: Some(head), lines, comment: false, blank_before });
                    return;
                }
                Kind::OpenBrace => {
                    let lines = self.object(format!("{head} "));
                    entries.push(Entry { key: None, lines, comment: false, blank_before });
                    return;
                }
                _ => {
                    if !head.is_empty() {
                        head.push(' ');
                    }
                    head.push_str(token.source);
                }
            }
        }
    }

    /// An object whose opening brace is consumed.
    fn object(&mut self, head: String) -> Vec<Line> {
        let inner = self.members();
        if inner.is_empty() {
            return vec![Line::new(head + "{}")];
        }
        enclose(head + "{", inner, "}")
    }

    fn value(&mut self) -> Vec<Line> {
        let Some(token) = self.peek() else { return Vec::new() };
        self.at += 1;
        match token.kind {
            Kind::OpenBrace => self.object(String::new()),
            Kind::OpenBracket => self.list(token.line),
            _ => source(token),
        }
    }

    /// A list whose opening bracket is consumed: on one line if it was, else one member a line.
    fn list(&mut self, opened: u32) -> Vec<Line> {
        let mut members: Vec<Vec<Line>> = Vec::new();
        let mut is_comment = Vec::new();
        let mut flat = true;
        let mut closed = opened;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::CloseBracket => {
                    closed = token.line;
                    self.at += 1;
                    break;
                }
                Kind::Comma => self.at += 1,
                Kind::Comment => {
                    self.at += 1;
                    flat = false;
                    is_comment.push(true);
                    members.push(comment(token, false).lines);
                }
                _ => {
                    let lines = self.value();
                    flat &= lines.len() == 1;
                    is_comment.push(false);
                    members.push(lines);
                }
            }
        }
        if flat && closed == opened || members.is_empty() {
            let texts: Vec<_> = members.into_iter().flatten().map(|l| l.text).collect();
            return vec![Line::new(format!("[{}]", texts.join(", ")))];
        }
        let mut inner = Vec::new();
        for (member, is_comment) in members.into_iter().zip(is_comment) {
            inner.extend(member);
            match inner.last_mut() {
                _ if is_comment => {}
                // The marker that ends a heredoc stands alone on its line.
                Some(last) if last.raw => inner.push(Line::new(",")),
                Some(last) => last.text.push(','),
                None => {}
            }
        }
        enclose("[".to_owned(), inner, "]")
    }
}

fn last_line(token: &Token<'_>) -> u32 {
    token.line + u32::try_from(token.source.matches('\n').count()).unwrap_or(u32::MAX)
}

/// A token as it was written (a heredoc may hold carriage returns); all lines but the first are raw.
fn source(token: &Token<'_>) -> Vec<Line> {
    token.source.split('\n').enumerate().map(|(i, text)| Line { depth: 0, raw: i > 0, text: text.to_owned() }).collect()
}

fn comment(token: &Token<'_>, blank_before: bool) -> Entry {
    let mut lines = source(token);
    for line in &mut lines {
        line.text.truncate(line.text.trim_end().len());
    }
    Entry { key: None, lines, comment: true, blank_before }
}

fn enclose(open: String, inner: Vec<Line>, close: &str) -> Vec<Line> {
    let mut lines = vec![Line::new(open)];
    lines.extend(inner.into_iter().map(|line| Line { depth: line.depth + 1, ..line }));
    lines.push(Line::new(close));
    lines
}

/// Aligns the equal signs of neighbours and sets long members apart by a blank line.
fn layout(entries: Vec<Entry>) -> Vec<Line> {
    let blank: Vec<bool> = (0..entries.len())
        .map(|i| {
            let before = i.checked_sub(1).map(|p| &entries[p]);
            before.is_some_and(|before| {
                entries[i].blank_before || before.is_long() || (entries[i].is_long() && !before.comment)
            })
        })
        .collect();
    let widths = widths(&entries, &blank);
    let mut out = Vec::new();
    for ((mut entry, blank), width) in entries.into_iter().zip(blank).zip(widths) {
        if blank {
            out.push(Line::new(""));
        }
        if let (Some(key), Some(first)) = (&entry.key, entry.lines.first_mut()) {
            first.text = format!("{key:width$} = {}", first.text);
        }
        out.append(&mut entry.lines);
    }
    out
}

/// For each entry the width of the keys around it: of attributes on one line without anything between them.
fn widths(entries: &[Entry], blank: &[bool]) -> Vec<usize> {
    let mut widths = vec![0; entries.len()];
    let mut start = 0;
    while start < entries.len() {
        let joins = |i: usize| entries[i].key.is_some() && entries[i].lines.len() == 1;
        let mut end = start + 1;
        while joins(start) && end < entries.len() && joins(end) && !blank[end] {
            end += 1;
        }
        let key = |entry: &Entry| entry.key.as_ref().map_or(0, |k| k.chars().count());
        let widest = entries[start..end].iter().map(key).max().unwrap_or(0);
        widths[start..end].fill(widest);
        start = end;
    }
    widths
}
