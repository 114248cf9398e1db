//! Tokens of access keys: JSON Web Tokens with HMAC-SHA-256.
//!
//! `exp` is in milliseconds, as clients of this contract read it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Refusal;

const ALGORITHM: &str = "HS256";

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    iat: i64,
}

/// A token whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// The key that it belongs to.
    pub key: String,
    /// Milliseconds since 1970 at which it ends.
    pub expires: i64,
}

/// True for a token that says it was signed as ours are; Kubernetes signs with key pairs.
pub(super) fn is_ours(token: &str) -> bool {
    header(token).is_some_and(|header| header.alg == ALGORITHM)
}

fn header(token: &str) -> Option<Header> {
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

/// Signs a token of a key.
///
/// # Errors
/// Never for what is passed here: JSON of two plain structs.
pub(super) fn sign(secret: &[u8], key: &str, issued: i64, expires: i64) -> Result<String, serde_json::Error> {
    let header = Header {
        alg: ALGORITHM.to_owned(),
        typ: Some("JWT".to_owned()),
        kid: Some(key.to_owned()),
    };
    let claims = Claims {
        exp: expires,
        iat: issued,
    };
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let signed = format!(
        "{}.{}",
        part(serde_json::to_vec(&header)?),
        part(serde_json::to_vec(&claims)?)
    );
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    Ok(format!("{signed}.{signature}"))
}

/// Reads a token and checks its signature, in the same time for all wrong ones.
pub(super) fn verify(secret: &[u8], token: &str) -> Result<Verified, Refusal> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let header = header(token)
        .filter(|header| header.alg == ALGORITHM)
        .ok_or(Refusal::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Malformed)?;
    mac(secret, signed)
        .verify_slice(&signature)
        .map_err(|_| Refusal::Malformed)?;
    let claims = signed.split_once('.').map(|(_, claims)| claims).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Refusal::Malformed)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Refusal::Malformed)?;
    Ok(Verified {
        key: header.kid.ok_or(Refusal::Malformed)?,
        expires: claims.exp,
    })
}

fn mac(secret: &[u8], text: &str) -> Hmac<Sha256> {
    // A key of any length will do: only other algorithms than HMAC refuse some.
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret) {
        Ok(mac) => mac,
        Err(_) => Hmac::<Sha256>::new(&Default::default()),
    };
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7515, appendix A.1: key, signed text, signature.
    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = URL_SAFE_NO_PAD.encode(mac(&key, signed).finalize().into_bytes());
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn only_tokens_of_the_secret_pass() {
        let token = sign(b"secret", "k1", 1_000, 2_000).unwrap();
        assert!(is_ours(&token));
        let good = Verified {
            key: "k1".into(),
            expires: 2_000,
        };
        assert_eq!(verify(b"secret", &token), Ok(good));
        assert_eq!(verify(b"other", &token), Err(Refusal::Malformed));
        let forged = [
            String::new(),
            "a.b.c".to_owned(),
            token[..token.len() - 2].to_owned(),
            // Nobody may choose the algorithm: {"alg":"none"}.
            format!("eyJhbGciOiJub25lIn0.{}", token.split_once('.').unwrap().1),
        ];
        for token in forged {
            assert_eq!(verify(b"secret", &token), Err(Refusal::Malformed), "{token}");
        }
    }
}
