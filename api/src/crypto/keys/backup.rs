//! Copies of the keys in one file, and back.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    KeyDirectory, KeyError,
    directory::{create, is_key_file, read},
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

    /// Writes the keys of a backup into a folder that has none of them.
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
        if let Some(taken) = backup.files.keys().map(|name| folder.join(name)).find(|p| p.exists())
        {
            return Err(KeyError::Exists(taken));
        }
        for (name, content) in &backup.files {
            create(&folder.join(name), content.as_bytes())?;
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
    fn a_backup_cannot_write_elsewhere() {
        let beside = beside();
        let file = beside.join("evil");
        create(&file, br#"{"version":1,"files":{"../evil":"x"}}"#).unwrap();
        let refused = KeyDirectory::restore(&file, &beside.join("target"));
        assert!(matches!(refused, Err(KeyError::Damaged(_))));
    }
}
