//! A place in a line, and the tokens that both formats share.

use std::borrow::Cow;

/// What is wrong in a line, without its number.
pub(super) type Reason = String;

/// How much of a wrong text a reason repeats.
const EXCERPT: usize = 40;

/// The rest of a line that is still to be read.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn is_at(&self, byte: u8) -> bool {
        self.rest.as_bytes().first() == Some(&byte)
    }

    /// Reads over blanks and tabs.
    pub(super) fn blanks(&mut self) {
        while self.is_at(b' ') || self.is_at(b'\t') {
            self.rest = &self.rest[1..];
        }
    }

    /// Reads over one ASCII character, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.is_at(byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    /// Everything up to the next blank or the end; may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        let length = self.rest.bytes().position(|byte| matches!(byte, b' ' | b'\t'));
        self.take(length.unwrap_or(self.rest.len()))
    }

    /// A metric name in the classic character set.
    pub(super) fn metric_name(&mut self) -> Option<&'a str> {
        self.name(true)
    }

    /// A label name in the classic character set.
    pub(super) fn label_name(&mut self) -> Option<&'a str> {
        self.name(false)
    }

    fn name(&mut self, allows_colon: bool) -> Option<&'a str> {
        let length = name_length(self.rest, allows_colon);
        (length > 0).then(|| self.take(length))
    }

    /// A text in double quotes with `\\`, `\"` and `\n` undone. Borrowed when
    /// it has no escapes.
    pub(super) fn quoted(&mut self, what: &str) -> Result<Cow<'a, str>, Reason> {
        if !self.eat(b'"') {
            return Err(format!("{what} is not in double quotes: {}", self.found()));
        }
        let mut unescaped = String::new();
        loop {
            let unclosed = || format!("{what} is not closed: no second double quote");
            let stop =
                self.rest.bytes().position(|byte| matches!(byte, b'"' | b'\\')).ok_or_else(unclosed)?;
            let plain = self.take(stop);
            if self.eat(b'"') {
                // Every escape adds a character: still empty means that there was none.
                if unescaped.is_empty() {
                    return Ok(Cow::Borrowed(plain));
                }
                unescaped.push_str(plain);
                return Ok(Cow::Owned(unescaped));
            }
            unescaped.push_str(plain);
            self.eat(b'\\');
            match self.rest.chars().next() {
                Some('n') => unescaped.push('\n'),
                Some(same @ ('\\' | '"')) => unescaped.push(same),
                Some(other) => return Err(format!("unknown escape \\{} in {what}", other.escape_debug())),
                None => return Err(unclosed()),
            }
            self.take(1);
        }
    }

    /// What comes next, for a reason.
    pub(super) fn found(&self) -> String {
        if self.is_done() { "the line ends".to_owned() } else { format!("found {}", excerpt(self.rest)) }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// How many bytes at the start of `text` are a name in the classic set.
fn name_length(text: &str, allows_colon: bool) -> usize {
    let bytes = text.as_bytes();
    if bytes.first().is_none_or(u8::is_ascii_digit) {
        return 0;
    }
    let belongs =
        |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || (allows_colon && *byte == b':');
    bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len())
}

/// Whether a metric name needs no quotes.
pub(super) fn is_classic_metric_name(name: &str) -> bool {
    !name.is_empty() && name_length(name, true) == name.len()
}

/// Whether a label name needs no quotes.
pub(super) fn is_classic_label_name(name: &str) -> bool {
    !name.is_empty() && name_length(name, false) == name.len()
}

/// The beginning of a wrong text, quoted, with control characters escaped.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
