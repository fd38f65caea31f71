//! The server's settings: our own file, included last by PostgreSQL's.
//!
//! It is written anew at each start, so what an operator wants to keep belongs in the options or
//! in `postgresql.conf`.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use crate::{
    Settings,
    account::Account,
    error::{ClusterError, Doing},
    folder::Folder,
    socket::{self, SocketFolder},
};

/// The file's name within the data directory.
const FILE: &str = "commonhold.conf";

/// What a platform on one machine needs, unless the options say otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("shared_buffers", "128MB"),
    ("max_connections", "100"),
    ("log_line_prefix", "%m [%p] %u@%d "),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
];

/// What a commit must not wait for when nothing needs to survive.
const VOLATILE: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
];

/// Writes the file for the next start.
pub(crate) fn write(
    settings: &Settings,
    folder: &Folder,
    socket: &SocketFolder,
    account: &Account,
) -> Result<(), ClusterError> {
    let text = render(settings, socket.path())?;
    let path = folder.data().join(FILE);
    replace(&path, &text)
        .and_then(|()| account.own(&path))
        .doing(|| format!("cannot write {}", path.display()))
}

/// Makes a new cluster read the file.
pub(crate) fn include(data: &Path) -> Result<(), ClusterError> {
    let path = data.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| {
            writeln!(file, "\ninclude_if_exists = '{FILE}'")?;
            file.sync_all()
        })
        .doing(|| format!("cannot write {}", path.display()))
}

/// Puts a new file in place of the old one. Created afresh, because the folder belongs to a user
/// with fewer rights than ours, who could have put a link there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// PostgreSQL takes the last of several values, so what must hold comes last.
fn render(settings: &Settings, socket: &Path) -> Result<String, ClusterError> {
    let mut text = String::from("# Written at each start; changes made here are lost.\n");
    let socket = socket.display().to_string();
    let port = socket::PORT.to_string();
    let fixed = [
        ("listen_addresses", ""),
        ("unix_socket_directories", &socket),
        ("unix_socket_permissions", "0700"),
        ("port", &port),
        ("fsync", "on"),
        ("full_page_writes", "on"),
    ];
    let options = settings.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let volatile = if settings.durable { &[] } else { VOLATILE };
    let all = DEFAULTS.iter().copied().chain(options).chain(fixed).chain(volatile.iter().copied());
    for (name, value) in all {
        line(&mut text, name, value)?;
    }
    Ok(text)
}

fn line(text: &mut String, name: &str, value: &str) -> Result<(), ClusterError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) || value.contains(char::is_control) {
        return Err(ClusterError::BadOption(name.to_owned()));
    }
    let value = value.replace('\\', "\\\\").replace('\'', "''");
    writeln!(text, "{name} = '{value}'").map_err(|_| ClusterError::BadOption(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(durable: bool, options: &[(&str, &str)]) -> Result<String, ClusterError> {
        let options = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let settings = Settings { durable, options, ..Settings::new("/data") };
        render(&settings, Path::new("/tmp/commonhold-1"))
    }

    fn last<'a>(text: &'a str, name: &str) -> &'a str {
        text.lines().rfind(|line| line.starts_with(&format!("{name} = "))).unwrap()
    }

    #[test]
    fn options_win_over_defaults_but_not_over_what_keeps_data_safe() {
        let text = rendered(true, &[("shared_buffers", "1GB"), ("fsync", "off")]).unwrap();
        assert_eq!(last(&text, "shared_buffers"), "shared_buffers = '1GB'");
        assert_eq!(last(&text, "fsync"), "fsync = 'on'");
        assert_eq!(last(&text, "listen_addresses"), "listen_addresses = ''");
    }

    #[test]
    fn fsync_is_off_only_when_asked_for() {
        assert_eq!(last(&rendered(false, &[]).unwrap(), "fsync"), "fsync = 'off'");
    }

    #[test]
    fn values_are_quoted_and_lines_cannot_be_smuggled_in() {
        let text = rendered(true, &[("application_name", r"it's a \ test")]).unwrap();
        assert_eq!(last(&text, "application_name"), r"application_name = 'it''s a \\ test'");
        assert!(rendered(true, &[("work_mem", "1MB'\nfsync = off")]).is_err());
        assert!(rendered(true, &[("work_mem = 1 #", "x")]).is_err());
    }
}
