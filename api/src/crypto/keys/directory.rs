//! The files: `master.key` and one `signing-<kid>.json` a key, readable by their owner alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{MasterKey, SigningKey, SigningKeys, thumbprint};
use crate::{clock::mint, crypto::random};

pub(super) const MASTER: &str = "master.key";
/// The longest life of an access token, and the leeway of clocks: after that nothing that a
/// retired key signed can still be valid.
const KEEP_RETIRED_SECONDS: u64 = 960;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could read it.
    #[error("{0} can be read by others; run `chmod 600` on it, and rotate if it may have leaked")]
    Exposed(PathBuf),
    /// It is not what it should be.
    #[error("{0} is damaged; restore it from a backup")]
    Damaged(PathBuf),
    /// It would be overwritten.
    #[error("{0} exists already and is never overwritten")]
    Exists(PathBuf),
    /// The folder holds no master key.
    #[error(
        "there is no master key in {0}: name the folder of the keys in PLATFORM__KEYS__DIR \
         (keys.dir), or bring them back with `platformctl keys restore BACKUP`; only the first \
         start of a platform makes new ones"
    )]
    Missing(PathBuf),
}

/// What can be told of a signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// The key id.
    pub kid: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it stopped signing; absent for the active key.
    pub retired_at: Option<u64>,
}

/// A signing key as its file holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    created_at: u64,
    retired_at: Option<u64>,
    pkcs8: String,
}

/// Makes a folder for keys, if there is none. Only the folder itself is private: others live beside
/// it, such as the database's user.
pub(super) fn make(folder: &Path) -> Result<(), KeyError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).map_err(at(folder))
}

/// The folder of the keys.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    folder: PathBuf,
}

impl KeyDirectory {
    /// Opens the folder; on the first start makes it, the master key and a signing key. The
    /// second value tells whether this was the first start.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path, now_seconds: u64) -> Result<(Self, bool), KeyError> {
        make(folder)?;
        let directory = Self { folder: folder.to_owned() };
        let master = directory.path(MASTER);
        let first = !master.exists();
        if first {
            let text = Zeroizing::new(STANDARD.encode(random::<32>()));
            // Two processes may start at once: the second finds the first one's key, and uses it.
            match create(&master, text.as_bytes()) {
                Ok(()) | Err(KeyError::Exists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if directory.stored()?.is_empty() {
            directory.add(now_seconds)?;
        }
        Ok((directory, first))
    }

    /// Opens the folder of keys that were made before. Makes nothing: keys that nobody knows of look
    /// like those that are sought, and open nothing.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if no master key is there.
    pub fn existing(folder: &Path) -> Result<Self, KeyError> {
        let directory = Self { folder: folder.to_owned() };
        let master = directory.path(MASTER);
        match fs::metadata(&master) {
            Ok(_) => Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Missing(folder.to_owned()))
            }
            Err(error) => Err(at(&master)(error)),
        }
    }

