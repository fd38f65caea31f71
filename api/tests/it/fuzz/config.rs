//! Configuration files.

use std::fs;

use api::config::{self, Config};

#[test]
fn a_configuration_is_taken_or_refused() {
    let folder = std::env::temp_dir().join(format!("commonhold-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let whole = serde_json::to_string_pretty(&Config::default()).unwrap();
    let yaml = "http:\n  bind: 0.0.0.0:80\n  cors_origins:\n    - https://a.example\n\
                auth: { login_attempts: 5 }\nnats:\n  password: &x hunter2\n  token: *x\n";
    for document in testkit::mutations([whole.as_str(), yaml]) {
        fs::write(folder.join("fuzz.yaml"), &document).unwrap();
        let environment = String::from_utf8_lossy(&document).into_owned();
        drop(config::load(&folder, []));
        drop(config::load(
            &folder.join("none"),
            [("PLATFORM__HTTP__CORS_ORIGINS".to_owned(), environment)],
        ));
    }
    fs::remove_dir_all(&folder).unwrap();
}
