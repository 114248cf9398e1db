//! Access keys in a file: made, listed and revoked by `statuspage access-key`, read by the server. The file may be the
//! mount of a Secret.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::key_ring::{IssuedKey, KeyRing, KeyRingError, NewKey, StoredKey};
use super::{Refusal, TokenError};
use crate::admin::caller::Caller;
use crate::admin::file_stamp::FileStamp;

/// Why the file of access keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessKeyError {
    /// It cannot be read or written.
    #[error("cannot use the file of access keys {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// It is no such file.
    #[error("{} is not a file of access keys", path.display())]
    Format { path: PathBuf, source: serde_json::Error },
    /// The keys do not allow it.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

/// The access keys of a file, read again when it changes.
#[derive(Debug)]
pub struct AccessKeys {
    path: PathBuf,
    loaded: Mutex<Option<(FileStamp, KeyRing)>>,
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
        self.change(|ring| ring.create(key))
    }

    /// The keys of the file, in the order in which they were made.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn list(&self) -> Result<Vec<StoredKey>, AccessKeyError> {
        Ok(self.read()?.keys().to_vec())
    }

    /// Takes a key out of the file.
    ///
    /// # Errors
    /// The file cannot be used, or there is no such key.
    pub fn revoke(&self, id: &str) -> Result<(), AccessKeyError> {
        self.change(|ring| ring.revoke(id))
    }

    /// True when nobody gets in by these keys: there is none, or all of them have ended.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn is_empty(&self) -> Result<bool, AccessKeyError> {
        Ok(self.read()?.is_over(Timestamp::now()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The caller of a token, and of its key where one is named beside it.
    pub(super) fn caller(&self, key: Option<&str>, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let unreadable = |error: AccessKeyError| TokenError::Unavailable(error.to_string());
        self.refresh(&mut loaded).map_err(unreadable)?;
        let ring = loaded.as_ref().map(|(_, ring)| ring);
        let caller = ring.map_or(Err(Refusal::Malformed), |ring| ring.caller(key, token, now));
        caller.map_err(TokenError::Refused)
    }

    fn refresh(&self, loaded: &mut Option<(FileStamp, KeyRing)>) -> Result<(), AccessKeyError> {
        let stamp = match FileStamp::of(&self.path) {
            Ok(stamp) => stamp,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *loaded = None;
                return Ok(());
            }
            Err(error) => return Err(self.io(error)),
        };
        if loaded.as_ref().is_none_or(|(read, _)| *read != stamp) {
            *loaded = Some((stamp, self.read()?));
        }
        Ok(())
    }

    fn read(&self) -> Result<KeyRing, AccessKeyError> {
        match fs::read(&self.path) {
            Ok(json) => KeyRing::from_json(&json).map_err(|error| self.format(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyRing::default()),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Changes the file as a whole: readers see it before or after, and two changes never lose one another.
    fn change<T>(&self, change: impl FnOnce(&mut KeyRing) -> Result<T, KeyRingError>) -> Result<T, AccessKeyError> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory).map_err(|error| self.io(error))?;
        // The directory is locked: the file itself is replaced.
        let exclusion = File::open(directory).map_err(|error| self.io(error))?;
        exclusion.lock().map_err(|error| self.io(error))?;
        let mut ring = self.read()?;
        let result = change(&mut ring)?;
        let json = ring.to_json().map_err(|error| self.format(error))?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::admin::caller::{Scope, Verb};
    use crate::admin::identity::signed_token;

    fn refusal(result: Result<Caller, TokenError>) -> Refusal {
        match result {
            Err(TokenError::Refused(refusal)) => refusal,
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
            pages: None,
            verbs: Verb::READING.into(),
            expires,
        };
        assert!(keys.is_empty().unwrap());
        let ann = keys.create(new("ann")).unwrap();
        let bob = keys.create(new("bob")).unwrap();
        let token = ann.token.expose_secret();
        let caller = keys.caller(Some(&ann.id), token, now).unwrap();
        assert_eq!(
            (caller.user.as_str(), caller.namespaces()),
            ("ann", Scope::Only(BTreeSet::from(["a".to_owned()])))
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
        let contents: serde_json::Value = serde_json::from_str(&text).unwrap();
        let secret = STANDARD.decode(contents["signing_secret"].as_str().unwrap()).unwrap();
        let forged = signed_token::sign(&secret, &ann.id, 0, expires.as_millisecond()).unwrap();
        assert_eq!(refusal(keys.caller(None, &forged, now)), Refusal::Unknown);

        // Another process revokes it.
        AccessKeys::of(&path).revoke(&ann.id).unwrap();
        assert_eq!(refusal(keys.caller(None, token, now)), Refusal::Unknown);
        assert_eq!(keys.list().unwrap().len(), 1);
        assert!(matches!(
            keys.revoke(&ann.id),
            Err(AccessKeyError::Keys(KeyRingError::NoKey(_)))
        ));
        assert!(matches!(
            keys.create(NewKey {
                expires: now,
                ..new("late")
            }),
            Err(AccessKeyError::Keys(KeyRingError::Expiry))
        ));
    }

    #[test]
    fn a_broken_file_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        for text in ["", "{}", r#"{"version": 1, "signing_secret": "YQ==", "keys": []}"#] {
            fs::write(&path, text).unwrap();
            let answer = AccessKeys::of(&path).caller(None, "a.b.c", Timestamp::now());
            assert!(matches!(answer, Err(TokenError::Unavailable(_))), "{text}");
        }
    }

    /// The kubelet writes a new directory and puts a link to it in the place of the old one.
    #[test]
    fn a_mounted_secret_is_read_again_when_it_is_replaced() {
        let mount = tempfile::tempdir().unwrap();
        let swap = |name: &str, ring: &KeyRing| {
            let directory = mount.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("keys.json"), ring.to_json().unwrap()).unwrap();
            symlink(name, mount.path().join("..new")).unwrap();
            fs::rename(mount.path().join("..new"), mount.path().join("..data")).unwrap();
        };
        let keys = AccessKeys::of(mount.path().join("keys.json"));
        let now = Timestamp::now();
        // An optional Secret that is not there yet.
        assert_eq!(refusal(keys.caller(None, "a.b.c", now)), Refusal::Malformed);
        let mut ring = KeyRing::default();
        let key = ring
            .create(NewKey {
                user: "ann".into(),
                admin: false,
                namespaces: Scope::All,
                pages: None,
                verbs: Verb::READING.into(),
                expires: now + Duration::from_secs(60),
            })
            .unwrap();
        symlink("..data/keys.json", mount.path().join("keys.json")).unwrap();
        swap("..one", &ring);
        let token = key.token.expose_secret();
        assert_eq!(keys.caller(None, token, now).unwrap().user, "ann");
        ring.revoke(&key.id).unwrap();
        swap("..two", &ring);
        assert_eq!(refusal(keys.caller(None, token, now)), Refusal::Unknown);
    }
}
