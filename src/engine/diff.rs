//! What changed between two texts, as a unified diff for people.

/// Lines of context around a change.
const CONTEXT: usize = 2;

/// The changed lines with some context; empty when nothing differs. Common
/// beginnings and ends are left out, which for small generated files is what a
/// full algorithm finds too in nearly every case.
#[must_use]
pub(super) fn unified(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let table = common_lengths(&old, &new);
    let mut lines: Vec<(char, &str)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            i += 1;
            j += 1;
        } else if i < old.len() && (j >= new.len() || table[i + 1][j] >= table[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    shown(&lines)
}

/// Length of the longest common subsequence of every pair of tails.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            table[i][j] =
                if old[i] == new[j] { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}

fn shown(lines: &[(char, &str)]) -> String {
    let is_near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        let to = (index + CONTEXT + 1).min(lines.len());
        lines[from..to].iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    let mut gap = false;
    for (index, (sign, line)) in lines.iter().enumerate() {
        if is_near(index) {
            if gap {
                text.push_str("@@\n");
            }
            gap = false;
            text.push(*sign);
            text.push_str(line);
            text.push('\n');
        } else {
            gap = true;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_changed_line_with_its_neighbours() {
        let text = unified("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nX\ne\nf\n");
        assert_eq!(text, "@@\n b\n c\n-d\n+X\n e\n f\n");
    }

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(unified("a\n", "a\n"), "");
    }

    #[test]
    fn added_and_removed_lines_are_told_apart() {
        assert_eq!(unified("a\n", "a\nb\n"), " a\n+b\n");
        assert_eq!(unified("a\nb\n", "b\n"), "-a\n b\n");
    }
}
