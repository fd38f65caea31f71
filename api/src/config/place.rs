//! Where the platform keeps things unless told otherwise.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The keys whose relative values lie in `data_dir`.
pub(super) const WITHIN: [&str; 4] =
    ["database.data_dir", "keys.dir", "mail.outbox_dir", "nats.credentials_file"];

/// A folder that does not depend on where the platform is started from. Root has another than
/// everybody else, because the private database runs as another user, who cannot enter a home.
pub(super) fn data_dir(is_root: bool, variables: &BTreeMap<String, String>) -> PathBuf {
    if is_root {
        return "/var/lib/commonhold".into();
    }
    // The XDG base directory specification has relative paths ignored.
    let absolute = |name: &str| {
        variables.get(name).map(Path::new).filter(|path| path.is_absolute()).map(Path::to_owned)
    };
    let home = || absolute("HOME").map(|home| home.join(".local/share"));
    absolute("XDG_DATA_HOME")
        .or_else(home)
        .map_or_else(|| "data".into(), |at| at.join("commonhold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(is_root: bool, variables: &[(&str, &str)]) -> String {
        let owned = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        data_dir(is_root, &owned.collect()).display().to_string()
    }

    #[test]
    fn everybody_has_a_folder_of_their_own() {
        let home = ("HOME", "/home/ada");
        assert_eq!(at(true, &[("HOME", "/root")]), "/var/lib/commonhold");
        assert_eq!(at(false, &[home]), "/home/ada/.local/share/commonhold");
        assert_eq!(at(false, &[home, ("XDG_DATA_HOME", "/data")]), "/data/commonhold");
        assert_eq!(
            at(false, &[home, ("XDG_DATA_HOME", "data")]),
            "/home/ada/.local/share/commonhold"
        );
        assert_eq!(at(false, &[]), "data");
    }
}
