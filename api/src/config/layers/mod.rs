//! Defaults, then files, then environment: merged key by key, remembering where each came from.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    Config, KEYS, Secret, check,
    document::{self, Key},
    place,
};

/// What is wrong with a key, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `section.key`, or the name as written where it is no key.
    pub key: String,
    /// The layer: `default`, a file, or a variable.
    pub layer: String,
    /// What is wrong.
    pub message: String,
}

/// Why the process does not start: everything that is wrong, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Fault>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not usable")?;
        for Fault { key, layer, message } in &self.0 {
            write!(f, "\n  {key} (from {layer}): {message}")?;
        }
        Ok(())
    }
}

/// One key as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// Its value; secrets are replaced.
    pub value: Value,
    /// The layer it came from.
    pub layer: String,
}

/// The configuration and where each key came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed configuration.
    pub config: Config,
    /// Every key, in the order of the documentation.
    pub settings: Vec<Setting>,
}

/// Reads the layers: defaults, `*.yaml` of a folder if there is one, and the environment.
///
/// # Errors
/// Unknown keys, unreadable files, wrong types and unsafe values, each with its layer.
pub fn load(
    folder: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut merge = Merge::defaults();
    merge.files(folder);
    merge.environment(environment);
    merge.finish()
}

/// Every leaf under its dotted path. A list is a leaf.
pub(super) fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(value, &path, into);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                into.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut into = BTreeMap::new();
    walk(value, "", &mut into);
    into
}

struct Merge {
    /// Value and layer of every key.
    keys: BTreeMap<String, (Value, String)>,
    faults: Vec<Fault>,
}

impl Merge {
    fn defaults() -> Self {
        let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
        let layered = |(key, value)| (key, (value, "default".to_owned()));
        Self { keys: leaves(&defaults).into_iter().map(layered).collect(), faults: Vec::new() }
    }

    fn fault(&mut self, key: impl Into<String>, layer: &str, message: impl Into<String>) {
        let (key, message) = (key.into(), message.into());
        self.faults.push(Fault { key, layer: layer.to_owned(), message });
    }

    fn set(&mut self, key: &str, layer: &str, value: Value) {
        match self.keys.get_mut(key) {
            Some(entry) => *entry = (value, layer.to_owned()),
            None => self.fault(key, layer, "unknown key"),
        }
    }

    fn files(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|ext| ext == "yaml"));
        files.sort();
        for path in files {
            let layer = path.display().to_string();
            let parsed = fs::read_to_string(&path)
                .map_err(|error| error.to_string())
                .and_then(|text| yaml(&text));
            match parsed {
                Ok(Value::Null) => {}
                Ok(value @ Value::Object(_)) => {
                    for (key, value) in leaves(&value) {
                        self.set(&key, &layer, value);
                    }
                }
                Ok(_) => self.fault("*", &layer, "must hold sections with keys"),
                Err(error) => self.fault("*", &layer, error),
            }
        }
    }

    fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        if let Some(url) = variables.get("DATABASE_URL") {
            self.set("database.url", "DATABASE_URL", Value::String(url.clone()));
        }
        for (name, text) in &variables {
            let Some(rest) = name.strip_prefix("PLATFORM__") else { continue };
            let path = rest.to_lowercase().replace("__", ".");
            if self.keys.contains_key(&path) {
                let value = self.typed(&path, text);
                self.set(&path, name, value);
                continue;
            }
            match path.strip_suffix("_file").filter(|path| is_secret(path)) {
                Some(key) if variables.contains_key(&document::variable(key)) => {
                    self.fault(key, name, "set directly and by a file: which one counts?");
                }
                Some(key) => match fs::read_to_string(text) {
                    Ok(secret) => self.set(key, name, Value::String(secret.trim_end().to_owned())),
                    Err(error) => self.fault(key, name, format!("cannot read the file: {error}")),
                },
                None => self.fault(path, name, "unknown key"),
            }
        }
        self.folders(&variables);
    }

    /// Settles where relative folders lie.
    fn folders(&mut self, variables: &BTreeMap<String, String>) {
        let base = match self.keys.get("data_dir") {
            Some((Value::String(path), _)) => PathBuf::from(path),
            Some(_) | None => place::data_dir(cluster::runs_as_root(), variables),
        };
        for key in place::WITHIN {
            if let Some((Value::String(path), _)) = self.keys.get_mut(key) {
                *path = base.join(&*path).display().to_string();
            }
        }
        if let Some((value @ Value::Null, _)) = self.keys.get_mut("data_dir") {
            *value = base.display().to_string().into();
        }
    }

    /// A variable is text; the default says what it stands for.
    fn typed(&self, path: &str, text: &str) -> Value {
        match self.keys.get(path).map(|(value, _)| value) {
            Some(Value::Number(_)) => text.parse().map_or_else(|_| text.into(), Value::Number),
            Some(Value::Bool(_)) => text.parse().map_or_else(|_| text.into(), Value::Bool),
            Some(Value::Array(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(Value::from).collect())
            }
            _ => Value::from(text),
        }
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let mut tree = Value::Object(Map::new());
        for (key, (value, _)) in &self.keys {
            insert(&mut tree, key, value.clone());
        }
        match serde_path_to_error::deserialize::<_, Config>(tree) {
            Ok(config) => {
                for (key, message) in check::unsafe_values(&config) {
                    let layer = self.layer(key);
                    self.fault(key, &layer, message);
                }
                if self.faults.is_empty() {
                    return Ok(Loaded { config, settings: self.settings() });
                }
            }
            Err(error) => {
                let key = error.path().to_string();
                let layer = self.layer(&key);
                // The message may quote the value, which a secret must not suffer.
                let message = if is_secret(&key) {
                    "not of the right type".to_owned()
                } else {
                    error.into_inner().to_string()
                };
                self.fault(key, &layer, message);
            }
        }
        Err(ConfigError(self.faults))
    }

    fn layer(&self, key: &str) -> String {
        self.keys.get(key).map_or_else(|| "default".to_owned(), |(_, layer)| layer.clone())
    }

    fn settings(&self) -> Vec<Setting> {
        let setting = |key: &Key| {
            let (value, layer) = self.keys.get(key.path)?;
            let hidden = key.secret && !value.is_null();
            let value = if hidden { Value::from(Secret::REDACTED) } else { value.clone() };
            Some(Setting { key: key.path.to_owned(), value, layer: layer.clone() })
        };
        KEYS.iter().filter_map(setting).collect()
    }
}

fn is_secret(path: &str) -> bool {
    KEYS.iter().any(|key| key.secret && key.path == path)
}

fn insert(tree: &mut Value, path: &str, value: Value) {
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let Value::Object(map) = tree else { return };
    match rest {
        None => drop(map.insert(head.to_owned(), value)),
        Some(rest) => {
            let section = map.entry(head).or_insert_with(|| Value::Object(Map::new()));
            insert(section, rest, value);
        }
    }
}

/// The only place that knows the YAML library. Only `true` and `false` are booleans.
pub(crate) fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
