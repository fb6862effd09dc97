//! A configuration of nginx as nginx reads it: words and braces, whatever they
//! mean.

/// One directive.
pub(crate) struct Directive {
    /// How many braces it stands in.
    pub(crate) depth: usize,
    /// Its name and its parameters, without quotes.
    pub(crate) words: Vec<String>,
}

/// Every directive of a text, or why nginx would refuse it.
pub(crate) fn directives(text: &str) -> Result<Vec<Directive>, String> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '#' => while rest.next_if(|&c| c != '\n').is_some() {},
            ';' | '{' => {
                if words.is_empty() {
                    return Err(format!("{c:?} without a directive"));
                }
                found.push(Directive { depth, words: std::mem::take(&mut words) });
                depth += usize::from(c == '{');
            }
            '}' => {
                if !words.is_empty() {
                    return Err(format!("{words:?} without an end"));
                }
                depth = depth.checked_sub(1).ok_or("a closing brace too many")?;
            }
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match rest.next() {
                        Some(end) if end == c => break,
                        Some('\\') => word.extend(rest.next()),
                        Some(other) => word.push(other),
                        None => return Err(format!("{word:?} is not closed")),
                    }
                }
                if rest.peek().is_some_and(|&next| !next.is_whitespace() && !";{)".contains(next)) {
                    return Err(format!("text right behind {word:?}"));
                }
                words.push(word);
            }
            c if c.is_ascii_whitespace() => {}
            c => {
                let mut word = String::from(c);
                let mut last = c;
                // `${name}` is a part of a word.
                while let Some(&next) = rest.peek() {
                    let opens_variable = next == '{' && last == '$';
                    if next.is_ascii_whitespace() || next == ';' || (next == '{' && !opens_variable) {
                        break;
                    }
                    word.push(next);
                    last = next;
                    rest.next();
                }
                words.push(word);
            }
        }
    }
    if depth > 0 || !words.is_empty() {
        return Err("the end is missing".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(usize, String, usize)> {
        let all = directives(text).unwrap();
        all.into_iter().map(|found| (found.depth, found.words[0].clone(), found.words.len())).collect()
    }

    #[test]
    fn a_value_that_ends_its_string_is_a_directive_of_its_own() {
        let with = |contact: &str| format!("# it's {{\nserver {{\n    return 503 '{contact}';\n}}\n");
        let harmless = names(&with("x; y } $z # \\' \""));
        assert_eq!(harmless, [(0, "server".into(), 1), (1, "return".into(), 3)]);
        assert_ne!(names(&with("x'; evil '")), harmless);
        assert!(directives(&with("x'")).is_err());
    }

    #[test]
    fn what_is_left_open_or_closed_twice_is_refused() {
        for text in ["a {", "a", "a; }", "a 'b;", "{ }", "a \"b\"c;"] {
            assert!(directives(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_variable_in_braces_is_part_of_its_word() {
        assert_eq!(
            names("log ${time}s x; b { c; }"),
            [(0, "log".into(), 3), (0, "b".into(), 1), (1, "c".into(), 1)]
        );
    }
}
