//! Every input of the corpora holds what its target checks: those that once
//! did not are kept there.
#![allow(missing_docs, reason = "test names say what they show")]

use std::fs;
use std::path::{Path, PathBuf};

use swiftdeploy_fuzz::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_kept_input_holds() {
    for (target, check) in TARGETS {
        let mut inputs: Vec<PathBuf> =
            fs::read_dir(corpus().join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{target} has {} inputs", inputs.len());
        for input in inputs {
            println!("{}", input.display());
            check(&fs::read(input).unwrap());
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let mut folders: Vec<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|(target, _)| target));
}
