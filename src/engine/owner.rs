//! Whose a folder is: the manifest and the project that are deployed from it. What
//! the folder keeps (history, memory, on the local target the processes) is that
//! project's, so another manifest, or the same one under another project's name, is
//! refused as long as the first one's stack is there.
//!
//! The folder remembers it in `.swiftdeploy/owner.json`, written before the first
//! effect and cleared once nothing is there any more. In a folder of an older
//! version, which has no such file, the manifest that was deployed last tells the
//! project, and nobody the file's name.
//!
//! A note that cannot be read is not none: everything is refused until a person has
//! looked at it, but for a rollback, which may be what saves the traffic and goes by
//! what was deployed last.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::core::Core;
use super::files::{read_json_if_there, write_json};
use super::journal::Journal;
use super::project::Project;
use crate::domain::Target;
use crate::manifest::Document;

const OWNER: &str = "owner.json";

/// Who has the folder, or had it, when no target is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// The manifest's file name, where known.
    manifest: Option<String>,
    project: String,
    /// Where something of it may be.
    targets: Vec<Target>,
}

/// Why a manifest may not act in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stranger {
    /// What is in the way, and where.
    pub(super) error: String,
    /// What to do.
    pub(super) next: String,
}

impl Stranger {
    /// In one line, for what only looks.
    pub(super) fn told(&self) -> String {
        format!("{}; {}", self.error, self.next)
    }
}

/// Why this manifest may not act in its folder, if it may not. `action` is what it
/// is asked for; who only looks has none.
pub(super) fn refusal(core: &Core, action: Option<&Action>) -> Option<Stranger> {
    let owner = match owner(&core.project) {
        Err(_) if action == Some(&Action::Rollback) => of_older_version(&core.project),
        Err(error) => return Some(unreadable(&core.project, &error)),
        Ok(owner) => owner,
    };
    let owner = owner.filter(|owner| !owner.targets.is_empty())?;
    let declared = core.document().ok().map(|document| document.manifest().project.clone());
    // Both work by what was deployed from this file, whatever it says by now.
    let goes_by_what_runs = matches!(action, Some(Action::Rollback | Action::Teardown { .. }));
    judge(&owner, &core.project, declared.as_deref(), goes_by_what_runs)
}

/// Where something of the project may be that is deployed from a folder; nowhere
/// when none is.
#[must_use]
pub fn deployed_on(project: &Project) -> Vec<Target> {
    remembered(project).map(|owner| owner.targets).unwrap_or_default()
}

/// The project that is deployed from the folder, where it is known.
pub(super) fn deployed_project(project: &Project) -> Option<String> {
    remembered(project).filter(|owner| !owner.targets.is_empty()).map(|owner| owner.project)
}

/// Notes whose the folder is, before the first effect. What was remembered of
/// another project, whose stack is gone, goes: a rollback must not bring it back. A
/// note that cannot be read is left to who looks at it.
pub(super) fn claim(core: &Core) -> io::Result<()> {
    let noted = note(&core.project)?;
    let known = noted.clone().or_else(|| of_older_version(&core.project));
    let living = known.as_ref().filter(|owner| !owner.targets.is_empty());
    let declared = || core.document().ok().map(|document| document.manifest().project.clone());
    let Some(project) = living.map(|owner| owner.project.clone()).or_else(declared) else { return Ok(()) };
    let mut targets = living.map(|owner| owner.targets.clone()).unwrap_or_default();
    if !targets.contains(&core.target) {
        targets.push(core.target);
    }
    if known.as_ref().is_some_and(|known| known.project != project) {
        for target in Target::ALL {
            Journal::of(&core.project, target).forget()?;
        }
    }
    let first = living.and_then(|owner| owner.manifest.clone());
    let manifest = first.filter(|first| is_same(&core.project, first)).or_else(|| file_name(&core.project));
    let now = Owner { manifest, project, targets };
    if noted.as_ref() == Some(&now) {
        return Ok(());
    }
    write_json(&core.project.state_file(OWNER), &now)
}

/// Clears this target from the note, where nothing of the project is left on it:
/// after a teardown, or a deployment that came to nothing. What cannot be asked is
/// taken to be there.
pub(super) async fn settle(core: &Core) {
    let Ok(Some(mut owner)) = owner(&core.project) else { return };
    if !owner.targets.contains(&core.target) {
        return;
    }
    let Some(document) = core.document().ok().or_else(|| core.deployed_document()) else { return };
    let mut manifest = document.manifest().clone();
    manifest.project.clone_from(&owner.project);
    let Ok(session) = core.session(&manifest).await else { return };
    let is_there = match core.target {
        // The folder of a stack that came to nothing holds its logs and no more.
        Target::Local => session.runtime.observe().await.map(|observed| !observed.instances.is_empty()),
        Target::Docker => session.runtime.belongings().await.map(|names| !names.is_empty()),
    };
    if matches!(is_there, Ok(false)) {
        owner.targets.retain(|target| *target != core.target);
        // Left as it is, it only asks for one more teardown.
        let _ = write_json(&core.project.state_file(OWNER), &owner);
    }
}

