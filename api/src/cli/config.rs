//! `platformctl config check`.

use clap::Subcommand;

use super::{Common, Failure, Output, output::table};

/// Looks at the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Print every setting in effect and the layer it comes from; secrets are redacted
    Check,
}

impl Config {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let Self::Check = self;
        let loaded = common.load()?;
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
