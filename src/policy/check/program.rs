//! The judgement of a real OPA program: `opa check --strict`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::super::Fault;
use super::super::answer::excerpt;

/// A check takes a fraction of a second.
const LONGEST: Duration = Duration::from_secs(20);

/// How many characters of OPA's own words are shown.
const WORDS: usize = 2000;

/// What is not known where no OPA judged the policies.
pub const UNJUDGED: &str = "no `opa` on the path: SwiftDeploy judged the policies, types included, by its own \
                            check; schemas in METADATA are read by Open Policy Agent alone";

/// What an OPA says of a folder of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It would load them.
    Accepted,
    /// It would not, or minds something in them; its own words.
    Refused(String),
}

/// The program `opa`, where one is on the path.
#[must_use]
pub fn found(path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|folder| folder.join("opa")).find(|program| program.is_file())
}

/// Asks a program to check a folder.
///
/// # Errors
/// [`Fault::Policies`] when it cannot be run or takes too long.
pub async fn judge_with(program: &Path, policies: &Path) -> Result<Judgement, Fault> {
    let failed = |reason: String| Fault::Policies { reason: format!("{}: {reason}", program.display()) };
    let mut command = Command::new(program);
    command.args(["check", "--strict", "--ignore", ".*"]).arg(policies);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LONGEST, command.output())
        .await
        .map_err(|_| failed(format!("no answer within {} s", LONGEST.as_secs())))?
        .map_err(|cause| failed(cause.to_string()))?;
    if output.status.success() {
        return Ok(Judgement::Accepted);
    }
    let said = [output.stderr, output.stdout].concat();
    Ok(Judgement::Refused(words(&String::from_utf8_lossy(&said))))
}

/// OPA's complaints on one line, without the count that it puts first.
#[must_use]
pub fn words(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    // Behind the count, or on the next line, comes the first of them.
    let complaints = lines.map(|line| match line.split_once(": ") {
        Some((count, first)) if count.contains("occurred") => first,
        _ => line.trim_end_matches(':'),
    });
    let told: Vec<&str> = complaints.filter(|line| !line.contains("occurred")).collect();
    excerpt(&told.join("; "), WORDS)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_count_in_front_is_left_out() {
        assert_eq!(words("1 error occurred: p.rego:3: no\n"), "p.rego:3: no");
        assert_eq!(words("2 errors occurred:\np.rego:3: no\np.rego:4: nor\n"), "p.rego:3: no; p.rego:4: nor");
        assert_eq!(words("1 error occurred during loading: p.rego:3: a\n\ta if {\n"), "p.rego:3: a; a if {");
    }
}
