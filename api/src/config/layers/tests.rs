//! Precedence, and what stops the start.

use super::*;
use crate::scratch::Scratch;

fn folder(files: &[(&str, &str)]) -> Scratch {
    let folder = Scratch::path();
    fs::create_dir_all(&*folder).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    folder
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load(Path::new("/nonexistent"), env(pairs))
}

#[track_caller]
fn refused(result: Result<Loaded, ConfigError>, key: &str, layer: &str) {
    let faults = result.unwrap_err().0;
    let found = faults.iter().any(|fault| fault.key == key && fault.layer.ends_with(layer));
    assert!(found, "{key} from {layer} in {faults:?}");
}

#[test]
fn the_defaults_are_usable() {
    assert_eq!(with(&[]).unwrap().config.http.bind, "127.0.0.1:8080");
}

#[test]
fn later_layers_win_key_by_key() {
    let folder = folder(&[
        ("10.yaml", "http:\n  bind: 127.0.0.1:1\n  max_connections: 10\n"),
        ("20.yaml", "http:\n  max_connections: 20\n"),
    ]);
    let loaded = load(&folder, env(&[("PLATFORM__HTTP__TRUSTED_PROXIES", "2")])).unwrap();
    let http = &loaded.config.http;
    assert_eq!((http.bind.as_str(), http.max_connections), ("127.0.0.1:1", 20));
    assert_eq!(http.trusted_proxies, 2);
    let layer = |key: &str| {
        let setting = loaded.settings.iter().find(|setting| setting.key == key).unwrap();
        setting.layer.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(layer("http.bind"), "10.yaml");
    assert_eq!(layer("http.max_connections"), "20.yaml");
    assert_eq!(layer("http.trusted_proxies"), "PLATFORM__HTTP__TRUSTED_PROXIES");
    assert_eq!(layer("log.filter"), "default");
}

#[test]
fn relative_folders_lie_in_the_data_folder() {
    let pairs = [("PLATFORM__DATA_DIR", "/srv/data"), ("PLATFORM__MAIL__OUTBOX_DIR", "/var/mail")];
    let config = with(&pairs).unwrap().config;
    assert_eq!(config.database.data_dir, Path::new("/srv/data/postgres"));
    assert_eq!(config.keys.dir, Path::new("/srv/data/keys"));
    assert_eq!(config.mail.outbox_dir, Path::new("/var/mail"));

    let config = with(&[("HOME", "/home/ada")]).unwrap().config;
    assert_eq!(config.data_dir.unwrap().join("keys"), config.keys.dir);
    assert!(config.keys.dir.is_absolute());
}

#[test]
fn lists_are_separated_by_commas() {
    let origins = "https://a.example.org, https://b.example.org";
    let loaded = with(&[("PLATFORM__HTTP__CORS_ORIGINS", origins)]).unwrap();
    assert_eq!(loaded.config.http.cors_origins.len(), 2);
}

#[test]
fn unknown_keys_are_named_with_their_layer() {
    refused(with(&[("PLATFORM__HTTP__PROT", "1")]), "http.prot", "PLATFORM__HTTP__PROT");
    let folder = folder(&[("a.yaml", "http:\n  prot: 1\n")]);
    refused(load(&folder, env(&[])), "http.prot", "a.yaml");
}

#[test]
fn wrong_types_are_named_with_their_layer() {
    let variable = "PLATFORM__HTTP__MAX_CONNECTIONS";
    refused(with(&[(variable, "many")]), "http.max_connections", variable);
    let yes = folder(&[("a.yaml", "rate_limit:\n  enabled: yes\n")]);
    refused(load(&yes, env(&[])), "rate_limit.enabled", "a.yaml");
    let broken = folder(&[("a.yaml", "http: [\n")]);
    refused(load(&broken, env(&[])), "*", "a.yaml");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = folder(&[("url", "postgres://u:hunter2@h/db\n")]);
    let file = folder.join("url");
    let loaded = with(&[("PLATFORM__DATABASE__URL_FILE", file.to_str().unwrap())]).unwrap();
    let url = loaded.config.database.url.as_ref().unwrap();
    assert_eq!(url.expose(), "postgres://u:hunter2@h/db");
    let shown = format!("{:?} {}", loaded, serde_json::to_string(&loaded.settings).unwrap());
    assert!(!shown.contains("hunter2"));
    let both = [
        ("PLATFORM__DATABASE__URL_FILE", file.to_str().unwrap()),
        ("PLATFORM__DATABASE__URL", "postgres://x"),
    ];
    refused(with(&both), "database.url", "PLATFORM__DATABASE__URL_FILE");
    let other = [("PLATFORM__HTTP__BIND_FILE", file.to_str().unwrap())];
    refused(with(&other), "http.bind_file", "PLATFORM__HTTP__BIND_FILE");
}

#[test]
fn database_url_is_understood() {
    let loaded = with(&[("DATABASE_URL", "postgres://u@h/db")]).unwrap();
    assert_eq!(loaded.config.database.url.unwrap().expose(), "postgres://u@h/db");
}
