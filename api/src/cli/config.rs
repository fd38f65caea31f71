//! `platformctl config`.

use clap::Subcommand;

use serde_json::json;

use super::{Common, Exit, Failure, Output, output::table};
use crate::database::Database;

/// Looks at the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Print every setting in effect and the layer it comes from; secrets are redacted
    Check,
    /// Print the URL of the database, its password included, for psql and its like; of a private
    /// server while it runs
    DatabaseUrl,
}

impl Config {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let loaded = common.load()?;
        if matches!(self, Self::DatabaseUrl) {
            return database_url(&loaded.config, output);
        }
        output.data(&loaded.settings, || {
            let rows: Vec<_> = loaded
                .settings
                .iter()
                .map(|setting| {
                    let value = match &setting.value {
                        serde_json::Value::Null => "-".to_owned(),
                        serde_json::Value::String(text) => text.clone(),
                        value @ (serde_json::Value::Bool(_)
                        | serde_json::Value::Number(_)
                        | serde_json::Value::Array(_)
                        | serde_json::Value::Object(_)) => value.to_string(),
                    };
                    [setting.key.clone(), value, setting.layer.clone()]
                })
                .collect();
            table(["KEY", "VALUE", "FROM"], &rows)
        })
    }
}

fn database_url(config: &crate::config::Config, output: &Output) -> Result<(), Failure> {
    let url = Database::running_url(config)?.ok_or_else(|| {
        let words = "the private server does not run: start it with `platformctl serve`";
        Failure::new(Exit::NotFound, words)
    })?;
    output.data(&json!({ "url": url }), || url)
}
