//! What each key means: the source of `docs/configuration.md`.

use std::fmt::Write;

use serde_json::Value;

use super::{Config, layers};

/// The documentation of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `section.key`.
    pub path: &'static str,
    /// What it means, with its unit.
    pub meaning: &'static str,
    /// Whether its value is never shown, and may come from a file.
    pub secret: bool,
}

const fn key(path: &'static str, meaning: &'static str) -> Key {
    Key { path, meaning, secret: false }
}

const fn secret(path: &'static str, meaning: &'static str) -> Key {
    Key { path, meaning, secret: true }
}

/// Every key there is.
pub const KEYS: &[Key] = &[
    key("environment", "`development` or `production`; production refuses unsafe values"),
    key("data_dir", "the folder of all that is stored, unless a key below names another"),
    key("http.bind", "address and port to listen on; port 0 takes a free one"),
    key(
        "http.public_url",
        "how the platform is reached from outside; links are built from it alone, never from request headers",
    ),
    key("http.body_limit_bytes", "largest body of a request"),
    key("http.header_limit_bytes", "largest request line with headers"),
    key("http.header_timeout_seconds", "longest wait for the headers of a request"),
    key(
        "http.body_timeout_seconds",
        "longest wait for the body of a request, and for a client that takes nothing of an answer",
    ),
    key(
        "http.request_timeout_seconds",
        "longest wait for an answer; what was begun is finished in the background",
    ),
    key("http.idle_timeout_seconds", "longest wait for the next request on an open connection"),
    key("http.drain_timeout_seconds", "longest wait for running requests when stopping"),
    key(
        "http.max_connections",
        "most connections at once; who comes then takes the place of whoever kept the server waiting longest",
    ),
    key("http.max_requests", "most requests being answered at once; others get `overloaded`"),
    key(
        "http.max_working_requests",
        "most of them being worked on at once; others wait for a moment, and get `overloaded` if more is asked than is done",
    ),
    key("http.cors_origins", "origins that browsers may call from; none by default"),
    key(
        "http.trusted_proxies",
        "how many proxies in front append to `X-Forwarded-For`; 0 ignores the header",
    ),
    secret(
        "database.url",
        "an existing PostgreSQL server; without it the platform runs its own. `DATABASE_URL` says the same",
    ),
    key(
        "database.max_connections",
        "most connections that read tables; as many again serve everything else, and a quarter operators' lists",
    ),
    key("database.data_dir", "where the platform's own server keeps its data"),
    key(
        "database.min_free_bytes",
        "how much must stay free there: below, commands get `storage-full` and queries go on; 0 writes until PostgreSQL itself refuses, as a server of your own does",
    ),
    key("log.format", "`text` for people, `json` for machines; `auto` is `json` in production"),
    key("log.filter", "which lines are written, such as `info` or `info,api=debug`"),
    key("mail.adapter", "`outbox` writes mails into a folder, `smtp` sends them"),
    key("mail.from", "the sender"),
    key(
        "mail.links_url",
        "where the pages of the front end stand that mails link to, with a path if need be; the public URL unless set",
    ),
    key("mail.outbox_dir", "the folder of the outbox"),
    secret(
        "mail.smtp_url",
        "`smtps://user:password@host:port`, or `smtp://…?tls=required` for STARTTLS",
    ),
    key("mail.send_timeout_seconds", "longest wait for the server to take a mail"),
    key("auth.access_ttl_seconds", "life of an access token, at most 900"),
    key("auth.refresh_ttl_seconds", "life of a session without refresh"),
    key(
        "auth.refresh_grace_seconds",
        "how long a spent refresh token still answers with its successor",
    ),
    key("auth.issuer", "`iss` of the tokens; the public URL unless set"),
    key("auth.audience", "`aud` of the tokens"),
    key("auth.password_memory_kib", "memory of one argon2id hash"),
    key("auth.password_iterations", "passes of one argon2id hash"),
    key("auth.password_parallelism", "lanes of one argon2id hash"),
    key(
        "auth.login_attempts",
        "failed sign-ins after which an account is refused to a network, and wrong codes after which it takes none from anywhere",
    ),
    key("auth.login_window_seconds", "for how long it is refused"),
    key(
        "auth.login_failures_per_minute",
        "failed sign-ins per network over all accounts before it is slowed, and as many wrong API keys",
    ),
    key("auth.sign_ups_per_hour", "sign-ups per network"),
    key(
        "auth.answer_floor_millis",
        "shortest time of an answer that must not tell whether somebody is known: a failed sign-in, a sign-up, a mail asked for",
    ),
    key(
        "keys.dir",
        "where the master key and the signing keys lie; back it up, without it personal data is lost",
    ),
    key("rate_limit.enabled", "whether requests are limited per network and account"),
    key(
        "rate_limit.per_address_per_minute",
        "requests per network: one IPv4 address or one IPv6 /64",
    ),
    key("rate_limit.per_account_per_minute", "requests per user or API key"),
    key("rate_limit.max_keys", "most networks and accounts remembered at once"),
    key(
        "nats.url",
        "`nats://host:port`, or `tls://…` with a certificate the system trusts; several separated by commas. Wakes the other processes on one database; without it they poll five times a second",
    ),
    key("nats.user", "the user to sign in as, together with `nats.password`"),
    secret("nats.password", "the password of `nats.user`"),
    secret("nats.token", "a token to sign in with"),
    key("nats.credentials_file", "a `.creds` file to sign in with, read at every connection"),
];

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("PLATFORM__{}", path.replace('.', "__").to_uppercase())
}

/// The text of `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Three layers, later ones win: the defaults below, the files `config/*.yaml` in order of\n\
         their names, and environment variables. A key `section.key` is the variable\n\
         `PLATFORM__SECTION__KEY`; lists are separated by commas. Secrets may also be read from a\n\
         file named by `PLATFORM__SECTION__KEY_FILE`. `DATABASE_URL` means `database.url`.\n\n\
         Relative paths lie in `data_dir`. Unless set, it is `/var/lib/commonhold` for root, else\n\
         `$XDG_DATA_HOME/commonhold`, else `~/.local/share/commonhold`.\n\n\
         An unknown key or an unsafe value stops the start and is named with its layer.\n\
         `platformctl config check` prints what is in effect and where it comes from.\n\n\
         This file is written by `platformctl docs generate`.\n\n\
         | Key | Default | Meaning |\n|---|---|---|\n",
    );
    let defaults = layers::leaves(&serde_json::to_value(Config::default()).unwrap_or_default());
    for Key { path, meaning, secret } in KEYS {
        let default = match defaults.get(*path) {
            None | Some(Value::Null) => "none".to_owned(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        let secret = if *secret { " (secret)" } else { "" };
        let _ = writeln!(text, "| `{path}`{secret} | {default} | {meaning} |");
    }
    text.push_str(
        "\nIn `production` the start is refused with the outbox adapter, a public URL that is not\n\
         `https`, a placeholder where a secret belongs, weak password hashing, or limits switched\n\
         off.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_of_the_struct_is_documented_and_no_other() {
        let defaults = serde_json::to_value(Config::default()).unwrap();
        let in_struct: BTreeSet<_> = layers::leaves(&defaults).into_keys().collect();
        let documented: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(in_struct, documented);
    }

    #[test]
    fn the_document_is_up_to_date() {
        let document = include_str!("../../../docs/configuration.md");
        assert_eq!(document, markdown(), "run `platformctl docs generate`");
    }
}