    /// Where the keys lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The master key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn master(&self) -> Result<MasterKey, KeyError> {
        let path = self.path(MASTER);
        let text = Zeroizing::new(read(&path)?);
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new);
        let bytes = bytes.ok().and_then(|bytes| bytes.as_slice().try_into().ok());
        bytes.map(MasterKey::from_bytes).ok_or(KeyError::Damaged(path))
    }

    /// The signing keys. The newest that is not retired signs.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn signing(&self) -> Result<SigningKeys, KeyError> {
        let keys = self.stored()?;
        let signs = keys.iter().filter(|key| key.retired_at.is_none());
        let active = signs.max_by_key(|key| (key.created_at, key.kid.clone())).cloned();
        let active = active.ok_or_else(|| KeyError::Damaged(self.folder.clone()))?;
        Ok(SigningKeys::new(active, keys))
    }

    /// What can be told of the signing keys, newest first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let mut keys: Vec<_> = self.stored()?.iter().map(info).collect();
        keys.sort_by(|a, b| b.created_at.cmp(&a.created_at).then(a.kid.cmp(&b.kid)));
        Ok(keys)
    }

    /// Makes a new signing key active. The others verify until nothing they signed can still be
    /// valid, and are removed by a later rotation.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn rotate(&self, now_seconds: u64) -> Result<KeyInfo, KeyError> {
        let before = self.stored()?;
        let new = self.add(now_seconds)?;
        for key in before {
            let path = self.path(&file_name(&key.kid));
            match key.retired_at {
                Some(since) if since.saturating_add(KEEP_RETIRED_SECONDS) < now_seconds => {
                    fs::remove_file(&path).map_err(at(&path))?;
                }
                Some(_) => {}
                None => {
                    let retired = SigningKey { retired_at: Some(now_seconds), ..key };
                    replace(&path, to_json(&retired).as_bytes())?;
                }
            }
        }
        Ok(info(&new))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The names of all key files.
    pub(super) fn files(&self) -> Result<Vec<String>, KeyError> {
        names(&self.folder)
    }

    fn stored(&self) -> Result<Vec<SigningKey>, KeyError> {
        let files = self.files()?;
        files.iter().filter(|name| *name != MASTER).map(|name| self.read_key(name)).collect()
    }

    fn read_key(&self, name: &str) -> Result<SigningKey, KeyError> {
        let path = self.path(name);
        let text = Zeroizing::new(read(&path)?);
        from_json(&text).filter(|key| file_name(&key.kid) == name).ok_or(KeyError::Damaged(path))
    }

    fn add(&self, now_seconds: u64) -> Result<SigningKey, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let document = document.map_err(|_| KeyError::Damaged(self.folder.clone()))?;
        let key = signing_key(document.as_ref().to_vec(), now_seconds, None);
        let key = key.ok_or_else(|| KeyError::Damaged(self.folder.clone()))?;
        create(&self.path(&file_name(&key.kid)), to_json(&key).as_bytes())?;
        Ok(key)
    }
}

/// The key files of a folder, in order.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, KeyError> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| is_key_file(name)).collect();
    names.sort();
    Ok(names)
}

/// Whether a name is one the directory gives to its files.
pub(super) fn is_key_file(name: &str) -> bool {
    let kid = name.strip_prefix("signing-").and_then(|rest| rest.strip_suffix(".json"));
    let sane = |kid: &str| kid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    name == MASTER || kid.is_some_and(sane)
}

fn file_name(kid: &str) -> String {
    format!("signing-{kid}.json")
}

fn info(key: &SigningKey) -> KeyInfo {
    KeyInfo { kid: key.kid.clone(), created_at: key.created_at, retired_at: key.retired_at }
}

fn signing_key(pkcs8: Vec<u8>, created_at: u64, retired_at: Option<u64>) -> Option<SigningKey> {
    let pkcs8 = Zeroizing::new(pkcs8);
    let public = Ed25519KeyPair::from_pkcs8(&pkcs8).ok()?.public_key().as_ref().to_vec();
    Some(SigningKey { kid: thumbprint(&public), created_at, retired_at, pkcs8, public })
}

fn to_json(key: &SigningKey) -> Zeroizing<String> {
    let SigningKey { created_at, retired_at, pkcs8, .. } = key;
    let stored = Stored {
        created_at: *created_at,
        retired_at: *retired_at,
        pkcs8: STANDARD.encode(pkcs8.as_slice()),
    };
    Zeroizing::new(serde_json::to_string(&stored).unwrap_or_default())
}

fn from_json(text: &str) -> Option<SigningKey> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    signing_key(STANDARD.decode(stored.pkcs8).ok()?, stored.created_at, stored.retired_at)
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            KeyError::Exists(path)
        } else {
            KeyError::Io { path, source }
        }
    }
}

pub(super) fn read(path: &Path) -> Result<String, KeyError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    fs::read_to_string(path).map_err(at(path))
}

