//! Who asks: the one place that maps a credential to a [`Caller`].
//!
//! Invariants: a wrong credential is refused, never taken for none; comparisons with secrets take the same time
//! whatever they find; nothing here logs or returns a credential.

pub mod access_keys;
mod credential;
mod gateway;
pub mod key_ring;
pub mod kubernetes;
mod network;
mod signed_token;
pub(super) mod throttle;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use futures::future::BoxFuture;

use super::caller::Caller;
use super::problem::Problem;
pub use super::problem::Refusal;
use access_keys::AccessKeys;
use credential::{Credential, Fingerprint, read};
pub use gateway::{GATEWAY_SECRET_HEADER, Gateway};
pub use network::Network;
use throttle::Throttle;

/// Why a bearer token gives no caller.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not accepted")]
    Refused(Refusal),
    /// Whoever decides cannot be asked.
    #[error("the token cannot be checked: {0}")]
    Unavailable(String),
}

/// Decides about bearer tokens that are not our own.
pub trait TokenAuthority: Send + Sync + 'static {
    /// The caller behind a token.
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, TokenError>>;
}

/// How long a credential that was good lets its holder pass the throttle.
const TRUST: Duration = Duration::from_secs(600);
/// How many good credentials are remembered.
const TRUSTED: usize = 1024;

/// Everything that decides who asks.
#[derive(Default)]
pub struct Identity {
    access_keys: Option<AccessKeys>,
    tokens: Option<Arc<dyn TokenAuthority>>,
    gateway: Option<Gateway>,
    anonymous: Option<Caller>,
    throttle: Throttle,
    trusted: Mutex<HashMap<Fingerprint, Instant>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let anonymous = self.anonymous.is_some();
        formatter
            .debug_struct("Identity")
            .field("anonymous", &anonymous)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Lets nobody in.
    pub fn new() -> Self {
        Identity::default()
    }

    /// Takes access keys.
    #[must_use]
    pub fn with_access_keys(mut self, keys: AccessKeys) -> Self {
        self.access_keys = Some(keys);
        self
    }

    /// Takes bearer tokens.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenAuthority>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Believes what a gateway says about its users.
    #[must_use]
    pub fn with_gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Takes whoever has no credentials for this caller: for a server that only one person can reach.
    #[must_use]
    pub fn with_anonymous(mut self, caller: Caller) -> Self {
        self.anonymous = Some(caller);
        self
    }

    /// True when callers without credentials are let in as somebody.
    pub fn is_open(&self) -> bool {
        self.anonymous.is_some()
    }

    /// Credentials that were refused since the start.
    pub fn refused(&self) -> u64 {
        self.throttle.failures()
    }

    /// The caller that the headers name; none without credentials.
    ///
    /// # Errors
    /// The credentials are not accepted, or this peer has tried too often.
    pub async fn caller(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Option<Caller>, Problem> {
        let credential = match read(headers, self.gateway.is_some()) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Ok(self.anonymous.clone()),
            Err(refusal) => return Err(Problem::Unauthorized(refusal)),
        };
        let fingerprint = credential.fingerprint();
        let now = Instant::now();
        if !self.trusts(&fingerprint, now)
            && !self.is_gateway_alone(&credential, peer)
            && let Err(seconds) = self.throttle.admit(peer, now)
        {
            return Err(Problem::Throttled(seconds));
        }
        let proved = self.is_proved(&credential, peer);
        match self.check(&credential, proved).await {
            Ok(caller) => {
                self.trust(fingerprint, now);
                Ok(Some(caller))
            }
            // Whom a gateway names is no guess of its address: behind it are all its users.
            Err(TokenError::Refused(refusal)) if proved => {
                self.trust(fingerprint, now);
                Err(Problem::Unauthorized(refusal))
            }
            Err(TokenError::Refused(refusal)) => {
                self.trusted().remove(&fingerprint);
                self.throttle.failed(peer, now);
                Err(Problem::Unauthorized(refusal))
            }
            Err(TokenError::Unavailable(reason)) => {
                tracing::warn!(reason, "credentials cannot be checked");
                Err(Problem::Unavailable)
            }
        }
    }

