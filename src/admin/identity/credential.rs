//! Credentials as headers carry them.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use super::{GATEWAY_SECRET_HEADER, Refusal};

/// A hash that names a credential without giving it away.
pub(super) type Fingerprint = [u8; 32];

/// What a request shows. Without Debug: it must not end in a log.
pub(super) enum Credential {
    /// `X-Key` and `X-Access-Token`.
    AccessKey {
        /// The id of the key.
        key: String,
        token: String,
    },
    /// `Authorization: Bearer` or `X-Auth-Token`.
    Bearer(String),
    /// `x-rh-identity` of a gateway.
    Gateway {
        /// Base64 of JSON.
        identity: String,
        /// The gateway's own secret; empty when it sent none.
        secret: String,
    },
}

/// What clients of the event service send when they have no token.
const NO_TOKEN: &str = "notused";

/// Reads the credential of a request. Several at once are one too many: it would not be clear who asks.
pub(super) fn read(headers: &HeaderMap, gateway: bool) -> Result<Option<Credential>, Refusal> {
    let mut found = Vec::new();
    match (text(headers, "x-key")?, text(headers, "x-access-token")?) {
        (Some(key), Some(token)) => found.push(Credential::AccessKey { key, token }),
        (None, None) => {}
        _ => return Err(Refusal::Missing),
    }
    if let Some(value) = text(headers, "authorization")? {
        let (scheme, token) = value.split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Err(Refusal::Malformed);
        }
        found.push(Credential::Bearer(token.trim().to_owned()));
    }
    match text(headers, "x-auth-token")? {
        // Nothing is nothing; beside something else it is a contradiction.
        Some(token) if token == NO_TOKEN => {
            return if found.is_empty() {
                Ok(None)
            } else {
                Err(Refusal::Malformed)
            };
        }
        Some(token) => found.push(Credential::Bearer(token)),
        None => {}
    }
    if gateway && let Some(identity) = text(headers, "x-rh-identity")? {
        let secret = text(headers, GATEWAY_SECRET_HEADER)?.unwrap_or_default();
        found.push(Credential::Gateway { identity, secret });
    }
    let first = found.pop();
    if found.is_empty() {
        Ok(first)
    } else {
        Err(Refusal::Malformed)
    }
}

/// A header that occurs once and is text; an empty one is none.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?.trim();
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

impl Credential {
    /// A hash that names what the throttle trusts: of a gateway its secret, whoever it speaks for.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let parts: [&str; 3] = match self {
            Credential::AccessKey { key, token } => ["key", key, token],
            Credential::Bearer(token) => ["bearer", token, ""],
            Credential::Gateway { secret, .. } => ["gateway", secret, ""],
        };
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(pairs: &[(&'static str, &'static str)]) -> Result<Option<&'static str>, Refusal> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let found = read(&headers, true)?;
        Ok(found.map(|credential| match credential {
            Credential::AccessKey { .. } => "key",
            Credential::Bearer(_) => "bearer",
            Credential::Gateway { .. } => "gateway",
        }))
    }

    #[test]
    fn a_request_shows_one_whole_credential() {
        assert_eq!(kind(&[]), Ok(None));
        assert_eq!(kind(&[("x-key", "k"), ("x-access-token", "t")]), Ok(Some("key")));
        assert_eq!(kind(&[("x-key", "k")]), Err(Refusal::Missing));
        assert_eq!(kind(&[("x-access-token", "t")]), Err(Refusal::Missing));
        assert_eq!(kind(&[("authorization", "bearer t")]), Ok(Some("bearer")));
        for scheme in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  "] {
            assert_eq!(kind(&[("authorization", scheme)]), Err(Refusal::Malformed), "{scheme}");
        }
        assert_eq!(kind(&[("x-auth-token", "t")]), Ok(Some("bearer")));
        assert_eq!(kind(&[("x-auth-token", "notused")]), Ok(None));
        assert_eq!(kind(&[("x-rh-identity", "e30")]), Ok(Some("gateway")));
        let two = [("x-auth-token", "t"), ("authorization", "Bearer t")];
        assert_eq!(kind(&two), Err(Refusal::Malformed));
    }
}