fn file_name(project: &Project) -> Option<String> {
    Some(project.manifest().file_name()?.to_string_lossy().into_owned())
}

/// Whether the manifest is the file of this name in its folder, by that name or as
/// a link to it.
fn is_same(project: &Project, name: &str) -> bool {
    let resolved = |path: &Path| path.canonicalize().ok();
    let is_linked = || {
        let there = resolved(&project.root().join(name));
        there.is_some() && there == resolved(project.manifest())
    };
    file_name(project).as_deref() == Some(name) || is_linked()
}

fn note(project: &Project) -> io::Result<Option<Owner>> {
    read_json_if_there(&project.state_file(OWNER))
}

fn owner(project: &Project) -> io::Result<Option<Owner>> {
    Ok(note(project)?.or_else(|| of_older_version(project)))
}

/// As far as anything tells it.
fn remembered(project: &Project) -> Option<Owner> {
    owner(project).unwrap_or_else(|_| of_older_version(project))
}

fn unreadable(project: &Project, error: &io::Error) -> Stranger {
    let path = project.state_file(OWNER);
    Stranger {
        error: format!("{} tells whose this folder is and cannot be read: {error}", path.display()),
        next: format!(
            "put it back as it was; or, if {} is what was deployed from here, remove it: nothing that runs is \
             touched by that",
            project.manifest().display()
        ),
    }
}

/// By what was deployed last, on any target.
fn of_older_version(project: &Project) -> Option<Owner> {
    let deployed = |target: Target| {
        let text = Journal::of(project, target).deployed_manifest()?;
        let document = Document::parse(project.manifest(), text).ok()?;
        Some((target, document.manifest().project.clone()))
    };
    let deployed: Vec<(Target, String)> = Target::ALL.into_iter().filter_map(deployed).collect();
    let (_, name) = deployed.first()?.clone();
    let targets = deployed.into_iter().map(|(target, _)| target).collect();
    Some(Owner { manifest: None, project: name, targets })
}

/// `declared` is the project that the manifest names; `None` while it cannot be
/// read, and then only the file's name counts.
fn judge(
    owner: &Owner,
    project: &Project,
    declared: Option<&str>,
    goes_by_what_runs: bool,
) -> Option<Stranger> {
    let given = project.manifest().display();
    let (theirs, on) = (&owner.project, places(&owner.targets));
    let is_theirs = declared.is_none_or(|declared| declared == theirs);
    let says = declared.unwrap_or_default();
    let apart = "into a folder of its own, with its policies";
    let go_on = format!("write `project: {theirs}` into it (services.name may differ then)");
    let or_gone = if_host_is_gone(owner, project);
    let Some(first) = &owner.manifest else {
        return (!is_theirs).then(|| Stranger {
            error: format!(
                "{given} says project {says}, but project {theirs} is deployed from its folder on {on}"
            ),
            next: format!("put it {apart}; or, if it is the same manifest, {go_on}{or_gone}"),
        });
    };
    let path = project.root().join(first);
    if is_same(project, first) {
        return (!is_theirs && !goes_by_what_runs).then(|| Stranger {
            error: format!("{given} says project {says}, but project {theirs} is deployed from it on {on}"),
            next: format!("{go_on}, or end {theirs} first: {}{or_gone}", teardowns(owner, &path)),
        });
    }
    if path.exists() {
        return Some(Stranger {
            error: format!(
                "{given} cannot be used here: its folder belongs to {first} (project {theirs}), which is deployed on {on}"
            ),
            next: format!("put it {apart}, or end {theirs} first: {}{or_gone}", teardowns(owner, &path)),
        });
    }
    // Renamed, or another one after the first was removed.
    (!is_theirs).then(|| Stranger {
        error: format!(
            "{given} says project {says}, but its folder belongs to {first} (project {theirs}), which is gone \
             and still deployed on {on}"
        ),
        next: format!("put it {apart}; or, to go on with {theirs} or to end it, {go_on}{or_gone}"),
    })
}

fn places(targets: &[Target]) -> String {
    targets.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(" and ")
}

/// What helps where a stack cannot be ended, since nothing answers for it any more.
/// With the note goes what a rollback would go back to.
fn if_host_is_gone(owner: &Owner, project: &Project) -> String {
    if !owner.targets.contains(&Target::Docker) {
        return String::new();
    }
    let note = project.state_file(OWNER);
    let memory = project.state_file(&format!("{}-*.json", Target::Docker));
    format!(
        "; or, where its Docker host is gone for good, remove {} and {}",
        note.display(),
        memory.display()
    )
}

