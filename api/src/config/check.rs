//! Which values are refused although they have the right type.

use std::net::SocketAddr;

use url::Url;

use super::{Config, Database, Environment, MailAdapter, Nats, Secret};

/// Below this, argon2id does not reach the least that ASVS 5 accepts (46 MiB in one pass).
const PASSWORD_MIN_KIB_PASSES: u64 = 47_104;

/// Every unsafe value, as key and reason.
pub(super) fn unsafe_values(config: &Config) -> Vec<(&'static str, String)> {
    let mut faults = Faults(Vec::new());
    faults.http(config);
    faults.others(config);
    faults.database(&config.database);
    faults.nats(&config.nats);
    if config.environment == Environment::Production {
        faults.production(config);
    }
    faults.0
}

struct Faults(Vec<(&'static str, String)>);

impl Faults {
    fn refuse_if(&mut self, unsafe_value: bool, key: &'static str, why: &str) {
        if unsafe_value {
            self.0.push((key, why.to_owned()));
        }
    }

    fn http(&mut self, config: &Config) {
        let http = &config.http;
        let parsed = http.bind.parse::<SocketAddr>();
        self.refuse_if(parsed.is_err(), "http.bind", "must be an address and a port");
        self.refuse_if(
            !is_origin(&http.public_url),
            "http.public_url",
            "must be http(s)://host[:port] without a path, query or trailing slash",
        );
        let origins_ok = http.cors_origins.iter().all(|origin| is_origin(origin));
        self.refuse_if(
            !origins_ok,
            "http.cors_origins",
            "each must be https://host[:port]; `*` is refused",
        );
        let body_ok = (1_024..=67_108_864).contains(&http.body_limit_bytes);
        self.refuse_if(!body_ok, "http.body_limit_bytes", "must be 1 KiB to 64 MiB");
        let headers_ok = (8_192..=65_536).contains(&http.header_limit_bytes);
        self.refuse_if(!headers_ok, "http.header_limit_bytes", "must be 8 KiB to 64 KiB");
        for (key, seconds) in [
            ("http.header_timeout_seconds", http.header_timeout_seconds),
            ("http.body_timeout_seconds", http.body_timeout_seconds),
            ("http.request_timeout_seconds", http.request_timeout_seconds),
            ("http.idle_timeout_seconds", http.idle_timeout_seconds),
            ("http.drain_timeout_seconds", http.drain_timeout_seconds),
        ] {
            self.refuse_if(!(1..=600).contains(&seconds), key, "must be 1 to 600 seconds");
        }
        self.refuse_if(http.max_connections == 0, "http.max_connections", "must be at least 1");
        self.refuse_if(http.max_requests == 0, "http.max_requests", "must be at least 1");
        let working_ok = http.max_working_requests > 0;
        self.refuse_if(!working_ok, "http.max_working_requests", "must be at least 1");
        self.refuse_if(http.trusted_proxies > 10, "http.trusted_proxies", "must be at most 10");
    }

    fn others(&mut self, config: &Config) {
        let (auth, mail) = (&config.auth, &config.mail);
        let connections_ok = (2..=1_000).contains(&config.database.max_connections);
        self.refuse_if(!connections_ok, "database.max_connections", "must be 2 to 1000");
        let smtp_missing = mail.adapter == MailAdapter::Smtp && mail.smtp_url.is_none();
        self.refuse_if(smtp_missing, "mail.smtp_url", "the smtp adapter needs it");
        let from_ok = mail.from.parse::<lettre::message::Mailbox>().is_ok();
        self.refuse_if(!from_ok, "mail.from", "must be an address, or `Name <address>`");
        let links_ok = mail.links_url.as_deref().is_none_or(is_place);
        self.refuse_if(
            !links_ok,
            "mail.links_url",
            "must be http(s)://host[:port][/path] without a query or trailing slash",
        );
        let send_ok = (1..=120).contains(&mail.send_timeout_seconds);
        self.refuse_if(!send_ok, "mail.send_timeout_seconds", "must be 1 to 120 seconds");
        let access_ok = (1..=900).contains(&auth.access_ttl_seconds);
        self.refuse_if(!access_ok, "auth.access_ttl_seconds", "must be 1 to 900");
        let refresh_ok = (auth.access_ttl_seconds..=2_592_000).contains(&auth.refresh_ttl_seconds);
        self.refuse_if(
            !refresh_ok,
            "auth.refresh_ttl_seconds",
            "must be access_ttl_seconds to 30 days",
        );
        self.refuse_if(
            auth.refresh_grace_seconds > 60,
            "auth.refresh_grace_seconds",
            "must be at most 60",
        );
        self.refuse_if(auth.audience.is_empty(), "auth.audience", "must not be empty");
        self.refuse_if(auth.login_attempts == 0, "auth.login_attempts", "must be at least 1");
        let hashing_ok = argon2::Params::new(
            auth.password_memory_kib,
            auth.password_iterations,
            auth.password_parallelism,
            None,
        );
        self.refuse_if(
            hashing_ok.is_err() || auth.password_memory_kib > 1_048_576,
            "auth.password_memory_kib",
            "argon2id does not work with these costs",
        );
        let zero = |n: u32| n == 0;
        self.refuse_if(
            zero(auth.sign_ups_per_hour),
            "auth.sign_ups_per_hour",
            "must be at least 1",
        );
        self.refuse_if(
            zero(auth.login_failures_per_minute),
            "auth.login_failures_per_minute",
            "must be at least 1",
        );
        let floor_ok = auth.answer_floor_millis <= 2_000;
        self.refuse_if(!floor_ok, "auth.answer_floor_millis", "must be at most 2000");
        let limits = &config.rate_limit;
        for (key, rate) in [
            ("rate_limit.per_address_per_minute", limits.per_address_per_minute),
            ("rate_limit.per_account_per_minute", limits.per_account_per_minute),
        ] {
            self.refuse_if(zero(rate), key, "must be at least 1");
        }
        self.refuse_if(limits.max_keys < 100, "rate_limit.max_keys", "must be at least 100");
    }

    fn database(&mut self, database: &Database) {
        let url = database.url.as_ref().and_then(|url| Url::parse(url.expose()).ok());
        let other = url.is_some_and(|url| !matches!(url.scheme(), "postgres" | "postgresql"));
        self.refuse_if(other, "database.url", "must begin with postgres://");
    }

    fn nats(&mut self, nats: &Nats) {
        let servers = nats.url.iter().flat_map(|url| url.split(','));
        self.refuse_if(
            !servers.map(str::trim).all(is_nats_server),
            "nats.url",
            "each must be nats://host:port or tls://host:port, without credentials",
        );
        self.refuse_if(
            nats.user.is_some() != nats.password.is_some(),
            "nats.user",
            "goes together with nats.password",
        );
        let ways = [nats.user.is_some(), nats.token.is_some(), nats.credentials_file.is_some()];
        self.refuse_if(
            ways.into_iter().filter(|way| *way).count() > 1,
            "nats.url",
            "can be signed in to in one way: nats.user, nats.token or nats.credentials_file",
        );
    }

    fn production(&mut self, config: &Config) {
        let insecure = !config.http.public_url.starts_with("https://");
        self.refuse_if(insecure, "http.public_url", "must be https in production");
        let links = config.mail.links_url.as_deref();
        let insecure = links.is_some_and(|url| !url.starts_with("https://"));
        self.refuse_if(insecure, "mail.links_url", "must be https in production");
        let outbox = config.mail.adapter == MailAdapter::Outbox;
        self.refuse_if(outbox, "mail.adapter", "the outbox is for development");
        for (key, secret) in
            [("database.url", &config.database.url), ("mail.smtp_url", &config.mail.smtp_url)]
        {
            let placeholder = secret.as_ref().is_some_and(is_placeholder);
            self.refuse_if(placeholder, key, "its password is a placeholder");
        }
        let auth = &config.auth;
        let cost =
            u64::from(auth.password_memory_kib).saturating_mul(u64::from(auth.password_iterations));
        let weak = cost < PASSWORD_MIN_KIB_PASSES || auth.password_memory_kib < 7_168;
        self.refuse_if(weak, "auth.password_memory_kib", "weaker than 46 MiB in one pass");
        self.refuse_if(
            auth.access_ttl_seconds < 300,
            "auth.access_ttl_seconds",
            "must be at least 300 in production",
        );
        self.refuse_if(
            !config.rate_limit.enabled,
            "rate_limit.enabled",
            "must be true in production",
        );
        let local = config.mail.from.contains("@localhost");
        self.refuse_if(local, "mail.from", "must be an address that can be answered");
    }
}

/// `scheme://host[:port]` and nothing else, exactly as a browser would write it.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

/// An origin, perhaps with a path, to which another path can be added.
fn is_place(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/');
        is_origin(&origin) && text == format!("{origin}{path}")
    })
}

