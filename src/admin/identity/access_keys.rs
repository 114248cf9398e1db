//! Access keys in a file: made, listed and revoked by `statuspage access-key`, read by the server.
//!
//! Invariant: the file alone lets nobody in. It holds hashes of tokens; a token that is signed with the file's secret
//! but was never issued has no hash there.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Refusal, signed_token};
use crate::admin::caller::{Caller, Scope};
use crate::admin::file_stamp::FileStamp;

/// Why the file of access keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessKeyError {
    /// It cannot be read or written.
    #[error("cannot use the file of access keys {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no such file.
    #[error("{} is no file of access keys", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There is no such key.
    #[error("there is no access key {0}")]
    NoKey(String),
    /// The end lies before the beginning, or beyond the calendar.
    #[error("the access key would never be valid: choose another expiry")]
    Expiry,
}

/// Why a token is not accepted.
#[derive(Debug)]
pub(super) enum CheckError {
    /// It is wrong.
    Refused(Refusal),
    /// The file cannot be read.
    File(AccessKeyError),
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Who uses it; the user in logs.
    pub user: String,
    /// May ask beyond its namespaces where there is a way to ask so.
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

/// A key as the file holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// Who uses it.
    pub user: String,
    /// May ask beyond its namespaces.
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

#[derive(Default, Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// Base64 of the secret that tokens are signed with.
    signing_secret: String,
    keys: Vec<StoredKey>,
}

/// The access keys of a file, read again when it changes.
#[derive(Debug)]
pub struct AccessKeys {
    path: PathBuf,
    loaded: Mutex<Option<Loaded>>,
}

struct Loaded {
    stamp: FileStamp,
    secret: Vec<u8>,
    keys: Vec<StoredKey>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} keys", self.keys.len())
    }
}

