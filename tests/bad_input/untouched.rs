//! A project as it was: its files and its processes.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::world::World;

/// What a project had before a command was refused.
pub struct Untouched<'a> {
    world: &'a World,
    files: BTreeMap<PathBuf, Vec<u8>>,
    processes: Vec<String>,
}

impl<'a> Untouched<'a> {
    /// Looks at a project.
    pub fn of(world: &'a World) -> Self {
        Self { world, files: files(world.root()), processes: processes(world) }
    }

    /// Looks again: the same files with the same bytes, the same processes.
    #[track_caller]
    pub fn holds(&self) {
        let now = files(self.world.root());
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&now), names(&self.files));
        for (name, bytes) in &self.files {
            assert!(now[name] == *bytes, "{} was changed", name.display());
        }
        assert_eq!(processes(self.world), self.processes);
    }
}

/// A project with its generated files, on which nothing was deployed: a refused
/// command finds nothing to do but what it is refused.
pub fn initialised() -> World {
    let world = World::local();
    world.run(&["init"]).ends_with(0);
    world
}

fn processes(world: &World) -> Vec<String> {
    let mut all = world.processes();
    all.sort();
    all
}

/// Every file but the record of what was tried, which a refusal adds to, and
/// the tool's own folder.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    collect(root, &mut all);
    all
}

fn collect(folder: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("history.") || name == ".swiftdeploy" {
            continue;
        }
        if path.is_dir() {
            collect(&path, all);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
}
