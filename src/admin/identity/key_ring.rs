//! What a file or a Secret of access keys holds, and what becomes of it.
//!
//! Invariant: it alone lets nobody in. It holds hashes of tokens; a token that is signed with its secret but was never
//! issued has no hash here.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Refusal, signed_token};
use crate::admin::caller::{Caller, Scope};

/// Why a key cannot be made or taken out.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// There is no such key.
    #[error("there is no access key {0}")]
    NoKey(String),
    /// The end lies before the beginning, or beyond the calendar.
    #[error("the access key would never be valid: choose another expiry")]
    Expiry,
    /// A token cannot be written.
    #[error("the token cannot be written")]
    Token(#[source] serde_json::Error),
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Who uses it; the user in logs.
    pub user: String,
    /// Is an administrator of its namespaces.
    pub admin: bool,
    /// What it sees.
    pub namespaces: Scope,
    /// When it ends.
    pub expires: Timestamp,
}

/// A key that was just made. The token is shown once and stored nowhere.
#[derive(Debug)]
pub struct IssuedKey {
    /// Its id: `X-Key`.
    pub id: String,
    /// Its token: `X-Access-Token`, `X-Auth-Token` or a bearer token.
    pub token: SecretString,
}

/// A key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// Who uses it.
    pub user: String,
    /// Is an administrator of its namespaces.
    pub admin: bool,
    /// What it sees; null is all namespaces.
    pub namespaces: Option<BTreeSet<String>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// SHA-256 of the token, hexadecimal.
    token_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    /// Base64 of the secret that tokens are signed with.
    signing_secret: String,
    keys: Vec<StoredKey>,
}

/// All access keys of one place, with what their tokens are signed with.
#[derive(Clone, Default)]
pub struct KeyRing {
    /// Empty until the first key is made.
    secret: Vec<u8>,
    keys: Vec<StoredKey>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} keys", self.keys.len())
    }
}

impl KeyRing {
    /// Reads what [`KeyRing::to_json`] writes.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(json)?;
        let secret = STANDARD
            .decode(&document.signing_secret)
            .ok()
            .filter(|secret| secret.len() >= 32)
            .ok_or_else(|| serde::de::Error::custom("the signing secret is missing or too short"))?;
        Ok(KeyRing {
            secret,
            keys: document.keys,
        })
    }

    /// The text of a file of keys.
    ///
    /// # Errors
    /// Never for what is here.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(&Document {
            version: 1,
            signing_secret: STANDARD.encode(&self.secret),
            keys: self.keys.clone(),
        })
    }

    /// The keys, in the order in which they were made.
    pub fn keys(&self) -> &[StoredKey] {
        &self.keys
    }

    /// Makes a key.
    ///
    /// # Errors
    /// It would never be valid.
    pub fn create(&mut self, key: NewKey) -> Result<IssuedKey, KeyRingError> {
        let created = Timestamp::now();
        if key.expires <= created {
            return Err(KeyRingError::Expiry);
        }
        if self.secret.is_empty() {
            self.secret = random_bytes().to_vec();
        }
        let id = uuid::Uuid::new_v4().to_string();
        let (issued, expires) = (created.as_millisecond(), key.expires.as_millisecond());
        let token = signed_token::sign(&self.secret, &id, issued, expires).map_err(KeyRingError::Token)?;
        self.keys.push(StoredKey {
            id: id.clone(),
            user: key.user,
            admin: key.admin,
            namespaces: match key.namespaces {
                Scope::All => None,
                Scope::Only(namespaces) => Some(namespaces),
            },
            created,
            expires: key.expires,
            token_sha256: hash(&token),
        });
        Ok(IssuedKey {
            id,
            token: SecretString::from(token),
        })
    }

    /// Takes a key out.
    ///
    /// # Errors
    /// There is no such key.
    pub fn revoke(&mut self, id: &str) -> Result<(), KeyRingError> {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        if self.keys.len() == before {
            return Err(KeyRingError::NoKey(id.to_owned()));
        }
        Ok(())
    }

    /// The caller of a token, and of its key where one is named beside it.
    pub(super) fn caller(&self, key: Option<&str>, token: &str, now: Timestamp) -> Result<Caller, Refusal> {
        if self.secret.is_empty() {
            return Err(Refusal::Malformed);
        }
        let verified = signed_token::verify(&self.secret, token)?;
        let stored = self
            .keys
            .iter()
            .find(|stored| stored.id == key.unwrap_or(&verified.key))
            .filter(|stored| bool::from(stored.token_sha256.as_bytes().ct_eq(hash(token).as_bytes())))
            .ok_or(Refusal::Unknown)?;
        let end = stored.expires.as_millisecond().min(verified.expires);
        if end <= now.as_millisecond() {
            return Err(Refusal::Expired);
        }
        Ok(Caller {
            user: stored.user.clone(),
            admin: stored.admin,
            namespaces: stored.namespaces.clone().map_or(Scope::All, Scope::Only),
        })
    }
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes that nobody guesses: 366 random bits of three identifiers from the system's generator, mixed.
fn random_bytes() -> [u8; 32] {
    let mut mixed = Sha256::new();
    for _ in 0..3 {
        mixed.update(uuid::Uuid::new_v4().as_bytes());
    }
    mixed.finalize().into()
}
