//! A gateway in front that has checked its users and names them in `x-rh-identity`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Refusal;
use crate::admin::caller::{Caller, Scope};

/// The header by which the gateway shows that it is the gateway.
pub const GATEWAY_SECRET_HEADER: &str = "x-statuspage-gateway-secret";

/// Padding may be there or missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A gateway that is believed as long as it shows its secret.
#[derive(Debug)]
pub struct Gateway {
    secret: SecretString,
}

#[derive(Deserialize)]
struct Document {
    identity: Account,
}

#[derive(Deserialize)]
struct Account {
    account_number: String,
    user: User,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    is_org_admin: bool,
    #[serde(default = "active")]
    is_active: bool,
}

fn active() -> bool {
    true
}

impl Gateway {
    /// A gateway with this secret. None for an empty one, which everybody knows.
    pub fn new(secret: SecretString) -> Option<Self> {
        (!secret.expose_secret().is_empty()).then_some(Gateway { secret })
    }

    /// The caller that the gateway names. Its tenant, a namespace, is `acct` and the account's number.
    pub(super) fn caller(&self, identity: &str, secret: &str) -> Result<Caller, Refusal> {
        // Hashes have one length, so that not even that of the secret shows.
        let ours: [u8; 32] = Sha256::digest(self.secret.expose_secret()).into();
        let theirs: [u8; 32] = Sha256::digest(secret).into();
        if !bool::from(ours.ct_eq(&theirs)) {
            return Err(Refusal::Malformed);
        }
        let json = BASE64.decode(identity).map_err(|_| Refusal::Malformed)?;
        let document: Document = serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)?;
        let Account { account_number, user } = document.identity;
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 59
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !is_name(&account_number) || user.username.is_empty() || !user.is_active {
            return Err(Refusal::Unknown);
        }
        Ok(Caller {
            user: user.username,
            admin: user.is_org_admin,
            namespaces: Scope::Only(BTreeSet::from([format!("acct{account_number}")])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str, padded: bool, secret: &str) -> Result<Caller, Refusal> {
        let mut text = BASE64.encode(json);
        if !padded {
            text = text.trim_end_matches('=').to_owned();
        }
        Gateway::new("s3cret".into()).unwrap().caller(&text, secret)
    }

    const USER: &str = r#"{"identity": {"account_number": "10001", "type": "User",
        "user": {"username": "user_dev", "email": "user_dev@foo.com", "is_org_admin": true}}}"#;

    #[test]
    fn an_account_is_a_namespace() {
        for padded in [true, false] {
            // Three lengths, so that all paddings occur.
            for blanks in ["", " ", "  "] {
                let caller = ask(&format!("{USER}{blanks}"), padded, "s3cret").unwrap();
                assert_eq!((caller.user.as_str(), caller.admin), ("user_dev", true));
                assert!(caller.may_see("acct10001"));
                assert!(!caller.may_see("acct10002"));
            }
        }
    }

    #[test]
    fn whoever_does_not_show_the_secret_is_nobody() {
        for secret in ["", "s3cre", "s3cret "] {
            assert_eq!(ask(USER, true, secret), Err(Refusal::Malformed), "{secret:?}");
        }
        assert!(Gateway::new("".into()).is_none());
    }

    #[test]
    fn broken_identities_are_refused() {
        let gateway = Gateway::new("s3cret".into()).unwrap();
        // Not base64, not JSON, not this JSON.
        for text in ["a", "%%%%", "aGVsbG8=", "e30="] {
            assert_eq!(gateway.caller(text, "s3cret"), Err(Refusal::Malformed), "{text}");
        }
        let odd = USER.replace("10001", "1/../2");
        assert_eq!(ask(&odd, true, "s3cret"), Err(Refusal::Unknown));
        let gone = USER.replace("\"is_org_admin\": true", "\"is_active\": false");
        assert_eq!(ask(&gone, true, "s3cret"), Err(Refusal::Unknown));
    }
}
