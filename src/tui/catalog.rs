//! Everything that can be done, for the menu and the palette.

use super::command::{Ask, Command, Open};
use super::keymap;

/// A line of the menu and of the palette.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The heading in the menu.
    pub group: &'static str,
    /// As one would type it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it means.
    pub command: Command,
}

impl Entry {
    /// Its key on the screen, where it has one.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        keymap::key_of(self.command)
    }
}

const fn entry(group: &'static str, name: &'static str, about: &'static str, command: Command) -> Entry {
    Entry { group, name, about, command }
}

/// Everything, in the order of the menu.
pub const ALL: &[Entry] = &[
    entry("prepare", "init", "generate the files from the manifest", Command::Ask(Ask::Init)),
    entry("prepare", "init check", "tell what init would change", Command::Ask(Ask::CheckInit)),
    entry("prepare", "validate", "the five checks", Command::Ask(Ask::Validate)),
    entry("prepare", "plan", "what deploy would do; changes nothing", Command::Ask(Ask::Plan)),
    entry("release", "deploy", "replace what serves by what the manifest says", Command::Ask(Ask::Deploy)),
    entry("release", "promote", "choose: canary or stable", Command::Open(Open::Promote)),
    entry("release", "promote canary", "the canary takes the traffic", Command::Ask(Ask::PromoteCanary)),
    entry(
        "release",
        "promote stable",
        "its release becomes the stable one",
        Command::Ask(Ask::PromoteStable),
    ),
    entry("release", "rollback", "back to the last good release; never gated", Command::Ask(Ask::Rollback)),
    entry("test", "chaos", "choose a fault and its values", Command::Open(Open::Chaos)),
    entry("test", "chaos slow", "answers take 3 s longer, for 60 s", Command::Ask(Ask::Slow)),
    entry("test", "chaos error", "half of the answers fail, for 60 s", Command::Ask(Ask::Error)),
    entry("test", "chaos kill", "end the canary's process as in a crash", Command::Ask(Ask::Kill)),
    entry("test", "chaos recover", "no fault any more", Command::Ask(Ask::Recover)),
    entry("test", "probe", "as much traffic as a verdict needs", Command::Ask(Ask::Probe)),
    entry("test", "load", "probe traffic: 20/s for 30 s", Command::Ask(Ask::Load(20, 30))),
    entry("test", "load more", "probe traffic: 100/s for 60 s", Command::Ask(Ask::Load(100, 60))),
    entry("look", "logs", "of the service, the proxy, the policy engine", Command::Open(Open::Logs)),
    entry("look", "decisions", "the gates' answers in full", Command::Open(Open::Decision)),
    entry("look", "replay", "recorded decisions that would differ now", Command::Open(Open::Replay)),
    entry("look", "last plan", "the plan that was made last", Command::Open(Open::Plan)),
    entry("look", "audit", "write audit_report.md", Command::Ask(Ask::Audit)),
    entry("end", "teardown", "remove everything of this project", Command::Open(Open::Teardown)),
    entry("app", "zoom", "the focused pane fills the screen", Command::Zoom),
    entry("app", "theme", "dark, light, mono", Command::NextTheme),
    entry("app", "help", "all keys", Command::Open(Open::Help)),
    entry("app", "quit", "leave; the stack keeps running", Command::Quit),
];

/// The entries that a typed text means, the best first: names that begin with
/// it, names that contain it, then names or descriptions that contain every
/// word of it.
#[must_use]
pub fn matching(typed: &str) -> Vec<&'static Entry> {
    let typed = typed.trim().to_lowercase();
    let rank = |entry: &Entry| {
        if entry.name.starts_with(&typed) {
            Some(0)
        } else if entry.name.contains(&typed) {
            Some(1)
        } else {
            let whole = format!("{} {}", entry.name, entry.about);
            typed.split_whitespace().all(|word| whole.contains(word)).then_some(2)
        }
    };
    let mut found: Vec<_> = ALL.iter().filter_map(|entry| rank(entry).map(|rank| (rank, entry))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_typed("", "init")]
    #[case::beginning("roll", "rollback")]
    #[case::inside("stable", "promote stable")]
    #[case::description("report", "audit")]
    #[case::words_in_any_order("traffic promote", "promote canary")]
    #[case::upper_case("DEPLOY", "deploy")]
    fn the_best_match_comes_first(#[case] typed: &str, #[case] expected: &str) {
        assert_eq!(matching(typed).first().map(|entry| entry.name), Some(expected));
    }

    #[test]
    fn nonsense_matches_nothing() {
        assert!(matching("xyzzy").is_empty());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
