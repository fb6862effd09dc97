//! "Did you mean": the nearest of the words that are valid at a place.

/// The nearest word, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = normal(wrong);
    if wrong.is_empty() || wrong.len() > 64 {
        return None;
    }
    words
        .into_iter()
        .filter_map(|word| {
            let plain = normal(word);
            let distance = edit_distance(&wrong, &plain);
            let allowed = (wrong.len().max(plain.len()) / 3).max(1);
            // `driver` for `driver_type`, `replicas_count` for `replicas`.
            let contains =
                wrong.len().min(plain.len()) >= 4 && (plain.starts_with(&wrong) || wrong.starts_with(&plain));
            (distance <= allowed || contains).then_some((distance, word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `minRequests`, `min-requests` and `min_requests` are one word.
fn normal(word: &str) -> Vec<u8> {
    word.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one
/// word into the other (optimal string alignment).
fn edit_distance(from: &[u8], to: &[u8]) -> usize {
    let width = to.len() + 1;
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..width).collect();
    for (row, left) in from.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, right) in to.iter().enumerate() {
            let replace = last[column] + usize::from(left != right);
            let mut best = replace.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *left == to[column - 1] && from[row - 1] == *right;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SERVICE: [&str; 11] = [
        "name",
        "image",
        "port",
        "version",
        "mode",
        "env",
        "health",
        "resources",
        "restart_policy",
        "stop_grace",
        "command",
    ];

    #[rstest]
    #[case::swapped("prot", Some("port"))]
    #[case::missing_letter("imge", Some("image"))]
    #[case::camel_case("restartPolicy", Some("restart_policy"))]
    #[case::kebab_case("stop-grace", Some("stop_grace"))]
    #[case::plural("ports", Some("port"))]
    #[case::prefix("restart", Some("restart_policy"))]
    #[case::upper_case("MODE", Some("mode"))]
    #[case::nothing_near("replicas", None)]
    #[case::empty("", None)]
    #[case::only_signs("---", None)]
    fn the_nearest_key_is_suggested(#[case] wrong: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(wrong, SERVICE), expected);
    }

    #[test]
    fn distance_counts_a_swap_of_neighbours_once() {
        assert_eq!(edit_distance(b"prot", b"port"), 1);
        assert_eq!(edit_distance(b"", b"abc"), 3);
        assert_eq!(edit_distance(b"abc", b"abc"), 0);
    }
}
