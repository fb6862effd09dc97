//! What text may stand where. Every rule admits only characters that mean
//! nothing to nginx, YAML, Compose or Rego, so that no value can end a
//! directive or begin a line in a generated file. Each rule stands beside the
//! pattern that the JSON Schema shows; a test compares the two.

use super::problem::Complaint;

/// `Ok`, or why not.
pub(super) type Verdict = Result<(), Complaint>;

fn refuse(what: &str, rule: &str) -> Verdict {
    Err(Complaint::new(format!("is not {what}")).help(rule))
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn starts(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().next().is_some_and(allowed)
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

pub(super) const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$";

/// A project or service: part of container names and of names on the network.
pub(super) fn name(text: &str) -> Verdict {
    let ends = starts(text, is_lower) && text.bytes().last().is_some_and(is_lower);
    if ends && text.len() <= 40 && all(text, |byte| is_lower(byte) || byte == b'-') {
        return Ok(());
    }
    refuse("a name", "use lower-case letters, digits and `-` inside, at most 40 characters")
}

pub(super) const IMAGE: &str = concat!(
    "^(?=.{1,255}$)",
    "([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?/)?",
    "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*",
    "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
);

/// An image reference, by the grammar of the distribution project: registry
/// with port, path, tag, digest.
pub(super) fn image(text: &str) -> Verdict {
    if is_image(text) {
        return Ok(());
    }
    let rule = if text.bytes().any(|byte| byte.is_ascii_uppercase()) && !text.contains(':') {
        "repository names are lower-case, as in registry.example.com:5000/team/app:1.2"
    } else {
        "write [registry[:port]/]name[:tag][@sha256:digest], as in nginx:1.28"
    };
    refuse("an image reference", rule)
}

fn is_image(text: &str) -> bool {
    if text.is_empty() || text.len() > 255 {
        return false;
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let digest_fits = digest.is_none_or(|digest| {
        digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && all(hex, |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
    });
    let (path, last) = match rest.rsplit_once('/') {
        Some((path, last)) => (Some(path), last),
        None => (None, rest),
    };
    let (repository, tag) = match last.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (last, None),
    };
    let tag_fits = tag.is_none_or(|tag| {
        tag.len() <= 128
            && starts(tag, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && all(tag, |byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    });
    let path_fits = path.is_none_or(|path| {
        let (first, others) = match path.split_once('/') {
            Some((first, others)) => (first, Some(others)),
            None => (path, None),
        };
        (is_registry(first) || is_path_part(first))
            && others.is_none_or(|others| others.split('/').all(is_path_part))
    });
    digest_fits && tag_fits && path_fits && is_path_part(repository)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        starts(label, |byte| byte.is_ascii_alphanumeric())
            && label.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && all(label, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let port_fits =
        port.is_none_or(|port| (1..=5).contains(&port.len()) && all(port, |byte| byte.is_ascii_digit()));
    port_fits && host.split('.').all(label)
}

/// Runs of lower-case letters and digits, separated by `.`, `_`, `__` or any
/// number of `-`.
fn is_path_part(text: &str) -> bool {
    let separators_fit = text
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'));
    starts(text, is_lower) && text.bytes().last().is_some_and(is_lower) && separators_fit
}

/// The last part of a repository's name, without registry, tag and digest.
pub(super) fn repository_name(image: &str) -> &str {
    let without_digest = image.split('@').next().unwrap_or(image);
    let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
    last.split(':').next().unwrap_or(last)
}

pub(super) const VERSION: &str = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$";

/// A version: it travels in an environment variable, a label and a response.
pub(super) fn version(text: &str) -> Verdict {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    if starts(text, |byte| byte.is_ascii_alphanumeric()) && text.len() <= 64 && all(text, allowed) {
        return Ok(());
    }
    refuse("a version", "use letters, digits, `.`, `_`, `+` and `-`, at most 64 characters, as in \"1.0.0\"")
}

pub(super) const CONTACT: &str = "^[A-Za-z0-9@+._-]([A-Za-z0-9 @+._:/,()=?&%~-]{0,198}[A-Za-z0-9/)_-])?$";

/// Whom the error pages name: a mail address, a link, a team. It stands in a
/// JSON string inside an nginx string.
pub(super) fn contact(text: &str) -> Verdict {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" @+._:/,()=?&%~-".contains(&byte);
    let first = starts(text, |byte| byte.is_ascii_alphanumeric() || b"@+._-".contains(&byte));
    let last = text.len() == 1
        || text.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/)_-".contains(&byte));
    if first && last && text.len() <= 200 && all(text, allowed) {
        return Ok(());
    }
    refuse(
        "a contact that error pages can show",
        "use a mail address, a link or plain words: letters, digits, spaces and @ + . _ : / , ( ) = ? & % ~ -",
    )
}

pub(super) const NETWORK: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$";

/// A network as Docker names it.
pub(super) fn network(text: &str) -> Verdict {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if starts(text, |byte| byte.is_ascii_alphanumeric()) && text.len() <= 63 && all(text, allowed) {
        return Ok(());
    }
    refuse("a network name", "use letters, digits, `_`, `.` and `-`, at most 63 characters")
}

pub(super) const DRIVER: &str = "^[a-z0-9][a-z0-9_.-]{0,62}$";

/// A network driver.
pub(super) fn driver(text: &str) -> Verdict {
    let allowed = |byte: u8| is_lower(byte) || b"_.-".contains(&byte);
    if starts(text, is_lower) && text.len() <= 63 && all(text, allowed) {
        return Ok(());
    }
    refuse("a network driver", "on one host it is `bridge`")
}

pub(super) const ENV_NAME: &str = "^[A-Za-z_][A-Za-z0-9_]{0,127}$";

/// An environment variable's name.
pub(super) fn env_name(text: &str) -> Verdict {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if starts(text, |byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.len() <= 128
        && all(text, allowed)
    {
        return Ok(());
    }
    refuse("a name of an environment variable", "use letters, digits and `_`, and begin with a letter or `_`")
}

pub(super) const PLAIN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]{0,8192}$";

/// Text of one line: an environment variable's value, a program's argument.
/// Its other signs are the renderer's to quote: a password may hold any.
pub(super) fn plain(text: &str) -> Verdict {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        return refuse("text of one line", "control characters and line breaks cannot stand here");
    }
    if text.chars().count() > 8192 {
        return refuse("short enough", "at most 8192 characters");
    }
    Ok(())
}

pub(super) const PATH: &str =
    "^(?=.{1,256}$)(?!.*/\\.{1,2}(/|$))(?!.*//)(?!/\\.swiftdeploy(/|$))/[A-Za-z0-9._~/-]*$";

/// A path of a URL, without query.
pub(super) fn path(text: &str) -> Verdict {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~/-".contains(&byte);
    if !text.starts_with('/') || text.len() > 256 || !all(text, allowed) {
        return refuse("a path", "begin with `/` and use letters, digits, `.`, `_`, `~`, `-` and `/`");
    }
    let parts = || text[1..].split('/');
    if text.contains("//") || parts().any(|part| part == "." || part == "..") {
        return refuse("a plain path", "`//`, `.` and `..` mean another path to a proxy");
    }
    if parts().next() == Some(".swiftdeploy") {
        return refuse("free for an app", "/.swiftdeploy belongs to the proxy");
    }
    Ok(())
}

pub(super) const METRIC: &str = "^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$";

/// A metric's name, by Prometheus' data model.
pub(super) fn metric(text: &str) -> Verdict {
    let first = |byte: u8| byte.is_ascii_alphabetic() || b"_:".contains(&byte);
    if starts(text, first) && text.len() <= 128 && all(text, |byte| first(byte) || byte.is_ascii_digit()) {
        return Ok(());
    }
    refuse("a metric name", "use letters, digits, `_` and `:`, and do not begin with a digit")
}

pub(super) const LABEL: &str = "^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,127}$";

/// A label's name, by Prometheus' data model; two underscores in front are
/// Prometheus' own.
pub(super) fn label(text: &str) -> Verdict {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let fits =
        starts(text, first) && text.len() <= 128 && all(text, |byte| first(byte) || byte.is_ascii_digit());
    if fits && !text.starts_with("__") {
        return Ok(());
    }
    refuse("a label name", "use letters, digits and `_`, and do not begin with a digit or `__`")
}

pub(super) const PACKAGE: &str = concat!(
    "^(?=.{1,128}$)(?!(infra|canary|system)(\\.|$))",
    "(?!(.*\\.)?(as|contains|data|default|else|every|false|if|import|in|input|not|null|package|some|true|with)(\\.|$))",
    "[a-zA-Z_][a-zA-Z0-9_]*(\\.[a-zA-Z_][a-zA-Z0-9_]*)*$"
);

/// Words that cannot be a part of a package's path: Rego's keywords and roots.
const REGO_WORDS: [&str; 17] = [
    "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input", "not",
    "null", "package", "some", "true", "with",
];

/// A Rego package of the user's own.
pub(super) fn package(text: &str) -> Verdict {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let part_fits =
        |part: &str| starts(part, first) && all(part, |byte| first(byte) || byte.is_ascii_digit());
    if text.len() > 128 || !text.split('.').all(part_fits) {
        return refuse(
            "a Rego package",
            "use names of letters, digits and `_`, joined by `.`, as in team.freeze",
        );
    }
    let root = text.split('.').next().unwrap_or_default();
    if matches!(root, "infra" | "canary" | "system") {
        return refuse(
            "free for a gate of your own",
            "`infra`, `canary` and `system` are taken; choose another package",
        );
    }
    if let Some(word) = text.split('.').find(|part| REGO_WORDS.contains(part)) {
        return refuse("a Rego package", &format!("`{word}` is a word of Rego itself"));
    }
    Ok(())
}
