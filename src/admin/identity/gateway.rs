//! A gateway in front that has checked its users and names them in `x-rh-identity`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Refusal;
use super::network::Network;
use crate::admin::caller::{Caller, Grant, Scope};

/// The header by which the gateway shows that it is the gateway.
pub const GATEWAY_SECRET_HEADER: &str = "x-statuspage-gateway-secret";

/// Padding may be there or missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A gateway that is believed by its secret, by its address, or by both.
#[derive(Debug)]
pub struct Gateway {
    secret: Option<SecretString>,
    networks: Vec<Network>,
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
    email: Option<String>,
    #[serde(default)]
    is_org_admin: bool,
    #[serde(default = "active")]
    is_active: bool,
}

fn active() -> bool {
    true
}

impl Gateway {
    /// A gateway that shows this secret and comes from one of these networks; what is not given is not asked for. None
    /// when neither is given, or the secret is the empty one, which everybody knows.
    pub fn new(secret: Option<SecretString>, networks: Vec<Network>) -> Option<Self> {
        let known = match &secret {
            Some(secret) => !secret.expose_secret().is_empty(),
            None => !networks.is_empty(),
        };
        known.then_some(Gateway { secret, networks })
    }

    /// True when whoever shows this secret, from this address, is the gateway.
    pub(super) fn is_proved(&self, secret: &str, peer: IpAddr) -> bool {
        let known = |ours: &SecretString| {
            // Hashes have one length, so that not even that of the secret shows.
            let ours: [u8; 32] = Sha256::digest(ours.expose_secret()).into();
            let theirs: [u8; 32] = Sha256::digest(secret).into();
            bool::from(ours.ct_eq(&theirs))
        };
        (self.networks.is_empty() || self.is_at(peer)) && self.secret.as_ref().is_none_or(known)
    }

    /// True for an address that the gateway comes from.
    pub(super) fn is_at(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// False when its address alone makes the gateway.
    pub(super) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// The caller that a gateway which has proved itself names. Its tenant, a namespace, is `acct` and the account's
    /// number.
    pub(super) fn caller(&self, identity: &str) -> Result<Caller, Refusal> {
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
        let namespace = format!("acct{account_number}");
        let grant = Grant::reading(Scope::Only(BTreeSet::from([namespace.clone()])));
        Ok(Caller {
            email: user.email.filter(|email| !email.is_empty()),
            credential: format!("gateway {namespace}/{}", user.username),
            ..Caller::new(&user.username, user.is_org_admin, grant)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str, padded: bool) -> Result<Caller, Refusal> {
        let mut text = BASE64.encode(json);
        if !padded {
            text = text.trim_end_matches('=').to_owned();
        }
        by_secret().caller(&text)
    }

    fn by_secret() -> Gateway {
        Gateway::new(Some("s3cret".into()), Vec::new()).unwrap()
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    const USER: &str = r#"{"identity": {"account_number": "10001", "type": "User",
        "user": {"username": "user_dev", "email": "user_dev@foo.com", "is_org_admin": true}}}"#;

    #[test]
    fn an_account_is_a_namespace() {
        for padded in [true, false] {
            // Three lengths, so that all paddings occur.
            for blanks in ["", " ", "  "] {
                let caller = ask(&format!("{USER}{blanks}"), padded).unwrap();
                assert_eq!((caller.user.as_str(), caller.admin), ("user_dev", true));
                assert_eq!(caller.email.as_deref(), Some("user_dev@foo.com"));
                assert!(caller.may_read("acct10001", "Component", ""));
                assert!(!caller.may_read("acct10002", "Component", ""));
            }
        }
    }

    #[test]
    fn whoever_does_not_show_the_secret_is_nobody() {
        assert!(by_secret().is_proved("s3cret", PEER));
        for secret in ["", "s3cre", "s3cret "] {
            assert!(!by_secret().is_proved(secret, PEER), "{secret:?}");
        }
        assert!(Gateway::new(Some("".into()), Vec::new()).is_none());
        assert!(Gateway::new(Some("".into()), vec!["127.0.0.1".parse().unwrap()]).is_none());
        assert!(Gateway::new(None, Vec::new()).is_none());
    }

    #[test]
    fn the_address_is_asked_for_where_one_is_given() {
        let networks: Vec<Network> = vec!["192.0.2.0/24".parse().unwrap(), "::1".parse().unwrap()];
        let address = |text: &str| -> IpAddr { text.parse().unwrap() };
        let by_address = Gateway::new(None, networks.clone()).unwrap();
        assert!(by_address.is_proved("", address("192.0.2.9")));
        assert!(by_address.is_proved("", address("::1")));
        assert!(!by_address.is_proved("", PEER));
        let by_both = Gateway::new(Some("s3cret".into()), networks).unwrap();
        assert!(by_both.is_proved("s3cret", address("192.0.2.9")));
        assert!(!by_both.is_proved("", address("192.0.2.9")));
        assert!(!by_both.is_proved("s3cret", PEER));
    }

    #[test]
    fn broken_identities_are_refused() {
        // Not base64, not JSON, not this JSON.
        for text in ["a", "%%%%", "aGVsbG8=", "e30="] {
            assert_eq!(by_secret().caller(text), Err(Refusal::Malformed), "{text}");
        }
        let odd = USER.replace("10001", "1/../2");
        assert_eq!(ask(&odd, true), Err(Refusal::Unknown));
        let gone = USER.replace("\"is_org_admin\": true", "\"is_active\": false");
        assert_eq!(ask(&gone, true), Err(Refusal::Unknown));
    }
}
