//! What lies around the database: configuration, keys, folders, mail, the address.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use cluster::{Cluster, Settings};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use url::Url;

use super::Check;
use crate::{
    bell,
    config::{Config, Environment, Mail, MailAdapter, Nats},
    crypto::keys::{KeyDirectory, KeyError},
    disk::{existing, free_bytes},
};

/// A rebuild needs the tables twice.
const COMFORTABLE: u64 = 2_048 << 20;

/// How long a mail server may take to pick up.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    vec![
        configuration(config),
        binaries(config).await,
        private("data folder", &config.database.data_dir.join("pgdata"), "chmod 700"),
        private("key folder", &config.keys.dir, "chmod 700"),
        keys(&config.keys.dir),
        disk(config),
        mail(&config.mail).await,
        bell(&config.nats).await,
        address(&config.http.bind).await,
    ]
}

fn configuration(config: &Config) -> Check {
    let name = "configuration";
    let mut odd = Vec::new();
    let local = ["127.0.0.1", "[::1]"].iter().any(|host| config.http.bind.starts_with(host));
    if !local && !config.http.public_url.starts_with("https://") {
        odd.push("http.public_url is not https although other machines can reach http.bind");
    }
    if !config.rate_limit.enabled {
        odd.push("rate_limit.enabled is false");
    }
    if config.environment == Environment::Development && !local {
        odd.push("environment is development although other machines can reach http.bind");
    }
    if odd.is_empty() {
        return Check::ok(name, format!("usable; environment {}", config.environment));
    }
    Check::warning(name, odd.join("; "), "`platformctl config check` shows where values come from")
}

/// The programs of the private server; a server of somebody else's needs none.
async fn binaries(config: &Config) -> Check {
    let name = "postgresql";
    if config.database.url.is_some() {
        return Check::ok(name, "a server of your own (database.url)");
    }
    let settings = Settings::new(&config.database.data_dir);
    match tokio::task::spawn_blocking(move || Cluster::programs(&settings)).await {
        Ok(Ok((folder, version))) => {
            Check::ok(name, format!("version {version} in {}", folder.display()))
        }
        Ok(Err(error)) => Check::failed(name, error.to_string(), "as said"),
        Err(error) => Check::failed(name, error.to_string(), "try again"),
    }
}

/// A folder that nobody else may enter.
fn private(name: &'static str, folder: &Path, command: &str) -> Check {
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => {
            Check::ok(name, format!("{shown} is closed to others"))
        }
        Ok(_) => {
            Check::failed(name, format!("{shown} is open to others"), format!("{command} {shown}"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::ok(name, format!("{shown} is not there yet"))
        }
        Err(error) => Check::failed(name, format!("{shown}: {error}"), "let this user read it"),
    }
}

/// That the keys can be read by us and by nobody else.
fn keys(folder: &Path) -> Check {
    let name = "keys";
    if !folder.exists() {
        return Check::ok(name, "none yet; the first start makes them");
    }
    let restore = "bring them back with `platformctl keys restore BACKUP`";
    if !folder.join("master.key").exists() {
        return Check::failed(name, "master.key is missing: personal data cannot be read", restore);
    }
    match readable(folder) {
        Ok(detail) => Check::ok(name, detail),
        Err(error) => Check::failed(name, error.to_string(), restore),
    }
}

fn readable(folder: &Path) -> Result<String, KeyError> {
    let keys = KeyDirectory::existing(folder)?;
    keys.master()?;
    let count = keys.list()?.len();
    if count == 0 {
        return Ok("master key; the next start makes a signing key".to_owned());
    }
    let active = keys.signing()?.active().kid.clone();
    Ok(format!("master key, and {count} signing keys; {active} signs"))
}

fn disk(config: &Config) -> Check {
    let name = "disk";
    let folder = existing(&config.database.data_dir);
    let Some(free) = free_bytes(folder) else {
        return Check::warning(name, "the system does not tell how much is free", "look yourself");
    };
    let floor = config.database.min_free_bytes;
    let detail = format!("{} MiB free at {}", free >> 20, folder.display());
    if free < floor {
        let needed = format!("{detail}, {} MiB needed (database.min_free_bytes)", floor >> 20);
        return Check::failed(name, needed, "make room: nothing is written until there is");
    }
    if free < COMFORTABLE.max(floor) {
        return Check::warning(name, detail, "make room: a rebuild needs the tables twice");
    }
    Check::ok(name, detail)
}

async fn mail(mail: &Mail) -> Check {
    let name = "mail";
    match mail.adapter {
        MailAdapter::Outbox => outbox(name, &mail.outbox_dir),
        MailAdapter::Smtp => {
            let url = mail.smtp_url.as_ref().and_then(|url| Url::parse(url.expose()).ok());
            let host = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), port(url))));
            let Some((host, port)) = host else {
                return Check::failed(name, "mail.smtp_url is no URL", "correct it");
            };
            match timeout(PATIENCE, TcpStream::connect((host.as_str(), port))).await {
                Ok(Ok(_)) => Check::ok(name, format!("{host}:{port} picks up")),
                Ok(Err(error)) => unreachable_mail(name, &host, port, &error.to_string()),
                Err(_) => unreachable_mail(name, &host, port, "no answer"),
            }
        }
    }
}

fn unreachable_mail(name: &'static str, host: &str, port: u16, why: &str) -> Check {
    let detail = format!("{host}:{port}: {why}; mails wait until it answers");
    Check::failed(name, detail, "correct mail.smtp_url, or let this machine reach the server")
}

/// The ports that the mailer falls back to.
fn port(url: &Url) -> u16 {
    let of_scheme = if url.scheme() == "smtps" { 465 } else { 25 };
    url.port().unwrap_or(of_scheme)
}

fn outbox(name: &'static str, folder: &Path) -> Check {
    let place = existing(folder);
    let mine = fs::metadata(place).is_ok_and(|found| !found.permissions().readonly());
    let shown = folder.display();
    if mine {
        Check::ok(name, format!("outbox: mails stay in {shown}"))
    } else {
        Check::failed(name, format!("{shown} cannot be written"), "let this user write there")
    }
}

/// The bell is a convenience: nothing is wrong without it.
async fn bell(nats: &Nats) -> Check {
    let name = "bell";
    let Some(url) = &nats.url else {
        let detail = "none (nats.url); processes find each other's events by polling";
        return Check::ok(name, detail);
    };
    match bell::try_out(nats).await {
        Ok(()) => Check::ok(name, format!("a message went round through {url}")),
        Err(error) => Check::warning(
            name,
            format!("{url}: {error}; processes find each other's events by polling"),
            "start the NATS server, or correct nats.url and how to sign in",
        ),
    }
}

async fn address(bind: &str) -> Check {
    let name = "address";
    match TcpListener::bind(bind).await {
        Ok(_) => Check::ok(name, format!("{bind} is free: no platform serves here")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match serves(bind).await {
            true => Check::ok(name, format!("a platform serves on {bind}")),
            false => Check::failed(
                name,
                format!("{bind} is in use, and no platform answers there"),
                "end what listens there, or name another address in PLATFORM__HTTP__BIND \
                 (http.bind)",
            ),
        },
        Err(error) => Check::failed(name, format!("{bind}: {error}"), "change http.bind"),
    }
}

/// Whether a platform answers at an address.
async fn serves(bind: &str) -> bool {
    let Ok(client) = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build() else {
        return false;
    };
    let Ok(answer) = client.get(format!("http://{bind}/healthz")).send().await else {
        return false;
    };
    let report = answer.json::<serde_json::Value>().await.unwrap_or_default();
    report.get("status").is_some_and(|status| status == "ok")
}