fn teardowns(owner: &Owner, manifest: &Path) -> String {
    let one = |target: &Target| {
        format!("`swiftdeploy teardown --manifest {} --target {target}`", manifest.display())
    };
    owner.targets.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn owner_of(manifest: Option<&str>) -> Owner {
        Owner {
            manifest: manifest.map(str::to_owned),
            project: "shop".into(),
            targets: vec![Target::Local, Target::Docker],
        }
    }

    /// A folder with a `manifest.yaml`, seen from the manifest of a name.
    fn seen_from(name: &str) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.yaml"), "").unwrap();
        let project = Project::of(&folder.path().join(name)).unwrap();
        (folder, project)
    }

    #[rstest]
    #[case::itself("manifest.yaml", Some("manifest.yaml"), Some("shop"), false, None)]
    #[case::in_mid_edit("manifest.yaml", Some("manifest.yaml"), None, false, None)]
    #[case::another_name(
        "manifest.yaml",
        Some("manifest.yaml"),
        Some("other"),
        false,
        Some("write `project: shop`")
    )]
    #[case::another_name_goes_back("manifest.yaml", Some("manifest.yaml"), Some("other"), true, None)]
    #[case::a_copy("copy.yaml", Some("manifest.yaml"), Some("shop"), false, Some("--target docker"))]
    #[case::a_copy_goes_back(
        "copy.yaml",
        Some("manifest.yaml"),
        Some("shop"),
        true,
        Some("folder of its own")
    )]
    #[case::a_copy_in_mid_edit("copy.yaml", Some("manifest.yaml"), None, true, Some("folder of its own"))]
    #[case::renamed("new.yaml", Some("gone.yaml"), Some("shop"), false, None)]
    #[case::after_it_is_gone(
        "new.yaml",
        Some("gone.yaml"),
        Some("other"),
        true,
        Some("write `project: shop`")
    )]
    #[case::older_version("new.yaml", None, Some("shop"), false, None)]
    #[case::older_version_of_another("new.yaml", None, Some("other"), true, Some("folder of its own"))]
    fn a_folder_is_one_manifest_s(
        #[case] given: &str,
        #[case] first: Option<&str>,
        #[case] declared: Option<&str>,
        #[case] goes_by_what_runs: bool,
        #[case] next: Option<&str>,
    ) {
        let (_folder, project) = seen_from(given);
        let refused = judge(&owner_of(first), &project, declared, goes_by_what_runs);
        match (&refused, next) {
            (None, None) => {}
            (Some(stranger), Some(next)) => assert!(stranger.next.contains(next), "{stranger:?}"),
            _ => panic!("{refused:?}"),
        }
    }

    #[test]
    fn what_is_deployed_on_docker_may_be_gone_with_its_host() {
        let (_folder, project) = seen_from("copy.yaml");
        let mut owner = owner_of(Some("manifest.yaml"));
        let told = |owner: &Owner| judge(owner, &project, Some("other"), false).unwrap().next;
        let files =
            ["owner.json", "docker-*.json"].map(|name| project.state_file(name).display().to_string());
        assert!(told(&owner).ends_with(&format!("gone for good, remove {} and {}", files[0], files[1])));
        owner.targets = vec![Target::Local];
        assert!(!told(&owner).contains("gone for good"));
    }

    #[test]
    fn a_link_is_the_manifest_that_it_leads_to() {
        let (folder, project) = seen_from("link.yaml");
        assert!(!is_same(&project, "manifest.yaml"), "there is no link yet");
        std::os::unix::fs::symlink("manifest.yaml", folder.path().join("link.yaml")).unwrap();
        assert!(is_same(&project, "manifest.yaml"));
        assert!(is_same(&Project::of(&folder.path().join("manifest.yaml")).unwrap(), "link.yaml"));
        std::fs::remove_file(folder.path().join("manifest.yaml")).unwrap();
        assert!(!is_same(&project, "manifest.yaml"), "what is not there is nobody's");
    }

    #[rstest]
    #[case::cut_off("{\"manifest\": \"manifest.yaml\", \"pro")]
    #[case::of_a_newer_version(r#"{"manifest": null, "project": "shop", "targets": ["swarm"]}"#)]
    #[case::empty("")]
    fn a_note_that_cannot_be_read_is_not_none(#[case] text: &str) {
        let (_folder, project) = seen_from("manifest.yaml");
        std::fs::create_dir(project.state()).unwrap();
        std::fs::write(project.state_file(OWNER), text).unwrap();
        let told = unreadable(&project, &owner(&project).unwrap_err()).told();
        assert!(told.contains(&project.state_file(OWNER).display().to_string()), "{told}");
        assert_eq!(deployed_on(&project), []);
    }

    #[test]
    fn a_folder_of_an_older_version_is_whose_manifest_was_deployed_last() {
        let (_folder, project) = seen_from("manifest.yaml");
        assert_eq!(owner(&project).unwrap(), None);
        let text = include_str!("../../manifest.yaml");
        Journal::of(&project, Target::Docker).set_deployed_manifest(text).unwrap();
        let owner = owner(&project).unwrap().unwrap();
        assert_eq!((owner.project.as_str(), &owner.targets[..]), ("app", &[Target::Docker][..]));
        assert_eq!(owner.manifest, None);
    }
}
