//! Every way a token can be wrong.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::kernel::testing::at;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::{
    super::{install, keys::KeyDirectory},
    *,
};
use crate::scratch::Scratch;

struct Fixture {
    tokens: AccessTokens,
    keyring: Arc<Keyring>,
    directory: KeyDirectory,
    _folder: Scratch,
}

fn fixture() -> Fixture {
    install();
    let folder = Scratch::path();
    let (directory, _) = KeyDirectory::open(&folder, 1).unwrap();
    let keyring = Arc::new(Keyring::open(directory.clone()).unwrap());
    let settings = TokenSettings {
        issuer: "https://back.example.org".into(),
        audience: "commonhold".into(),
        ttl_seconds: 900,
        cache: NonZeroUsize::new(4).unwrap(),
    };
    let tokens = AccessTokens::new(Arc::clone(&keyring), settings);
    Fixture { tokens, keyring, directory, _folder: folder }
}

impl Fixture {
    fn issue(&self) -> String {
        self.tokens.issue(Uuid::from_u128(1), Uuid::from_u128(2), at(0)).unwrap()
    }

    /// A token as `change` would have it, signed with the right key.
    fn forged(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let issued = self.issue();
        let mut parts = issued.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap_or_default()
        });
        let (mut header, mut claims) = (parts.next().unwrap(), parts.next().unwrap());
        change(&mut header, &mut claims);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let keys = self.keyring.current();
        let pair = Ed25519KeyPair::from_pkcs8(&keys.active().pkcs8).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    #[track_caller]
    fn refuses(&self, token: &str) {
        assert_eq!(self.tokens.verify(token, at(0)), Err(InvalidToken), "{token}");
    }
}

#[test]
fn a_token_says_who_and_in_which_session() {
    let fixture = fixture();
    let token = fixture.issue();
    for _ in 0..2 {
        let claims = fixture.tokens.verify(&token, at(0)).unwrap();
        assert_eq!((claims.sub, claims.sid), (Uuid::from_u128(1), Uuid::from_u128(2)));
        assert_eq!(claims.exp - claims.iat, 900);
    }
    assert!(fixture.tokens.verify(&fixture.forged(|_, _| ()), at(0)).is_ok());
}

#[test]
fn a_token_ends_on_the_second_also_when_it_is_remembered() {
    let fixture = fixture();
    let token = fixture.issue();
    assert!(fixture.tokens.verify(&token, at(899)).is_ok());
    assert!(fixture.tokens.verify(&token, at(900)).is_err());
    assert!(fixture.tokens.verify(&token, at(-60)).is_ok());
    assert!(fixture.tokens.verify(&token, at(-61)).is_err());
}

#[test]
fn an_altered_token_is_refused() {
    let fixture = fixture();
    let token = fixture.issue();
    let other = fixture.issue();
    let (head, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    fixture.refuses(&format!("{head}.{signature}"));
    fixture.refuses(head);
    fixture.refuses(&format!("{head}."));
    fixture.refuses("");
    fixture.refuses(&"a".repeat(MAX_TOKEN_BYTES + 1));
}

#[test]
fn another_header_is_refused() {
    let fixture = fixture();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("typ", json!("JWT")),
        ("kid", json!("unknown")),
        ("kid", Value::Null),
        ("jku", json!("https://evil.example.org/jwks.json")),
        ("x5u", json!("https://evil.example.org/cert")),
        ("crit", json!(["exp"])),
        ("extra", json!(1)),
    ] {
        fixture.refuses(&fixture.forged(|header, _| header[name] = value.clone()));
    }
}

#[test]
fn other_claims_are_refused() {
    let fixture = fixture();
    for (name, value) in [
        ("exp", json!("1767226500")),
        ("exp", json!(1_767_226_500.5)),
        ("exp", json!(1)),
        ("iss", json!("https://evil.example.org")),
        ("aud", json!("other")),
        ("sub", json!("ada")),
        ("nbf", json!(9_999_999_999_u64)),
        ("admin", json!(true)),
    ] {
        fixture.refuses(&fixture.forged(|_, claims| claims[name] = value.clone()));
    }
    for name in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
        let token = fixture.forged(|_, claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        fixture.refuses(&token);
    }
}

#[test]
fn a_rotation_ends_no_session() {
    let fixture = fixture();
    let before = fixture.issue();
    let kid = fixture.directory.rotate(2).unwrap().kid;
    assert!(fixture.tokens.verify(&before, at(1)).is_ok());
    fixture.keyring.reload().unwrap();
    let after = fixture.issue();
    assert_eq!(jsonwebtoken::decode_header(&after).unwrap().kid, Some(kid));
    assert!(fixture.tokens.verify(&after, at(1)).is_ok());
    assert!(fixture.tokens.verify(&before, at(1)).is_ok());
}

#[test]
fn the_memory_is_bounded() {
    let fixture = fixture();
    for _ in 0..9 {
        assert!(fixture.tokens.verify(&fixture.issue(), at(0)).is_ok());
    }
    assert_eq!(fixture.tokens.lock().len(), 4);
}
