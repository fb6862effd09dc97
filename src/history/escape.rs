//! Foreign text inside GitHub Markdown: whatever it holds, it is shown as
//! text, on one line, in one cell of a table.

/// Signs that begin markup somewhere in a line; a backslash before an ASCII
/// sign makes it plain text.
const SIGNS: &str = "\\`*_[]#|~$&@";

/// Text that is shown as it is.
pub(super) fn text(value: &str) -> String {
    let mut shown = String::with_capacity(value.len() + 8);
    let mut gap = false;
    // Invisible signs go first: they must not part what belongs together.
    let mut chars = value.chars().filter(|c| c.is_whitespace() || !is_invisible(*c)).peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            gap = !shown.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            shown.push(' ');
        }
        // GitHub makes links of `http://…`, `mailto:…` and `www.…` by itself.
        let follows = |word: &str| shown.to_ascii_lowercase().ends_with(word);
        let begins_link = match c {
            ':' => chars.peek() == Some(&'/') || follows("mailto") || follows("xmpp"),
            '.' => follows("www"),
            _ => false,
        };
        if c == '<' && chars.peek().is_some_and(|next| next.is_ascii_alphabetic() || "/!?".contains(*next)) {
            // A tag, a comment or a link begins like this; `<=` does not.
            shown.push_str("&lt;");
            continue;
        }
        if begins_link || SIGNS.contains(c) {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// A cell of a table; an empty one is shown as a dash.
pub(super) fn cell(value: &str) -> String {
    let shown = text(value);
    if shown.is_empty() { "–".to_owned() } else { shown }
}

/// Control characters, and marks that hide or reorder what stands beside
/// them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::pipe("a|b", r"a\|b")]
    #[case::backslash_and_pipe(r"a\|b", r"a\\\|b")]
    #[case::lines("a\r\nb\n\nc", "a b c")]
    #[case::backticks("`rm`", r"\`rm\`")]
    #[case::html("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>")]
    #[case::tag_parted_by_an_invisible_sign("<\u{200b}script>", "&lt;script>")]
    #[case::less_than("0.4 <= 2", "0.4 <= 2")]
    #[case::entity("&lt;", r"\&lt;")]
    #[case::link("[x](http://evil)", r"\[x\](http\://evil)")]
    #[case::bare_link("see https://evil and www.evil", r"see https\://evil and www\.evil")]
    #[case::image("![x](y)", r"!\[x\](y)")]
    #[case::emphasis("*a* _b_ ~~c~~", r"\*a\* \_b\_ \~\~c\~\~")]
    #[case::mention("@team", r"\@team")]
    #[case::math("$x$", r"\$x\$")]
    #[case::colours("\u{1b}[31mred", r"\[31mred")]
    #[case::right_to_left("a\u{202e}b", "ab")]
    #[case::address("mailto:a@b", r"mailto\:a\@b")]
    #[case::image_reference("app:1.0", "app:1.0")]
    #[case::spaces("  a  b  ", "a b")]
    #[case::numbers("error rate 0.52 > 0.01", "error rate 0.52 > 0.01")]
    fn values_are_shown_as_they_are(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(text(value), expected);
    }

    #[test]
    fn an_empty_cell_is_a_dash() {
        assert_eq!(cell(" \n\u{200b}"), "–");
    }

    proptest! {
        /// Reads the backslashes as CommonMark does: what is left over must be
        /// the text, and no bare sign of markup.
        #[test]
        fn nothing_is_left_bare_and_nothing_visible_is_lost(value in any::<String>()) {
            let shown = text(&value);
            let mut plain = String::new();
            let mut chars = shown.chars();
            while let Some(c) = chars.next() {
                prop_assert!(c != '\n' && !c.is_control());
                if c == '&' {
                    let entity: String = chars.by_ref().take(3).collect();
                    prop_assert_eq!(entity, "lt;");
                    plain.push('<');
                } else if c == '\\' {
                    let escaped = chars.next();
                    prop_assert!(escaped.is_some_and(|c| c.is_ascii_punctuation()));
                    plain.extend(escaped);
                } else {
                    prop_assert!(!SIGNS.contains(c), "bare {c:?}");
                    let begins_tag = |next: char| next.is_ascii_alphabetic() || "/!?".contains(next);
                    prop_assert!(c != '<' || !chars.clone().next().is_some_and(begins_tag), "a tag in {shown:?}");
                    plain.push(c);
                }
            }
            let visible: String = value.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect();
            let kept: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(kept, visible);
        }
    }
}
