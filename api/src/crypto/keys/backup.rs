//! Copies of the keys in one file, and back.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    KeyDirectory, KeyError,
    directory::{MASTER, create, is_key_file, read},
};

/// File names and their content. As secret as the keys themselves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    version: u8,
    files: BTreeMap<String, String>,
}

impl KeyDirectory {
    /// Copies every key into one new file, readable by its owner alone.
    ///
    /// # Errors
    /// [`KeyError`]; an existing file is not overwritten.
    pub fn backup(&self, file: &Path) -> Result<usize, KeyError> {
        let mut files = BTreeMap::new();
        for name in self.files()? {
            files.insert(name.clone(), read(&self.path(&name))?);
        }
        let count = files.len();
        let text = serde_json::to_string(&Backup { version: 1, files }).map(Zeroizing::new);
        let text = text.map_err(|_| KeyError::Damaged(self.folder().to_owned()))?;
        create(file, text.as_bytes())?;
        Ok(count)
    }

    /// Writes the keys of a backup into a folder that has no others: all of them or none.
    ///
    /// # Errors
    /// [`KeyError`]; an existing key is not overwritten.
    pub fn restore(file: &Path, folder: &Path) -> Result<usize, KeyError> {
        let damaged = || KeyError::Damaged(file.to_owned());
        let text = Zeroizing::new(read(file)?);
        let backup: Backup = serde_json::from_str(&text).map_err(|_| damaged())?;
        if backup.version != 1 || !backup.files.keys().all(|name| is_key_file(name)) {
            return Err(damaged());
        }
        super::directory::make(folder)?;
        // Without the master key, those of this backup are what a restore left that was killed.
        let left = |path: &Path, content: &str| {
            !path.ends_with(MASTER) && read(path).is_ok_and(|there| there == content)
        };
        let others = |name: &String| !backup.files.contains_key(name);
        if let Some(other) = super::directory::names(folder)?.into_iter().find(others) {
            return Err(KeyError::Exists(folder.join(other)));
        }
        let mut wanted = Vec::new();
        // The master key, first in order, is written last: where it is, all are.
        for (name, content) in backup.files.iter().rev() {
            let path = folder.join(name);
            match path.exists() {
                true if left(&path, content) => {}
                true => return Err(KeyError::Exists(path)),
                false => wanted.push((path, content)),
            }
        }
        let mut written = Vec::new();
        for (path, content) in wanted {
            let outcome = create(&path, content.as_bytes());
            // What failed may be there all the same, if only the folder could not be made safe.
            if !matches!(outcome, Err(KeyError::Exists(_))) {
                written.push(path);
            }
            if let Err(error) = outcome {
                for path in written {
                    drop(std::fs::remove_file(path));
                }
                return Err(error);
            }
        }
        Ok(backup.files.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{super::directory::tests::fresh, *};
    use crate::scratch::Scratch;

    fn beside() -> Scratch {
        let folder = Scratch::path();
        std::fs::create_dir_all(&*folder).unwrap();
        folder
    }

    #[test]
    fn a_backup_brings_the_keys_back() {
        let beside = beside();
        let (directory, folder) = fresh();
        let file = beside.join("backup");
        assert_eq!(directory.backup(&file).unwrap(), 2);
        assert!(matches!(directory.backup(&file), Err(KeyError::Exists(_))));

        let elsewhere = beside.join("restored");
        assert_eq!(KeyDirectory::restore(&file, &elsewhere).unwrap(), 2);
        let mode = std::fs::metadata(&elsewhere).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else may enter");
        let (restored, first) = KeyDirectory::open(&elsewhere, 9).unwrap();
        assert!(!first);
        assert_eq!(restored.master().unwrap().expose(), directory.master().unwrap().expose());
        assert_eq!(restored.list().unwrap(), directory.list().unwrap());
        assert!(matches!(KeyDirectory::restore(&file, &folder), Err(KeyError::Exists(_))));
    }

    #[test]
    fn a_restore_brings_all_keys_back_or_none() {
        let (beside, target) = (beside(), Scratch::path());
        let file = beside.join("backup");
        // No file system takes the middle one.
        let long = "l".repeat(300);
        let names = ["master.key", &format!("signing-{long}.json"), "signing-m.json"];
        let files = names.map(|name| (name.to_owned(), "{}".to_owned())).into();
        let text = serde_json::to_string(&Backup { version: 1, files }).unwrap();
        create(&file, text.as_bytes()).unwrap();
        assert!(matches!(KeyDirectory::restore(&file, &target), Err(KeyError::Io { .. })));
        assert_eq!(std::fs::read_dir(&*target).unwrap().count(), 0);
    }

    #[test]
    fn keys_of_another_backup_are_not_mixed_with_those_restored() {
        let (beside, target) = (beside(), Scratch::path());
        let (directory, _folder) = fresh();
        let file = beside.join("backup");
        directory.backup(&file).unwrap();
        super::super::directory::make(&target).unwrap();
        let foreign = target.join("signing-foreign.json");
        create(&foreign, b"{}").unwrap();
        let refused = KeyDirectory::restore(&file, &target);
        assert!(matches!(refused, Err(KeyError::Exists(path)) if path == foreign));
        assert_eq!(std::fs::read_dir(&*target).unwrap().count(), 1);
    }

    #[test]
    fn a_restore_that_was_killed_is_taken_up_again() {
        let (beside, target) = (beside(), Scratch::path());
        let (directory, folder) = fresh();
        let file = beside.join("backup");
        directory.backup(&file).unwrap();
        super::super::directory::make(&target).unwrap();
        let kid = &directory.list().unwrap()[0].kid;
        let name = format!("signing-{kid}.json");
        std::fs::copy(folder.join(&name), target.join(&name)).unwrap();
        assert_eq!(KeyDirectory::restore(&file, &target).unwrap(), 2);
        let restored = KeyDirectory::existing(&target).unwrap();
        assert_eq!(restored.list().unwrap(), directory.list().unwrap());
    }

    #[test]
    fn a_backup_cannot_write_elsewhere() {
        let beside = beside();
        let file = beside.join("evil");
        create(&file, br#"{"version":1,"files":{"../evil":"x"}}"#).unwrap();
        let refused = KeyDirectory::restore(&file, &beside.join("target"));
        assert!(matches!(refused, Err(KeyError::Damaged(_))));
    }
}
