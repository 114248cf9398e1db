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
use crate::admin::caller::{Caller, Grant, Scope, Verb};

/// Why a key cannot be made or taken out.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// There is no such key.
    #[error("there is no access key {0}")]
    NoKey(String),
    /// The end lies before the beginning, or beyond the calendar.
    #[error("the access key would never be valid: choose another expiry")]
    Expiry,
    /// Nobody, or nothing, has such a name.
    #[error("`{name}` is not the name of a {what}: {form}")]
    Name {
        /// What it should name.
        what: &'static str,
        name: String,
        /// How such names look.
        form: &'static str,
    },
    /// A page needs a namespace.
    #[error("the page {0} is in none of the namespaces of the key: give NAMESPACE/NAME and its namespace")]
    Page(String),
    /// An administrator is one of whole namespaces.
    #[error("--admin is for whole namespaces: leave out either --admin or --page")]
    AdminOfPages,
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
    /// The pages that it is limited to, as namespace and name with a slash between; none is all of its namespaces'.
    pub pages: Option<BTreeSet<String>>,
    /// What it may be used for.
    pub verbs: BTreeSet<Verb>,
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
    pub id: String,
    pub user: String,
    /// Is an administrator of its namespaces.
    pub admin: bool,
    /// What it sees; null is all namespaces.
    pub namespaces: Option<BTreeSet<String>>,
    /// The pages that it is limited to; absent is all of its namespaces'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<BTreeSet<String>>,
    /// What it may be used for; absent is reading.
    #[serde(default = "reading", skip_serializing_if = "is_reading")]
    pub verbs: BTreeSet<Verb>,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// SHA-256 of the token, hexadecimal.
    token_sha256: String,
}

fn reading() -> BTreeSet<Verb> {
    Verb::READING.into()
}

fn is_reading(verbs: &BTreeSet<Verb>) -> bool {
    *verbs == reading()
}

/// The form of a file. The second one has limits: who does not know of them must not read it as if there were none.
const VERSIONS: [u32; 2] = [1, 2];

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
        if !VERSIONS.contains(&document.version) {
            let text = "the access keys were written by a newer version of this program";
            return Err(serde::de::Error::custom(text));
        }
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
        let limited = |key: &StoredKey| key.pages.is_some() || !is_reading(&key.verbs);
        let [plain, with_limits] = VERSIONS;
        serde_json::to_vec_pretty(&Document {
            version: if self.keys.iter().any(limited) {
                with_limits
            } else {
                plain
            },
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
    /// It would never be valid, or names what cannot be.
    pub fn create(&mut self, key: NewKey) -> Result<IssuedKey, KeyRingError> {
        check(&key)?;
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
            pages: key.pages,
            verbs: key.verbs,
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
        let grant = Grant {
            namespaces: stored.namespaces.clone().map_or(Scope::All, Scope::Only),
            kinds: None,
            pages: stored.pages.clone(),
            verbs: stored.verbs.clone(),
        };
        Ok(Caller {
            credential: format!("key {}", stored.id),
            ..Caller::new(&stored.user, stored.admin, grant)
        })
    }

    /// True when nobody gets in by these keys any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.keys.iter().all(|key| key.expires <= now)
    }
}

/// Names are checked when a key is made: a key with a misspelt one would see nothing, and nobody would know why.
fn check(key: &NewKey) -> Result<(), KeyRingError> {
    let wrong = |what, name: &str, form| {
        Err(KeyRingError::Name {
            what,
            name: name.to_owned(),
            form,
        })
    };
    if key.user.trim().is_empty() || key.user.chars().any(char::is_control) {
        return wrong("user", &key.user, "it is what logs show");
    }
    if let Scope::Only(namespaces) = &key.namespaces {
        for name in namespaces {
            if !is_label(name) {
                let form = "up to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends";
                return wrong("namespace", name, form);
            }
        }
    }
    for page in key.pages.iter().flatten() {
        let Some((namespace, name)) = page.split_once('/') else {
            return Err(KeyRingError::Page(page.clone()));
        };
        if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
            let form = "lower-case letters, digits, hyphens and dots, with a letter or digit at both ends";
            return wrong("StatusPage", name, form);
        }
        if !key.namespaces.includes(namespace) {
            return Err(KeyRingError::Page(page.clone()));
        }
    }
    if key.admin && key.pages.is_some() {
        return Err(KeyRingError::AdminOfPages);
    }
    Ok(())
}

/// A DNS label, which is what Kubernetes allows as the name of a namespace.
fn is_label(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    name.len() <= 63
        && bytes.iter().all(|byte| allowed(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| allowed(*byte))
        && bytes.last().is_some_and(|byte| allowed(*byte))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn new(namespaces: &[&str], pages: &[&str], verbs: &[Verb]) -> NewKey {
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<String>>()
        };
        NewKey {
            user: "ann".into(),
            admin: false,
            namespaces: Scope::Only(set(namespaces)),
            pages: (!pages.is_empty()).then(|| set(pages)),
            verbs: verbs.iter().copied().collect(),
            expires: Timestamp::now() + Duration::from_secs(3600),
        }
    }

    #[test]
    fn names_are_checked_when_a_key_is_made() {
        for (namespace, good) in [
            ("team-a", true),
            ("a", true),
            ("0", true),
            ("Team", false),
            ("team a", false),
            ("-team", false),
            ("team-", false),
            ("team_a", false),
            ("a/b", false),
            ("", false),
            ("*", false),
        ] {
            let made = KeyRing::default().create(new(&[namespace], &[], &Verb::READING));
            assert_eq!(made.is_ok(), good, "{namespace:?}");
        }
        let long = "x".repeat(64);
        assert!(KeyRing::default().create(new(&[&long], &[], &Verb::READING)).is_err());
        for (page, good) in [
            ("a/main", true),
            ("a/main.eu", true),
            ("b/main", false),
            ("main", false),
            ("a/", false),
            ("a/Main", false),
            ("a/b/c", false),
        ] {
            let made = KeyRing::default().create(new(&["a"], &[page], &Verb::READING));
            assert_eq!(made.is_ok(), good, "{page:?}");
        }
        let admin = NewKey {
            admin: true,
            ..new(&["a"], &["a/main"], &Verb::READING)
        };
        assert!(matches!(
            KeyRing::default().create(admin),
            Err(KeyRingError::AdminOfPages)
        ));
        let nobody = NewKey {
            user: " ".into(),
            ..new(&["a"], &[], &Verb::READING)
        };
        assert!(KeyRing::default().create(nobody).is_err());
    }

    #[test]
    fn limits_are_kept_and_never_overlooked() {
        let mut ring = KeyRing::default();
        ring.create(new(&["a"], &[], &Verb::READING)).unwrap();
        let plain: serde_json::Value = serde_json::from_slice(&ring.to_json().unwrap()).unwrap();
        assert_eq!(plain["version"], 1);
        assert!(plain["keys"][0].get("verbs").is_none() && plain["keys"][0].get("pages").is_none());
        ring.create(new(&["a"], &["a/main"], &[Verb::Events])).unwrap();
        let json = ring.to_json().unwrap();
        let mut document: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(document["version"], 2);
        let read = KeyRing::from_json(&json).unwrap();
        assert_eq!(read.keys()[0].verbs, Verb::READING.into());
        assert_eq!(read.keys()[1].verbs, [Verb::Events].into());
        assert_eq!(read.keys()[1].pages, Some(["a/main".to_owned()].into()));
        document["version"] = 3.into();
        assert!(KeyRing::from_json(document.to_string().as_bytes()).is_err());
    }
}
