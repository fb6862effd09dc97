//! The last check before a value enters a configuration file. The manifest's
//! loader has refused such values already, with line and column; this check
//! does not rely on that, nor on who else builds a [`crate::manifest::Manifest`].

use super::RenderError;

/// Passes a value made of letters, digits, `.`, `_` and `-` only: a name.
pub(super) fn name<'a>(field: &'static str, value: &'a str) -> Result<&'a str, RenderError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if value.is_empty() || !value.chars().all(fits) {
        return refuse(field, value, "may hold only letters, digits, `.`, `_` and `-`");
    }
    Ok(value)
}

/// Passes a path of a URL, without query and without escapes.
pub(super) fn url_path<'a>(field: &'static str, value: &'a str) -> Result<&'a str, RenderError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '~' | '-');
    if !value.starts_with('/') || !value.chars().all(fits) {
        return refuse(
            field,
            value,
            "must start with `/` and may hold only letters, digits, `/`, `.`, `_`, `~` and `-`",
        );
    }
    Ok(value)
}

/// Passes text that stands inside a quoted string of nginx: no control
/// character, and none of the signs by which nginx ends or expands something.
pub(super) fn text<'a>(field: &'static str, value: &'a str) -> Result<&'a str, RenderError> {
    let breaks = |c: char| {
        matches!(c, '\'' | '"' | '`' | '\\' | ';' | '{' | '}' | '$' | '#') || is_control_or_separator(c)
    };
    if value.chars().any(breaks) {
        return refuse(
            field,
            value,
            "holds a quote, a backslash, a control character or one of `;` `{` `}` `$` `#`",
        );
    }
    Ok(value)
}

/// Passes the dotted name of a Rego package, in its parts.
pub(super) fn package<'a>(field: &'static str, value: &'a str) -> Result<Vec<&'a str>, RenderError> {
    let fits = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !value.split('.').all(fits) {
        return refuse(field, value, "is not the name of a Rego package");
    }
    Ok(value.split('.').collect())
}

/// Passes one line of text: what YAML quotes safely, but no engine wants.
pub(super) fn line<'a>(field: &'static str, value: &'a str) -> Result<&'a str, RenderError> {
    if value.chars().any(is_control_or_separator) {
        return refuse(field, value, "holds a control character or a line separator");
    }
    Ok(value)
}

/// Control characters, and the separators that some parsers take for line
/// ends.
fn is_control_or_separator(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn refuse<T>(field: &'static str, value: &str, reason: &'static str) -> Result<T, RenderError> {
    Err(RenderError::Unsafe { field, value: value.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::line_end("a\nb")]
    #[case::carriage_return("a\rb")]
    #[case::null("a\0b")]
    #[case::next_line("a\u{85}b")]
    #[case::line_separator("a\u{2028}b")]
    #[case::semicolon("a;b")]
    #[case::open_brace("a{b")]
    #[case::close_brace("a}b")]
    #[case::variable("a$b")]
    #[case::comment("a#b")]
    #[case::single_quote("a'b")]
    #[case::double_quote("a\"b")]
    #[case::backtick("a`b")]
    #[case::backslash("a\\b")]
    fn nothing_accepts(#[case] value: &str) {
        assert!(text("contact", value).is_err());
        assert!(name("services.name", value).is_err());
        assert!(url_path("metrics.path", &format!("/{value}")).is_err());
        assert!(package("policy.gates", value).is_err());
    }

    #[test]
    fn ordinary_values_pass() {
        assert!(text("contact", "Ops <ops@example.com>, +49 (30) 1234").is_ok());
        assert!(text("contact", "https://example.com/on-call?team=a&b=c").is_ok());
        assert!(text("contact", "équipe été").is_ok());
        assert!(name("services.name", "shop-2.api_x").is_ok());
        assert!(url_path("metrics.path", "/internal/~metrics.txt").is_ok());
        assert_eq!(package("policy.gates", "team.release_2").unwrap(), ["team", "release_2"]);
        assert!(line("services.image", "registry.example:5000/a/b@sha256:00").is_ok());
    }

    #[rstest]
    #[case::empty("")]
    #[case::relative("metrics")]
    #[case::escape("/a%20b")]
    #[case::query("/a?b")]
    #[case::regex("/a(b")]
    fn paths_that_nginx_would_read_differently_are_refused(#[case] path: &str) {
        assert!(url_path("metrics.path", path).is_err());
    }

    #[rstest]
    #[case::empty("")]
    #[case::empty_part("a..b")]
    #[case::digit_first("1a")]
    #[case::dash("a-b")]
    #[case::index("a[\"b\"]")]
    fn names_that_are_no_package_are_refused(#[case] value: &str) {
        assert!(package("policy.gates", value).is_err());
    }

    #[test]
    fn refusal_names_field_value_and_way_out() {
        let error = text("contact", "a;b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "contact cannot be used in a generated file: \"a;b\" holds a quote, a backslash, a control \
             character or one of `;` `{` `}` `$` `#`"
        );
        assert_eq!(error.next_step(), "change contact in manifest.yaml and run `swiftdeploy init` again");
    }
}
