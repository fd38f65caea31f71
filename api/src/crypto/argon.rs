//! Argon2id (RFC 9106) in memory that goes from one hash to the next.
//!
//! Owns the calculation and what it calculates in. Memory fresh from the system costs a hash a third more,
//! in page faults that hold up the whole process. Refuses to keep what a hash left behind when
//! nobody waits: with it, a password could be guessed without the cost that argon2id is for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};

use super::{password::HashError, random};

/// What a hash is calculated in.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// As much as a calculation with these costs takes; what is in it does not matter to argon2.
    fn of(&mut self, params: &Params) -> &mut [Block] {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            // Given back before the larger one is asked for, and not copied.
            self.0 = Vec::new();
            self.0.resize(blocks, Block::new());
        }
        self.0.get_mut(..blocks).unwrap_or_default()
    }
}

/// Memory between two hashes: that of one while nobody waits.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    memory: Vec<Memory>,
    /// Whether something of a password may be in it.
    used: bool,
}

impl Shelf {
    pub(super) fn take(&self) -> Memory {
        self.kept().memory.pop().unwrap_or_default()
    }

    /// Takes memory back: as it is for somebody who `waits` for it, empty otherwise.
    pub(super) fn put_back(&self, mut memory: Memory, waits: bool) {
        if !waits {
            memory.0.fill(Block::new());
        }
        let mut kept = self.kept();
        if !waits {
            *kept = Kept::default();
        }
        kept.used |= waits;
        kept.memory.push(memory);
    }

    /// Gives back what was kept for somebody who went away.
    pub(super) fn clear(&self) {
        let mut kept = self.kept();
        if kept.used {
            *kept = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything of a password is in it.
    #[cfg(test)]
    pub(super) fn traces(&self) -> bool {
        let kept = self.kept();
        kept.memory.iter().flat_map(|memory| &memory.0).any(|block| block.as_ref() != [0; 128])
    }
}

/// Hashes a password with a new salt, as a PHC string.
pub(super) fn hash(
    argon2: &Argon2<'_>,
    password: &[u8],
    memory: &mut Memory,
) -> Result<String, HashError> {
    let salt = random::<16>();
    let hash = output(argon2, password, &salt, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(|_| HashError::Failed)?,
        salt: Some(Salt::new(&salt).map_err(|_| HashError::Failed)?),
        hash: Some(hash),
    };
    Ok(hash.to_string())
}

/// Whether a password is the one that was hashed, with the costs of then; not of what is no hash
/// of argon2. Compares in constant time.
pub(super) fn verify(password: &[u8], stored: &PasswordHash, memory: &mut Memory) -> bool {
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return false };
    let then = || {
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
        let version = stored.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        Some(Argon2::new(algorithm, version, Params::try_from(stored).ok()?))
    };
    let found = then().and_then(|argon2| output(&argon2, password, salt, memory).ok());
    found.is_some_and(|found| found == *expected)
}

fn output(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    memory: &mut Memory,
) -> Result<Output, HashError> {
    let mut output = [0; Output::MAX_LENGTH];
    let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = output.get_mut(..length).ok_or(HashError::Failed)?;
    let memory = memory.of(argon2.params());
    let done = argon2.hash_password_into_with_memory(password, salt, output, memory);
    done.ok().and_then(|()| Output::new(output).ok()).ok_or(HashError::Failed)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    fn costing(kib: u32) -> Argon2<'static> {
        let params = Params::new(kib, 1, 1, None).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    #[test]
    fn the_library_takes_our_hashes_and_we_take_its() {
        let (argon2, mut memory) = (costing(64), Memory::default());
        let ours = hash(&argon2, b"correct horse", &mut memory).unwrap();
        let ours = PasswordHash::new(&ours).unwrap();
        assert_eq!(argon2.verify_password(b"correct horse", &ours), Ok(()));
        let its = argon2.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
        assert!(verify(b"correct horse", &its, &mut memory));
        assert!(!verify(b"correct horsE", &its, &mut memory));
    }

    #[test]
    fn memory_serves_hashes_of_any_cost() {
        let mut memory = Memory::default();
        let hashes = [64, 128, 32].map(|kib| hash(&costing(kib), b"x", &mut memory).unwrap());
        for hash in hashes.iter().rev().chain(&hashes) {
            assert!(verify(b"x", &PasswordHash::new(hash).unwrap(), &mut memory), "{hash}");
        }
        assert_eq!(memory.0.len(), 128);
    }

    #[test]
    fn what_is_no_hash_is_nobodys() {
        let none = PasswordHash::new("$argon2id$v=19$m=64,t=1,p=1").unwrap();
        assert!(!verify(b"x", &none, &mut Memory::default()));
        let other =
            PasswordHash::new(&format!("$scrypt$ln=1$c2FsdHNhbHQ${}", "A".repeat(43))).unwrap();
        assert!(!verify(b"x", &other, &mut Memory::default()));
    }

    #[test]
    fn nothing_of_a_password_stays_when_nobody_waits() {
        let used = || {
            let mut memory = Memory::default();
            hash(&costing(64), b"correct horse", &mut memory).unwrap();
            memory
        };
        let shelf = Shelf::default();
        shelf.put_back(used(), true);
        assert!(shelf.traces(), "who waits writes over it");
        shelf.put_back(used(), false);
        assert!(!shelf.traces());
        assert_eq!(shelf.kept().memory.len(), 1);
        shelf.clear();
        assert_eq!(shelf.take().0.len(), 64, "what is empty is kept");
        shelf.put_back(used(), true);
        shelf.clear();
        assert!(!shelf.traces(), "who waited has gone");
    }
}
