//! `new`: a starter manifest and policies.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::print::line;
use crate::domain::Target;
use crate::policy::{EXAMPLES, STARTERS};

/// The starter manifest, without a target.
const MANIFEST: &str = include_str!("../../../assets/starter.yaml");

/// What a version control has no business with: what is generated, what the
/// tool remembers, the record of what happened here.
const IGNORED: &str = "/.swiftdeploy/\n/generated/\n/history.*\n/audit_report.md\n";

/// Writes the starters into a folder; a file that is there already is never
/// touched.
pub(in super::super) fn run(common: &Common, dir: &Path) -> Result<ExitCode, Failure> {
    let written = write(dir, common.target.map(Target::from))?;
    if common.json {
        line(&serde_json::json!({"event": "created", "files": written}).to_string())?;
    } else {
        for path in &written {
            line(&format!("created {}", path.display()))?;
        }
        let target = if common.target.is_some() { "" } else { " --target local" };
        let place = if dir == Path::new(".") { String::new() } else { format!("cd {} && ", dir.display()) };
        line(&format!("next:   {place}swiftdeploy{target}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the starters; names what was written.
pub(in super::super) fn write(dir: &Path, target: Option<Target>) -> Result<Vec<PathBuf>, Failure> {
    let mut files = vec![(dir.join("manifest.yaml"), manifest(target))];
    let policies = STARTERS.iter().chain(EXAMPLES);
    files.extend(policies.map(|(name, text)| (dir.join("policies").join(name), (*text).to_owned())));
    if let Some((there, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::new(
            format!("{} is there already; nothing was written", there.display()),
            "choose an empty folder, or remove the file",
        ));
    }
    // A project that has one already knows what it ignores.
    let ignored = dir.join(".gitignore");
    if !ignored.exists() {
        files.push((ignored, IGNORED.to_owned()));
    }
    for (path, text) in &files {
        create(path, text).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()), "check permissions and free space")
        })?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn manifest(target: Option<Target>) -> String {
    match target {
        Some(target) => format!("target: {target}\n{MANIFEST}"),
        None => MANIFEST.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Document;

    #[test]
    fn the_starter_is_a_manifest_for_its_target_and_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("shop");
        write(&dir, Some(Target::Local)).unwrap();
        let document = Document::load(dir.join("manifest.yaml")).unwrap();
        assert_eq!(document.manifest().target, Some(Target::Local));
        assert!(
            dir.join("policies/infra.rego").exists() && dir.join("policies/.examples/freeze.rego").exists()
        );
        assert!(write(&dir, None).is_err());
    }
}
