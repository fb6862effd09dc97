//! `policy explain` and `policy replay` by the real binary, in a project whose
//! history the test wrote.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use swiftdeploy::policy::PolicyBundle;
use swiftdeploy::policy::replay::Asker;
use tempfile::TempDir;

use super::decisions::{Writer, write_policies};
use super::policy_support::TIMEOUT;

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command about policies in a project.
pub fn policy(root: &Path, command: &str, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_swiftdeploy"))
        .args(["policy", command])
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A project with the starters, whose history is written by a test that gets who
/// answers by them, and their revision.
pub fn project(write: impl FnOnce(&mut Writer<'_>, &Asker, &str)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_policies(folder.path());
    let bundle = Arc::new(PolicyBundle::load(&folder.path().join("policies")).unwrap());
    let asker = Asker::new(Arc::clone(&bundle), TIMEOUT);
    let mut writer = Writer::new(folder.path());
    write(&mut writer, &asker, bundle.revision());
    writer.finish();
    folder
}
