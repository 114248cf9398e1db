//! What is recorded of the values that were applied: hashes, in a place that more people may read than the values.
//!
//! Invariant: whoever reads the records cannot test a guess at a secret, and cannot tell that two objects have one value.
//! Each object has a salt of its own, its uid. Hashes of secrets are keyed besides, with a key that follows from the token
//! of the page, which all who write the records have, and nobody else.

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::statuspage::Token;

/// The key of hashes of secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// The key that follows from the token of a page.
    pub fn of_token(token: &Token) -> Self {
        SealKey(token.derived_key("hashes of secrets"))
    }

    /// Says which key it is, and nothing about the token.
    fn id(&self) -> String {
        hex(&Sha256::digest(self.0), 2)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey(..)")
    }
}

/// Makes and compares the hashes of one object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seal<'a> {
    /// The salt: the uid of the declaration.
    pub uid: &'a str,
    /// The key; none before the token is known.
    pub key: Option<&'a SealKey>,
}

impl Seal<'_> {
    /// The hash of a value that is no secret.
    pub fn of(&self, value: &Value) -> String {
        hex(&Sha256::digest(format!("{}\n{value}", self.uid)), 5)
    }

    /// The hash of a secret under a name; empty without the key, when nothing can be said about it.
    pub(super) fn of_secret(&self, name: &str, value: &Value) -> String {
        let Some(key) = self.key else {
            return String::new();
        };
        let mut mac = match Hmac::<Sha256>::new_from_slice(&key.0) {
            Ok(mac) => mac,
            // A key of any length is one.
            Err(_) => Hmac::<Sha256>::new(&Default::default()),
        };
        mac.update(format!("{}\n{name}\n{value}", self.uid).as_bytes());
        format!("{}:{}", key.id(), hex(&mac.finalize().into_bytes(), 10))
    }

    /// True when a value is the recorded one. Records of earlier versions had neither salt nor key.
    pub fn is(&self, recorded: &str, value: &Value) -> bool {
        recorded == self.of(value) || recorded == hash(value)
    }

    /// True when a secret under a name is not known to be another than the recorded one.
    ///
    /// After the token was changed, secrets count as unchanged: a new token is no reason to make everything anew.
    pub(super) fn is_secret(&self, recorded: &str, name: &str, value: &Value) -> bool {
        let Some((id, _)) = recorded.split_once(':') else {
            return recorded.is_empty() || recorded == hash(value);
        };
        match self.key {
            Some(key) if key.id() == id => recorded == self.of_secret(name, value),
            _ => true,
        }
    }
}

/// A short hash of a value that everybody may know.
pub fn hash(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string().as_bytes()), 5)
}

/// The first bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(2 * length);
    for byte in bytes.iter().take(length) {
        // Nothing can go wrong in memory.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::fields::{Access, Field};

    fn key_of(token: &str) -> SealKey {
        SealKey::of_token(&Token::new(token.to_owned()).unwrap())
    }

    fn secret(value: &str) -> Field {
        let mut field = Field::new("apiKeySecretRef", "api_key", json!(value), None).access(Access::CreateOnly);
        field.secret = true;
        field
    }

    #[test]
    fn one_value_has_another_hash_in_each_object() {
        let (one, other) = (Seal { uid: "a", key: None }, Seal { uid: "b", key: None });
        assert_ne!(one.of(&json!("x")), other.of(&json!("x")));
        assert!(one.is(&one.of(&json!("x")), &json!("x")));
        assert!(!one.is(&other.of(&json!("x")), &json!("x")));
    }

    #[test]
    fn a_guess_at_a_secret_cannot_be_tested_without_the_token() {
        let (key, wrong) = (key_of("token"), key_of("guess"));
        let seal = Seal {
            uid: "a",
            key: Some(&key),
        };
        let recorded = seal.of_field(&secret("hunter2"));
        assert!(seal.is_field(&recorded, &secret("hunter2")));
        assert!(!seal.is_field(&recorded, &secret("hunter3")));
        let without = Seal {
            uid: "a",
            key: Some(&wrong),
        };
        assert_ne!(without.of_field(&secret("hunter2")), recorded);
        let plain = [hash(&json!("hunter2")), seal.of(&json!("hunter2"))];
        assert!(plain.iter().all(|plain| !recorded.contains(plain.as_str())));
        assert!(!format!("{key:?}").contains(&hex(&key.0, 4)));
    }

    #[test]
    fn a_new_token_makes_no_secret_another_one() {
        let (old, new) = (key_of("old"), key_of("new"));
        let recorded = Seal {
            uid: "a",
            key: Some(&old),
        }
        .of_field(&secret("hunter2"));
        let seal = Seal {
            uid: "a",
            key: Some(&new),
        };
        assert!(seal.is_field(&recorded, &secret("hunter2")));
        assert!(!seal.is_field(&seal.of_field(&secret("hunter2")), &secret("other")));
    }

    #[test]
    fn records_of_earlier_versions_are_understood() {
        let key = key_of("token");
        let seal = Seal {
            uid: "a",
            key: Some(&key),
        };
        assert!(seal.is_field(&hash(&json!("hunter2")), &secret("hunter2")));
        assert!(!seal.is_field(&hash(&json!("hunter2")), &secret("other")));
        assert!(seal.is(&hash(&json!(1)), &json!(1)));
    }
}
