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