    /// True for an address of the gateway: behind it are many.
    pub(super) fn is_gateway(&self, peer: IpAddr) -> bool {
        self.gateway.as_ref().is_some_and(|gateway| gateway.is_at(peer))
    }

    /// True when a gateway is believed by its address: there is no secret to guess.
    fn is_gateway_alone(&self, credential: &Credential, peer: IpAddr) -> bool {
        let without_secret = self.gateway.as_ref().is_some_and(|gateway| !gateway.has_secret());
        without_secret && self.is_proved(credential, peer)
    }

    fn is_proved(&self, credential: &Credential, peer: IpAddr) -> bool {
        match (credential, &self.gateway) {
            (Credential::Gateway { secret, .. }, Some(gateway)) => gateway.is_proved(secret, peer),
            _ => false,
        }
    }

    /// Why nobody could enter, if that is so: for whoever has just started a server.
    pub fn nobody_can_enter(&self) -> Option<String> {
        if self.tokens.is_some() || self.gateway.is_some() || self.anonymous.is_some() {
            return None;
        }
        let way_out = "make one with `statuspage access-key create`";
        match &self.access_keys {
            None => Some(format!(
                "no access keys are given: {way_out}, and give its file with --access-keys"
            )),
            Some(keys) => match keys.is_empty() {
                Ok(true) => {
                    let file = keys.path().display();
                    Some(format!("no access key in {file} is valid: {way_out} --file {file}"))
                }
                // A file that cannot be read is told with each request, and at the start by who made it.
                Ok(false) | Err(_) => None,
            },
        }
    }

    async fn check(&self, credential: &Credential, proved: bool) -> Result<Caller, TokenError> {
        match credential {
            Credential::AccessKey { key, token } => self.access_key(Some(key.as_str()), token),
            Credential::Bearer(token) => match (signed_token::is_ours(token), &self.tokens) {
                (true, _) => self.access_key(None, token),
                (false, Some(tokens)) => tokens.caller(token).await,
                (false, None) => Err(TokenError::Refused(Refusal::Malformed)),
            },
            Credential::Gateway { identity, .. } => match &self.gateway {
                Some(gateway) if proved => gateway.caller(identity).map_err(TokenError::Refused),
                _ => Err(TokenError::Refused(Refusal::Malformed)),
            },
        }
    }

    fn access_key(&self, key: Option<&str>, token: &str) -> Result<Caller, TokenError> {
        let keys = self.access_keys.as_ref();
        let keys = keys.ok_or(TokenError::Refused(Refusal::Malformed))?;
        keys.caller(key, token, jiff::Timestamp::now())
    }

    fn trusted(&self) -> std::sync::MutexGuard<'_, HashMap<Fingerprint, Instant>> {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One address may be that of a proxy: a stranger's failures behind it must not shut out those who got in before.
    fn trusts(&self, fingerprint: &Fingerprint, now: Instant) -> bool {
        self.trusted()
            .get(fingerprint)
            .is_some_and(|since| now.saturating_duration_since(*since) < TRUST)
    }

