//! Digests that stand for something without showing it, and the tokens made of them.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::keys::MasterKey;

/// Digests keyed by the master key: the same on every process, worthless without the key.
#[derive(Clone)]
pub struct Digests {
    email: hmac::Key,
    username: hmac::Key,
    refresh: hmac::Key,
    single_use: hmac::Key,
    request: hmac::Key,
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digests")
    }
}

impl Digests {
    /// Derives the keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let key = |label| hmac::Key::new(hmac::HMAC_SHA256, master.derive(label).as_ref());
        Self {
            email: key("digest.email.v1"),
            username: key("digest.username.v1"),
            refresh: key("token.refresh.v1"),
            single_use: key("token.single_use.v1"),
            request: key("digest.request.v1"),
        }
    }

    /// What an e-mail address is looked up and claimed by, in hexadecimal. The address must be
    /// normalized already.
    #[must_use]
    pub fn email(&self, address: &str) -> String {
        hex(hmac::sign(&self.email, address.as_bytes()).as_ref())
    }

    /// What a user name is looked up and claimed by, in hexadecimal. The name must be in lower case
    /// already.
    #[must_use]
    pub fn username(&self, name: &str) -> String {
        hex(hmac::sign(&self.username, name.as_bytes()).as_ref())
    }

    /// What is kept of a request for ever, to know its repetition. Keyed, because a body may hold
    /// what people want forgotten, and little enough of it to be guessed from a plain hash.
    #[must_use]
    pub fn request<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
        let mut digest = hmac::Context::with_key(&self.request);
        for part in parts {
            digest.update(part);
            digest.update(&[0]);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.sign().as_ref());
        bytes
    }

    /// The refresh token of a generation of a session. Derived, not drawn: repeating a refresh
    /// within the grace gives the same successor, and nothing has to be stored.
    #[must_use]
    pub fn refresh_token(&self, session: Uuid, generation: u32) -> String {
        let mut bytes = refresh_payload(session, generation);
        let proof = hmac::sign(&self.refresh, &bytes);
        bytes.extend_from_slice(proof.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Which session and generation a refresh token is of, if it is one of ours.
    #[must_use]
    pub fn parse_refresh_token(&self, token: &str) -> Option<(Uuid, u32)> {
        let bytes = decode_exact(token, 52)?;
        let (payload, proof) = bytes.split_at_checked(20)?;
        hmac::verify(&self.refresh, payload, proof).ok()?;
        let (session, generation) = payload.split_at_checked(16)?;
        Some((Uuid::from_slice(session).ok()?, u32::from_be_bytes(generation.try_into().ok()?)))
    }

    /// The single-use token of an id in a stream. Derived, not drawn: who only knows the ids, such
    /// as the policy that sends the mail, makes it anew, and no event ever holds it.
    #[must_use]
    pub fn single_use(&self, stream: Uuid, id: Uuid) -> SingleUseToken {
        let ids = [stream.as_bytes().as_slice(), id.as_bytes()].concat();
        let mut secret = [0; 32];
        secret.copy_from_slice(hmac::sign(&self.single_use, &ids).as_ref());
        SingleUseToken { stream, id, secret }
    }
}

fn refresh_payload(session: Uuid, generation: u32) -> Vec<u8> {
    [session.as_bytes().as_slice(), &generation.to_be_bytes()].concat()
}

/// A single-use token sent out of band: the stream that knows it, its id there, and a secret of
/// 256 bits that nobody makes without the master key. Only the hash of the secret is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SingleUseToken {
    stream: Uuid,
    id: Uuid,
    secret: [u8; 32],
}

impl fmt::Debug for SingleUseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SingleUseToken({}/{})", self.stream, self.id)
    }
}