impl AccessKeys {
    /// The keys of a file, which need not be there yet.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        AccessKeys {
            path: path.into(),
            loaded: Mutex::new(None),
        }
    }

    /// Makes a key and adds it to the file, which is made too when it is absent.
    ///
    /// # Errors
    /// The file cannot be used, or the key would never be valid.
    pub fn create(&self, key: NewKey) -> Result<IssuedKey, AccessKeyError> {
        let created = Timestamp::now();
        if key.expires <= created {
            return Err(AccessKeyError::Expiry);
        }
        let id = uuid::Uuid::new_v4().to_string();
        let token = self.change(|contents| {
            if contents.signing_secret.is_empty() {
                contents.signing_secret = STANDARD.encode(random_bytes());
            }
            let secret = self.secret_of(contents)?;
            let issued = created.as_millisecond();
            let token =
                signed_token::sign(&secret, &id, issued, key.expires.as_millisecond()).map_err(|e| self.format(e))?;
            contents.keys.push(StoredKey {
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
            Ok(token)
        })?;
        Ok(IssuedKey {
            id,
            token: SecretString::from(token),
        })
    }

    /// The keys of the file, in the order in which they were made.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn list(&self) -> Result<Vec<StoredKey>, AccessKeyError> {
        Ok(self.read()?.keys)
    }

    /// Takes a key out of the file.
    ///
    /// # Errors
    /// The file cannot be used, or there is no such key.
    pub fn revoke(&self, id: &str) -> Result<(), AccessKeyError> {
        self.change(|contents| {
            let before = contents.keys.len();
            contents.keys.retain(|key| key.id != id);
            if contents.keys.len() == before {
                return Err(AccessKeyError::NoKey(id.to_owned()));
            }
            Ok(())
        })
    }

    /// The caller of a token, and of its key where one is named beside it.
    pub(super) fn caller(&self, key: Option<&str>, token: &str, now: Timestamp) -> Result<Caller, CheckError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut loaded).map_err(CheckError::File)?;
        let Some(loaded) = loaded.as_ref() else {
            return Err(CheckError::Refused(Refusal::Malformed));
        };
        let verified = signed_token::verify(&loaded.secret, token).map_err(CheckError::Refused)?;
        let stored = loaded
            .keys
            .iter()
            .find(|stored| stored.id == key.unwrap_or(&verified.key))
            .filter(|stored| bool::from(stored.token_sha256.as_bytes().ct_eq(hash(token).as_bytes())))
            .ok_or(CheckError::Refused(Refusal::Unknown))?;
        let end = stored.expires.as_millisecond().min(verified.expires);
        if end <= now.as_millisecond() {
            return Err(CheckError::Refused(Refusal::Expired));
        }
        Ok(Caller {
            user: stored.user.clone(),
            admin: stored.admin,
            namespaces: stored.namespaces.clone().map_or(Scope::All, Scope::Only),
        })
    }

    fn refresh(&self, loaded: &mut Option<Loaded>) -> Result<(), AccessKeyError> {
        let stamp = match FileStamp::of(&self.path) {
            Ok(stamp) => stamp,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *loaded = None;
                return Ok(());
            }
            Err(error) => return Err(self.io(error)),
        };
        if loaded.as_ref().is_some_and(|loaded| loaded.stamp == stamp) {
            return Ok(());
        }
        let contents = self.read()?;
        *loaded = Some(Loaded {
            stamp,
            secret: self.secret_of(&contents)?,
            keys: contents.keys,
        });
        Ok(())
    }

    fn read(&self) -> Result<Contents, AccessKeyError> {
        match fs::read(&self.path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| self.format(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents {
                version: 1,
                ..Contents::default()
            }),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Changes the file as a whole: readers see it before or after, and two changes never lose one another.
    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> Result<T, AccessKeyError>) -> Result<T, AccessKeyError> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory).map_err(|error| self.io(error))?;
        // The directory is locked: the file itself is replaced.
        let exclusion = File::open(directory).map_err(|error| self.io(error))?;
        exclusion.lock().map_err(|error| self.io(error))?;
        let mut contents = self.read()?;
        let result = change(&mut contents)?;
        let json = serde_json::to_vec_pretty(&contents).map_err(|error| self.format(error))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(&json)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.io(error)
        })?;
        Ok(result)
    }

    fn secret_of(&self, contents: &Contents) -> Result<Vec<u8>, AccessKeyError> {
        STANDARD
            .decode(&contents.signing_secret)
            .ok()
            .filter(|secret| secret.len() >= 32)
            .ok_or_else(|| self.format(serde::de::Error::custom("the signing secret is missing or too short")))
    }

    fn io(&self, source: io::Error) -> AccessKeyError {
        AccessKeyError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn format(&self, source: serde_json::Error) -> AccessKeyError {
        AccessKeyError::Format {
            path: self.path.clone(),
            source,
        }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;

    fn refusal(result: Result<Caller, CheckError>) -> Refusal {
        match result {
            Err(CheckError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_lives_until_it_is_revoked_or_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/access.json");
        let keys = AccessKeys::of(&path);
        let now = Timestamp::now();
        assert_eq!(refusal(keys.caller(None, "x", now)), Refusal::Malformed);
        let expires = now + Duration::from_secs(3600);
        let new = |user: &str| NewKey {
            user: user.into(),
            admin: false,
            namespaces: Scope::Only(BTreeSet::from(["a".to_owned()])),
            expires,
        };
        let ann = keys.create(new("ann")).unwrap();
        let bob = keys.create(new("bob")).unwrap();
        let token = ann.token.expose_secret();
        let caller = keys.caller(Some(&ann.id), token, now).unwrap();
        assert_eq!(
            (caller.user.as_str(), caller.may_see("a"), caller.may_see("b")),
            ("ann", true, false)
        );
        assert!(keys.caller(None, token, now).is_ok());
        // A good token of another key, and a key that is none.
        assert_eq!(refusal(keys.caller(Some(&bob.id), token, now)), Refusal::Unknown);
        assert_eq!(refusal(keys.caller(Some("nope"), token, now)), Refusal::Unknown);
        assert_eq!(refusal(keys.caller(Some(&ann.id), "nope", now)), Refusal::Malformed);
        assert_eq!(refusal(keys.caller(None, token, expires)), Refusal::Expired);

        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(token) && !text.contains(token.rsplit('.').next().unwrap()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Whoever reads the file can sign, and still gets nowhere.
        let contents: Contents = serde_json::from_str(&text).unwrap();
        let secret = STANDARD.decode(contents.signing_secret).unwrap();
        let forged = signed_token::sign(&secret, &ann.id, 0, expires.as_millisecond()).unwrap();
        assert_eq!(refusal(keys.caller(None, &forged, now)), Refusal::Unknown);

        // Another process revokes it.
        AccessKeys::of(&path).revoke(&ann.id).unwrap();
        assert_eq!(refusal(keys.caller(None, token, now)), Refusal::Unknown);
        assert_eq!(keys.list().unwrap().len(), 1);
        assert!(matches!(keys.revoke(&ann.id), Err(AccessKeyError::NoKey(_))));
        assert!(matches!(
            keys.create(NewKey {
                expires: now,
                ..new("late")
            }),
            Err(AccessKeyError::Expiry)
        ));
    }

    #[test]
    fn a_broken_file_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        for text in ["", "{}", r#"{"version": 1, "signing_secret": "YQ==", "keys": []}"#] {
            fs::write(&path, text).unwrap();
            let answer = AccessKeys::of(&path).caller(None, "a.b.c", Timestamp::now());
            assert!(matches!(answer, Err(CheckError::File(_))), "{text}");
        }
    }
}
