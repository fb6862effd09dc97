//! What a release is made of on this target: the built-in sample service, or
//! the user's own program.

use std::path::{Path, PathBuf};

use crate::runtime::ImagePresence;

/// The arguments with which the `swiftdeploy` executable runs the built-in
/// sample service.
pub const SERVICE_ARGS: [&str; 1] = ["internal-service"];

/// The arguments with which the `swiftdeploy` executable runs the built-in
/// proxy; the state directory follows.
pub const PROXY_ARGS: [&str; 2] = ["internal-proxy", "--state"];

/// What the built-in proxy's allocator is told: no huge pages. With them a proxy that
/// streamed two bodies of 50 MB held 66 MB, without less than 50 (mimalloc 0.1.52).
pub const PROXY_ENV: [(&str, &str); 1] = [("MIMALLOC_ALLOW_THP", "0")];

/// Whether a program is there to be started.
pub fn presence(program: &str, folder: &Path) -> ImagePresence {
    match find(program, folder) {
        Ok(_) => ImagePresence::Present(None),
        Err(reason) => ImagePresence::Absent(reason),
    }
}

/// Finds a program as a shell would: a path is taken from the manifest's
/// folder, a bare name is looked for in `PATH`.
pub fn find(program: &str, folder: &Path) -> Result<PathBuf, String> {
    if program.contains('/') {
        let path = folder.join(program);
        return if is_executable(&path) {
            Ok(path)
        } else if path.exists() {
            Err(format!("{} is not executable", path.display()))
        } else {
            Err(format!("there is no {}", path.display()))
        };
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|entry| folder.join(entry).join(program))
        .find(|path| is_executable(path))
        .ok_or_else(|| format!("there is no program {program} in PATH"))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_path_is_taken_from_the_manifests_folder_and_must_be_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve");
        assert!(
            matches!(presence("./serve", folder.path()), ImagePresence::Absent(why) if why.starts_with("there is no /"))
        );

        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            matches!(presence("./serve", folder.path()), ImagePresence::Absent(why) if why.ends_with("is not executable"))
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(presence("./serve", folder.path()), ImagePresence::Present(None));
    }

    #[test]
    fn a_bare_name_is_looked_for_in_path() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(presence("sh", folder.path()), ImagePresence::Present(None));
        assert_eq!(
            presence("no-such-program-anywhere", folder.path()),
            ImagePresence::Absent("there is no program no-such-program-anywhere in PATH".into())
        );
    }
}
