//! How much room there is where data lies.

use std::path::Path;

/// The folder itself, or the nearest one above it that is there.
pub(crate) fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// What programs without special rights can still write there, in bytes.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(existing(folder)).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_not_made_yet_has_the_room_of_the_one_above() {
        let folder = std::env::temp_dir().join("nobody/made/this");
        assert_eq!(existing(&folder), std::env::temp_dir());
        assert!(free_bytes(&folder).unwrap() > 0);
    }
}