/// Writes a file that must not exist. It appears whole or not at all.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let draft = draft(path, content)?;
    let linked = fs::hard_link(&draft, path).map_err(at(path));
    fs::remove_file(&draft).map_err(at(&draft))?;
    linked?;
    sync_folder(path)
}

/// Replaces a file. Its old content stays until the new one is safe.
fn replace(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let draft = draft(path, content)?;
    fs::rename(&draft, path).map_err(at(path))?;
    sync_folder(path)
}

fn draft(path: &Path, content: &[u8]) -> Result<PathBuf, KeyError> {
    let draft = path.with_extension(format!("{}.new", mint().simple()));
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&draft).map_err(at(&draft))?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).map_err(at(&draft));
    if written.is_err() {
        // A part of a secret is of no use to anybody but a thief.
        drop(fs::remove_file(&draft));
    }
    written.map(|()| draft)
}

fn sync_folder(path: &Path) -> Result<(), KeyError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

#[cfg(test)]
pub(in crate::crypto) mod tests {
    use super::*;
    use crate::scratch::Scratch;

    pub(in crate::crypto) fn fresh() -> (KeyDirectory, Scratch) {
        let folder = Scratch::path();
        (KeyDirectory::open(&folder, 1).unwrap().0, folder)
    }

    #[test]
    fn the_first_start_makes_keys_and_the_second_finds_them() {
        let (directory, folder) = fresh();
        let (again, first) = KeyDirectory::open(&folder, 2).unwrap();
        assert!(!first);
        assert_eq!(again.master().unwrap().expose(), directory.master().unwrap().expose());
        assert_eq!(again.list().unwrap(), directory.list().unwrap());
    }

    #[test]
    fn keys_that_should_be_there_are_not_made() {
        let folder = Scratch::path();
        let opened = KeyDirectory::existing(&folder);
        assert!(matches!(opened, Err(KeyError::Missing(named)) if named == *folder));
        assert!(!folder.exists());
        let (directory, folder) = fresh();
        for key in directory.list().unwrap() {
            fs::remove_file(folder.join(file_name(&key.kid))).unwrap();
        }
        let opened = KeyDirectory::existing(&folder).unwrap();
        assert_eq!(opened.master().unwrap().expose(), directory.master().unwrap().expose());
        assert_eq!(opened.list().unwrap(), []);
    }

    #[test]
    fn the_folder_is_private_and_what_it_lies_in_is_not() {
        let parent = Scratch::path();
        let folder = parent.join("installation").join("keys");
        KeyDirectory::open(&folder, 0).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_ne!(mode(folder.parent().unwrap()) & 0o011, 0, "nobody else could pass");
    }

    #[test]
    fn files_belong_to_their_owner_alone() {
        let (directory, folder) = fresh();
        for name in directory.files().unwrap() {
            let mode = fs::metadata(folder.join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        fs::set_permissions(folder.join(MASTER), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(directory.master(), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn a_damaged_key_stops_the_start() {
        let (directory, folder) = fresh();
        fs::write(folder.join(MASTER), "short").unwrap();
        assert!(matches!(directory.master(), Err(KeyError::Damaged(_))));
    }

    #[test]
    fn a_retired_key_verifies_until_its_tokens_are_gone() {
        let (directory, _folder) = fresh();
        let first = directory.signing().unwrap().active().kid.clone();
        let second = directory.rotate(1_000).unwrap();
        let keys = directory.signing().unwrap();
        assert_eq!(keys.active().kid, second.kid);
        assert_eq!(keys.find(&first).unwrap().retired_at, Some(1_000));
        directory.rotate(1_900).unwrap();
        assert!(directory.signing().unwrap().find(&first).is_some());
        directory.rotate(1_961).unwrap();
        assert!(directory.signing().unwrap().find(&first).is_none());
        assert_eq!(directory.list().unwrap().len(), 3);
    }
}
