//! What handlers share: the log, the read tables, the keys, and what was configured.

use std::{ops::Deref, sync::Arc};

use eventstore::Store;
use projections::{Positions, Reader};

use crate::{
    authority::Authority,
    clock::Clock,
    config::Config,
    crypto::{
        apikey::VerifiedKeys, digest::Digests, keys::Keyring, password::PasswordHashing,
        sealing::Sealing, tokens::AccessTokens,
    },
    cursor::Cursors,
    domain_proof::DomainProof,
    key_use::KeyUses,
    lines::Lines,
    rate::{Limits, LoginGuard},
};

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] holds.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where "now" comes from.
    pub clock: Clock,
    /// The log.
    pub store: Store,
    /// The read tables.
    pub reader: Reader,
    /// How far the read tables are.
    pub positions: Positions,
    /// Who may do what.
    pub authority: Authority,
    /// The keys that sign tokens.
    pub keyring: Arc<Keyring>,
    /// Access tokens.
    pub tokens: AccessTokens,
    /// Digests of addresses, and derived tokens.
    pub digests: Digests,
    /// Small secrets at rest and on their way.
    pub sealing: Sealing,
    /// Password hashing, bounded.
    pub hashing: PasswordHashing,
    /// API keys this process has verified.
    pub verified_keys: VerifiedKeys,
    /// What addresses and accounts may send.
    pub limits: Arc<Limits>,
    /// Before searches of the log: each account makes one at a time.
    pub searches: Lines,
    /// Before hashes that one request after another may ask for: each account has one made at a
    /// time, so that nobody fills the line of the hashes alone.
    pub hashers: Lines,
    /// Failed sign-ins.
    pub login_guard: LoginGuard,
    /// Signed places in lists.
    pub cursors: Cursors,
    /// When API keys were used.
    pub key_uses: KeyUses,
    /// What strangers publish at their domains.
    pub domain_proof: Arc<dyn DomainProof>,
}

impl App {
    /// Takes the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}
