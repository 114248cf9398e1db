//! The credential of the remote service.

use std::fmt::Write as _;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Error;

/// An API token. It is never printed.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Takes a token as people store it: space around it and a pasted `OAuth ` before it are dropped.
    ///
    /// # Errors
    /// The token is empty or holds characters that no header may hold.
    pub fn new(token: impl Into<SecretString>) -> Result<Self, Error> {
        let given: SecretString = token.into();
        let mut bare = given.expose_secret().trim();
        if let Some((scheme, rest)) = bare.split_once(char::is_whitespace)
            && scheme.eq_ignore_ascii_case("oauth")
        {
            bare = rest.trim_start();
        }
        match what_is_wrong(bare) {
            Some(reason) => Err(Error::InvalidToken { reason }),
            None => Ok(Self(SecretString::from(bare))),
        }
    }

    /// A short name for the token that does not give it away, for logs and metrics.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.expose().as_bytes());
        digest.iter().take(4).fold(String::with_capacity(8), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// A key that only those know who know the token, another one for each purpose.
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        Sha256::digest(format!("statuspage-operator {purpose}\n{}", self.expose())).into()
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Why a text is no token, without a letter of it.
fn what_is_wrong(bare: &str) -> Option<&'static str> {
    let quoted = |quote: char| bare.starts_with(quote) || bare.ends_with(quote);
    let is_two_lines = bare.contains(['\n', '\r']);
    Some(match bare {
        "" => "it is empty",
        _ if bare.eq_ignore_ascii_case("oauth") => "it is empty",
        _ if quoted('"') || quoted('\'') => "it is in quotes, which are not part of it",
        _ if is_two_lines => "it has a line break in the middle: give one token, on one line",
        _ if bare
            .get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")) =>
        {
            "it begins with `Bearer`: give the token alone"
        }
        _ if bare.contains(char::is_whitespace) => "it has a space in the middle",
        _ if !bare.bytes().all(|byte| byte.is_ascii_graphic()) => "it has a character that no token has",
        _ => return None,
    })
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Token([redacted {}])", self.fingerprint())
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Token {}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text.to_owned()).unwrap()
    }

    #[test]
    fn pasted_decoration_is_dropped() {
        for text in ["abc", " abc\n", "OAuth abc", "oauth   abc\n", "OAUTH\tabc"] {
            assert_eq!(token(text).expose(), "abc", "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["", " \n", "OAuth ", "oauth", "a b", "a\nb", "tökén"] {
            assert!(Token::new(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_token() {
        for (text, said) in [
            (" \n", "it is empty"),
            ("\"hunter2\"", "in quotes"),
            ("'hunter2'", "in quotes"),
            ("hunter2 hunter3", "a space in the middle"),
            ("hunter2\nhunter3", "a line break in the middle"),
            ("Bearer hunter2", "`Bearer`"),
            ("hünter2", "a character that no token has"),
        ] {
            let error = Token::new(text.to_owned()).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("nter"), "{error}");
        }
    }

    #[test]
    fn it_is_not_printed() {
        let token = token("correct-horse");
        assert!(!format!("{token:?}").contains("horse"));
        assert_eq!(token.fingerprint().len(), 8);
    }
}
