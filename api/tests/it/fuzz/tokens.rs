//! Cursors, tokens and API keys: none but the genuine counts.

use std::{num::NonZeroUsize, sync::Arc};

use api::{
    crypto::{
        apikey::ApiKeySecret,
        digest::{Digests, SingleUseToken},
        keys::{KeyDirectory, Keyring, MasterKey},
        tokens::{AccessTokens, TokenSettings},
    },
    cursor::{Cursors, Scope},
};
use domain::kernel::{TenantId, testing::at};
use uuid::Uuid;

fn master() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

#[test]
fn cursors() {
    let cursors = Cursors::new(&master());
    let scope = Scope { tenant: TenantId::PLATFORM, list: "/users", query: &"status=active" };
    let genuine = ["Ada", "", "\u{1f980}"]
        .map(|name| cursors.after(&scope, &(name.to_owned(), Uuid::from_u128(7))).unwrap());
    for altered in testkit::mutations(&genuine) {
        let altered = String::from_utf8_lossy(&altered).into_owned();
        let read = cursors.read::<_, (String, Uuid)>(&scope, &altered);
        assert_eq!(read.is_ok(), genuine.contains(&altered));
    }
}

#[test]
fn refresh_tokens() {
    let digests = Digests::new(&master());
    let genuine = [1, 2, 4_000_000_000].map(|n| digests.refresh_token(Uuid::from_u128(7), n));
    for altered in testkit::mutations(&genuine) {
        let altered = String::from_utf8_lossy(&altered).into_owned();
        let read = digests.parse_refresh_token(&altered);
        assert_eq!(read.is_some(), genuine.contains(&altered));
    }
}

/// Whoever checks these compares a hash, so that more than the genuine can be read, but each text
/// stands for itself alone.
#[test]
fn single_use_tokens_and_api_keys() {
    let digests = Digests::new(&master());
    let tokens =
        [1, 2].map(|id| digests.single_use(Uuid::from_u128(7), Uuid::from_u128(id)).text());
    let keys = [ApiKeySecret::generate().text(), ApiKeySecret::generate().text()];
    for altered in testkit::mutations(tokens.iter().chain(&keys)) {
        let altered = String::from_utf8_lossy(&altered).into_owned();
        if let Some(token) = SingleUseToken::parse(&altered) {
            assert_eq!(token.text(), altered);
        }
        if let Some(key) = ApiKeySecret::parse(&altered) {
            assert_eq!(key.text(), altered);
        }
    }
}

#[test]
fn access_tokens() {
    let folder = std::env::temp_dir().join(format!("commonhold-fuzz-keys-{}", std::process::id()));
    let (directory, _) = KeyDirectory::open(&folder, 0).unwrap();
    let keyring = Arc::new(Keyring::open(directory).unwrap());
    let settings = TokenSettings {
        issuer: "https://a.example".to_owned(),
        audience: "commonhold".to_owned(),
        ttl_seconds: 900,
        cache: NonZeroUsize::MIN,
    };
    let tokens = AccessTokens::new(keyring, settings);
    let genuine = [1, 2]
        .map(|session| tokens.issue(Uuid::from_u128(7), Uuid::from_u128(session), at(0)).unwrap());
    for altered in testkit::mutations(&genuine) {
        let altered = String::from_utf8_lossy(&altered).into_owned();
        let verified = tokens.verify(&altered, at(1));
        assert_eq!(verified.is_ok(), genuine.contains(&altered));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
