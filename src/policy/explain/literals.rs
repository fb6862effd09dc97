//! Where texts stand in a file of Rego: only as much of the language as it
//! takes to tell a string from a comment and to name the rule around it.

/// A string in a file of Rego.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal<'a> {
    /// What stands between its quotes, as written.
    pub(super) text: &'a str,
    /// Where that begins, in bytes.
    pub(super) start: usize,
    /// The line, from 1.
    pub(super) line: usize,
    /// The rule around it. Rules begin in the first column, as `opa fmt` puts
    /// them; in a file that is written otherwise this may be missing.
    pub(super) rule: Option<&'a str>,
}

impl Literal<'_> {
    /// Where the text ends, in bytes.
    pub(super) const fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Every string of a file, in order.
pub(super) fn literals(source: &str) -> Vec<Literal<'_>> {
    let mut found = Vec::new();
    let (mut line, mut depth, mut at) = (1, 0_usize, 0);
    let mut rule = None;
    let bytes = source.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let is_line_begin = at == 0 || bytes[at - 1] == b'\n';
        if is_line_begin && depth == 0 && is_name_begin(byte) {
            rule = head(&source[at..]);
        }
        match byte {
            b'\n' => line += 1,
            b'#' => {
                at += source[at..].find('\n').unwrap_or(source.len() - at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' | b'`' => {
                let text = inside(&source[at + 1..], byte);
                found.push(Literal { text, start: at + 1, line, rule });
                line += text.bytes().filter(|byte| *byte == b'\n').count();
                at += text.len() + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

const fn is_name_begin(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// The name of the rule that begins here; none for what is no rule.
fn head(code: &str) -> Option<&str> {
    let name = |code: &str| {
        code.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(code.len())
    };
    let first = &code[..name(code)];
    match first {
        "package" | "import" | "else" => None,
        "default" => {
            let rest = code["default".len()..].trim_start_matches([' ', '\t']);
            let named = &rest[..name(rest)];
            (!named.is_empty()).then_some(named)
        }
        _ => Some(first),
    }
}

/// What stands before the closing quote; all the rest where there is none.
fn inside(rest: &str, quote: u8) -> &str {
    let mut is_escaped = false;
    for (index, byte) in rest.bytes().enumerate() {
        if is_escaped {
            is_escaped = false;
        } else if byte == b'\\' && quote == b'"' {
            is_escaped = true;
        } else if byte == quote {
            return &rest[..index];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_with_their_line_and_rule_and_comments_are_not() {
        let source = "package p # \"no\"\n\ndefault answer := \"a\"\n\nanswer := {\"k\": `b\nc`} if {\n\tx == \"d\\\"e\"\n} else := \"f\"\n\nf(\"g\") := 1\n";
        let found: Vec<_> =
            literals(source).into_iter().map(|found| (found.text, found.line, found.rule)).collect();
        assert_eq!(
            found,
            [
                ("a", 3, Some("answer")),
                ("k", 5, Some("answer")),
                ("b\nc", 5, Some("answer")),
                ("d\\\"e", 7, Some("answer")),
                ("f", 8, Some("answer")),
                ("g", 10, Some("f")),
            ]
        );
        for literal in literals(source) {
            assert_eq!(&source[literal.start..literal.end()], literal.text);
        }
    }

    #[test]
    fn an_open_string_ends_with_the_file() {
        assert_eq!(literals("x := \"abc")[0].text, "abc");
        assert_eq!(literals("x := \"abc\\")[0].text, "abc\\");
    }
}