impl SingleUseToken {
    /// Reads a token as it was sent. Only the whole text counts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = decode_exact(text, 64)?;
        let (stream, rest) = bytes.split_at_checked(16)?;
        let (id, secret) = rest.split_at_checked(16)?;
        Some(Self {
            stream: Uuid::from_slice(stream).ok()?,
            id: Uuid::from_slice(id).ok()?,
            secret: secret.try_into().ok()?,
        })
    }

    /// The text to send.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = [self.stream.as_bytes().as_slice(), self.id.as_bytes(), &self.secret];
        URL_SAFE_NO_PAD.encode(parts.concat())
    }

    /// The stream that knows the token.
    #[must_use]
    pub fn stream(&self) -> Uuid {
        self.stream
    }

    /// The token's id in that stream.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What is stored of it, in hexadecimal. The secret has 256 bits, so a plain hash suffices.
    #[must_use]
    pub fn hash(&self) -> String {
        sha256_hex(&self.secret)
    }

    /// Whether a stored hash is this token's, in constant time.
    #[must_use]
    pub fn matches(&self, stored: &str) -> bool {
        self.hash().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Base64url of exactly so many bytes, in its one canonical form.
fn decode_exact(text: &str, bytes: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|decoded| decoded.len() == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(byte: u8) -> Digests {
        Digests::new(&MasterKey::from_bytes([byte; 32]))
    }

    #[test]
    fn an_address_digest_depends_on_the_key() {
        let one = digests(1).email("ada@example.org");
        assert_eq!(one, digests(1).email("ada@example.org"));
        assert_ne!(one, digests(2).email("ada@example.org"));
        assert_ne!(one, digests(1).email("bob@example.org"));
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn a_request_digest_depends_on_the_key_and_on_where_parts_end() {
        let digest = |byte, parts: [&'static str; 2]| {
            digests(byte).request(parts.iter().map(|part| part.as_bytes()))
        };
        assert_eq!(digest(1, ["POST", "/"]), digest(1, ["POST", "/"]));
        assert_ne!(digest(1, ["POST", "/"]), digest(2, ["POST", "/"]));
        assert_ne!(digest(1, ["POST", "/"]), digest(1, ["POST/", ""]));
    }

    #[test]
    fn a_refresh_token_names_its_session_and_generation() {
        let session = crate::clock::mint();
        let token = digests(1).refresh_token(session, 7);
        assert_eq!(token, digests(1).refresh_token(session, 7));
        assert_eq!(digests(1).parse_refresh_token(&token), Some((session, 7)));
        assert_eq!(digests(2).parse_refresh_token(&token), None);
    }

    #[test]
    fn only_the_whole_refresh_token_counts() {
        let token = digests(1).refresh_token(crate::clock::mint(), 7);
        for end in 0..token.len() {
            assert_eq!(digests(1).parse_refresh_token(&token[..end]), None);
        }
        assert_eq!(digests(1).parse_refresh_token(&format!("{token}A")), None);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(digests(1).parse_refresh_token(&altered), None, "{at}");
        }
    }

    #[test]
    fn a_single_use_token_is_made_anew_and_recognised_by_its_hash() {
        let (stream, id) = (crate::clock::mint(), crate::clock::mint());
        let token = digests(1).single_use(stream, id);
        let read = SingleUseToken::parse(&token.text()).unwrap();
        assert_eq!((read.stream(), read.id()), (stream, id));
        assert_eq!(read, digests(1).single_use(stream, id));
        assert!(read.matches(&token.hash()));
        assert!(!read.matches(""));
        assert!(!format!("{token:?}").contains(&token.text()));
        for other in [
            digests(2).single_use(stream, id),
            digests(1).single_use(id, stream),
            digests(1).single_use(stream, crate::clock::mint()),
        ] {
            assert!(!other.matches(&token.hash()));
        }
    }

    #[test]
    fn only_the_whole_single_use_token_counts() {
        let token = digests(1).single_use(crate::clock::mint(), crate::clock::mint()).text();
        for end in 0..token.len() {
            assert_eq!(SingleUseToken::parse(&token[..end]), None);
        }
        assert_eq!(SingleUseToken::parse(&format!("{token}A")), None);
    }
}
