//! Putting a changed manifest on disk: whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::Path;

use super::document::{Document, read};
use super::error::ManifestError;

impl Document {
    /// Writes the text to its file: a temporary file beside it, synced, then
    /// renamed over it, so that a crash leaves the old text or the new one.
    /// Keeps permissions (and the owner, where the system lets us), follows a
    /// symbolic link to the real file, and refuses when the file holds
    /// anything but the text that this document was made from.
    ///
    /// Not promised: access lists and extended attributes are not copied, and
    /// a change by somebody else in the instant between the comparison and
    /// the rename is lost.
    pub fn save(&self) -> Result<(), ManifestError> {
        let path = fs::canonicalize(self.path()).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ManifestError::NotFound { path: self.path().to_owned() },
            _ => ManifestError::Read { path: self.path().to_owned(), source },
        })?;
        let on_disk = read(&path)?;
        if on_disk == self.text().as_bytes() {
            return Ok(());
        }
        if !self.ancestors.iter().any(|text| text.as_bytes() == on_disk) {
            return Err(ManifestError::ChangedOnDisk { path: self.path().to_owned() });
        }
        replace(&path, self.text().as_bytes())
            .map_err(|source| ManifestError::Write { path: self.path().to_owned(), source })
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path)?;
    if old.permissions().readonly() {
        // A rename would get past it; who made it read-only meant it.
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".manifest-").suffix(".tmp").tempfile_in(folder)?;
    new.write_all(bytes)?;
    keep_owner(new.as_file(), &old);
    new.as_file().set_permissions(old.permissions())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    // The new name is in place by now; where a folder cannot be synced there
    // is nothing left to undo.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file of somebody else, edited by root, stays theirs. Anyone else cannot
/// give a file away; then it belongs to who ran the tool, as with any editor.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};

    let _ = fchown(new, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) {}

#[cfg(test)]
mod tests {
    use super::super::Edit;
    use super::*;
    use crate::domain::Mode;

    const TEXT: &str =
        "services: # mine\n  image: app:1\n  port: 3000\n  mode: stable\nnginx: {image: nginx, port: 80}\n";

    fn to_canary() -> Edit {
        Edit { mode: Some(Mode::Canary), ..Edit::default() }
    }

    fn fixture() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.yaml");
        fs::write(&path, TEXT).unwrap();
        (folder, path)
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn saving_replaces_the_file_and_leaves_nothing_beside_it() {
        let (folder, path) = fixture();
        Document::load(&path).unwrap().with(&to_canary()).unwrap().save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT.replace("stable", "canary"));
        assert_eq!(names(folder.path()), ["manifest.yaml"]);
    }

    #[test]
    fn edits_may_follow_each_other_with_or_without_saving_between() {
        let (_folder, path) = fixture();
        let first = Document::load(&path).unwrap().with(&to_canary()).unwrap();
        first.save().unwrap();
        let back = first.with(&Edit { mode: Some(Mode::Stable), ..Edit::default() }).unwrap();
        back.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
        let version = Edit { version: Some("2.0.0".into()), ..Edit::default() };
        back.with(&to_canary()).unwrap().with(&version).unwrap().save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("canary") && text.contains("version: 2.0.0"), "{text}");
    }

    #[test]
    fn a_change_by_somebody_else_is_not_overwritten() {
        let (_folder, path) = fixture();
        let edited = Document::load(&path).unwrap().with(&to_canary()).unwrap();
        fs::write(&path, format!("{TEXT}# theirs\n")).unwrap();
        let error = edited.save().unwrap_err();
        assert!(matches!(error, ManifestError::ChangedOnDisk { .. }), "{error}");
        assert!(fs::read_to_string(&path).unwrap().ends_with("# theirs\n"));
        fs::remove_file(&path).unwrap();
        assert!(matches!(edited.save().unwrap_err(), ManifestError::NotFound { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_a_symbolic_link_stays_a_link() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

        let (folder, path) = fixture();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&path).unwrap();
        let elsewhere = folder.path().join("deep");
        fs::create_dir(&elsewhere).unwrap();
        let link = elsewhere.join("link.yaml");
        symlink("../manifest.yaml", &link).unwrap();

        Document::load(&link).unwrap().with(&to_canary()).unwrap().save().unwrap();

        assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.permissions().mode() & 0o7777, 0o640);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert!(fs::read_to_string(&path).unwrap().contains("canary"));
        assert_eq!(names(&elsewhere), ["link.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_file_is_left_alone() {
        use std::os::unix::fs::PermissionsExt;

        let (folder, path) = fixture();
        let edited = Document::load(&path).unwrap().with(&to_canary()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let error = edited.save().unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
        assert_eq!(names(folder.path()), ["manifest.yaml"]);
    }
}