    fn trust(&self, fingerprint: Fingerprint, now: Instant) {
        let mut trusted = self.trusted();
        if trusted.len() >= TRUSTED {
            trusted.retain(|_, since| now.saturating_duration_since(*since) < TRUST);
        }
        if trusted.len() < TRUSTED || trusted.contains_key(&fingerprint) {
            trusted.insert(fingerprint, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::admin::caller::{Grant, Scope};

    struct Known;

    impl TokenAuthority for Known {
        fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, TokenError>> {
            Box::pin(async move {
                match token {
                    "good" => {
                        let only = Scope::Only(BTreeSet::from(["a".to_owned()]));
                        Ok(Caller::new("ann", false, Grant::reading(only)))
                    }
                    "down" => Err(TokenError::Unavailable("no route".into())),
                    _ => Err(TokenError::Refused(Refusal::Unknown)),
                }
            })
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn failures_shut_out_strangers_and_nobody_else() {
        let identity = Identity::new().with_tokens(Arc::new(Known));
        let ask = async |token: &str| {
            let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
            identity.caller(&headers, PEER).await
        };
        assert_eq!(ask("good").await.unwrap().unwrap().user, "ann");
        for number in 0..throttle::ATTEMPTS {
            let refused = ask(&format!("wrong{number}")).await;
            assert_eq!(refused, Err(Problem::Unauthorized(Refusal::Unknown)));
        }
        assert!(matches!(ask("wrong").await, Err(Problem::Throttled(_))));
        assert!(ask("good").await.is_ok());
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let refused = identity.caller(&headers(&[("x-auth-token", "wrong")]), elsewhere).await;
        assert_eq!(refused, Err(Problem::Unauthorized(Refusal::Unknown)));
        assert_eq!(identity.refused(), u64::from(throttle::ATTEMPTS) + 1);
    }

    #[tokio::test]
    async fn users_of_a_gateway_do_not_shut_out_each_other() {
        let identity = |text: &str| {
            let user = format!(r#"{{"identity": {{"account_number": "1", "user": {text}}}}}"#);
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, user)
        };
        let (active, inactive) = (
            identity(r#"{"username": "ann"}"#),
            identity(r#"{"username": "ivy", "is_active": false}"#),
        );
        for (gateway, secret) in [
            (Gateway::new(Some("s3cret".into()), Vec::new()), "s3cret"),
            (Gateway::new(None, vec!["127.0.0.1".parse().unwrap()]), ""),
        ] {
            let identity = Identity::new().with_gateway(gateway.unwrap());
            let ask = async |user: &str, secret: &str| {
                let shown = [("x-rh-identity", user), (GATEWAY_SECRET_HEADER, secret)];
                identity.caller(&headers(&shown), PEER).await
            };
            for _ in 0..throttle::ATTEMPTS + 1 {
                let refused = ask(&inactive, secret).await;
                assert_eq!(refused, Err(Problem::Unauthorized(Refusal::Unknown)));
            }
            assert_eq!(ask(&active, secret).await.unwrap().unwrap().user, "ann");
            assert_eq!(identity.refused(), 0);
            if secret.is_empty() {
                continue;
            }
            // Whoever does not know the secret guesses, and is slowed down; the gateway at the same address is not.
            for number in 0..throttle::ATTEMPTS {
                let refused = ask(&active, &format!("guess {number}")).await;
                assert_eq!(refused, Err(Problem::Unauthorized(Refusal::Malformed)));
            }
            assert!(matches!(ask(&active, "guess").await, Err(Problem::Throttled(_))));
            assert!(ask(&active, secret).await.is_ok());
            assert_eq!(
                ask(&inactive, secret).await,
                Err(Problem::Unauthorized(Refusal::Unknown))
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_nobody_can_enter_is_told_apart() {
        assert!(Identity::new().nobody_can_enter().unwrap().contains("--access-keys"));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys.json");
        let with_file = || Identity::new().with_access_keys(AccessKeys::of(&file));
        assert!(with_file().nobody_can_enter().unwrap().contains("access-key create"));
        assert!(with_file().with_tokens(Arc::new(Known)).nobody_can_enter().is_none());
        let new = key_ring::NewKey {
            user: "ann".into(),
            admin: false,
            namespaces: Scope::All,
            pages: None,
            verbs: crate::admin::caller::Verb::READING.into(),
            expires: jiff::Timestamp::now() + Duration::from_secs(60),
        };
        AccessKeys::of(&file).create(new).unwrap();
        assert_eq!(with_file().nobody_can_enter(), None);
    }

    #[tokio::test]
    async fn an_authority_that_is_down_is_no_failure_of_the_caller() {
        let identity = Identity::new().with_tokens(Arc::new(Known));
        let answer = identity.caller(&headers(&[("x-auth-token", "down")]), PEER).await;
        assert_eq!(answer, Err(Problem::Unavailable));
        assert_eq!(identity.refused(), 0);
    }

    #[tokio::test]
    async fn nothing_is_taken_that_was_not_switched_on() {
        let identity = Identity::new();
        for header in ["x-auth-token", "x-rh-identity"] {
            let answer = identity
                .caller(&headers(&[(header, "eyJpZGVudGl0eSI6e319")]), PEER)
                .await;
            assert!(!matches!(answer, Ok(Some(_))), "{header}");
        }
        assert_eq!(identity.caller(&HeaderMap::new(), PEER).await, Ok(None));
    }
}