/// `scheme://host[:port]`: credentials have keys of their own, which are kept secret.
fn is_nats_server(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "nats" | "tls")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// Passwords that come out of examples.
fn is_placeholder(secret: &Secret) -> bool {
    let Ok(url) = Url::parse(secret.expose()) else { return false };
    url.password().is_some_and(|password| {
        let password = password.to_lowercase();
        ["", "changeme", "change-me", "secret", "password", "postgres", "placeholder", "example"]
            .contains(&password.as_str())
            || password.starts_with('<')
            || password.starts_with("${")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        unsafe_values(&config).into_iter().map(|(key, _)| key).collect()
    }

    fn production(config: &mut Config) {
        config.environment = Environment::Production;
        config.http.public_url = "https://back.example.org".into();
        config.mail.adapter = MailAdapter::Smtp;
        config.mail.from = "back@example.org".into();
        config.mail.smtp_url = Some("smtps://u:kSd7fj2@mail.example.org".to_owned().into());
    }

    #[test]
    fn production_can_be_configured() {
        assert_eq!(keys(production), Vec::<&str>::new());
        let front_end = keys(|config| {
            production(config);
            config.mail.links_url = Some("https://app.example.org/account".into());
        });
        assert_eq!(front_end, Vec::<&str>::new());
    }

    #[test]
    fn production_refuses_what_development_allows() {
        let refused = keys(|config| config.environment = Environment::Production);
        assert_eq!(refused, ["http.public_url", "mail.adapter", "mail.from"]);
        let placeholder = keys(|config| {
            production(config);
            config.database.url = Some("postgres://app:changeme@db/app".to_owned().into());
        });
        assert_eq!(placeholder, ["database.url"]);
        let weak = keys(|config| {
            production(config);
            config.auth.password_memory_kib = 8_192;
        });
        assert_eq!(weak, ["auth.password_memory_kib"]);
        let readable = keys(|config| {
            production(config);
            config.mail.links_url = Some("http://app.example.org".into());
        });
        assert_eq!(readable, ["mail.links_url"]);
    }

    #[test]
    fn unusable_values_are_refused_everywhere() {
        assert_eq!(keys(|config| config.http.bind = "localhost".into()), ["http.bind"]);
        for (url, refused) in [
            ("mysql://a/b", &["database.url"][..]),
            ("postgres://a/b", &[]),
            ("postgresql:///b?host=/run", &[]),
        ] {
            let found = keys(|config| config.database.url = Some(url.to_owned().into()));
            assert_eq!(found, refused, "{url}");
        }
        for url in ["https://a.example.org/", "ftp://a", "https://a.example.org/x", "a"] {
            let refused = keys(|config| config.http.public_url = url.into());
            assert_eq!(refused, ["http.public_url"], "{url}");
        }
        for url in
            ["", "app", "https://a.example.org/", "https://a/x?y", "https://a/x#y", "ftp://a/x"]
        {
            let refused = keys(|config| config.mail.links_url = Some(url.into()));
            assert_eq!(refused, ["mail.links_url"], "{url}");
        }
        let any = keys(|config| config.http.cors_origins = vec!["*".into()]);
        assert_eq!(any, ["http.cors_origins"]);
        let smtp = keys(|config| config.mail.adapter = MailAdapter::Smtp);
        assert_eq!(smtp, ["mail.smtp_url"]);
        let nats = |change: fn(&mut Nats)| keys(|config| change(&mut config.nats));
        let usable = "nats://10.0.0.1:4222, tls://nats.example.org";
        assert_eq!(keys(|config| config.nats.url = Some(usable.into())), Vec::<&str>::new());
        for url in ["", "nats", "http://a", "nats://", "nats://u:p@a", "nats://a/x", "nats://a,"] {
            assert_eq!(keys(|config| config.nats.url = Some(url.into())), ["nats.url"], "{url}");
        }
        assert_eq!(nats(|nats| nats.user = Some("u".into())), ["nats.user"]);
        let twice = |nats: &mut Nats| {
            nats.token = Some("t".to_owned().into());
            nats.credentials_file = Some("c".into());
        };
        assert_eq!(nats(twice), ["nats.url"]);
        assert_eq!(
            keys(|config| config.auth.password_iterations = 0),
            ["auth.password_memory_kib"]
        );
    }
}
