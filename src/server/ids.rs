//! Identifiers and tokens that the server makes up.

use uuid::Uuid;

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A new identifier: twelve lower-case letters and digits, like those of the real service.
pub(super) fn identifier() -> String {
    let bytes = Uuid::new_v4().into_bytes();
    // Bytes 6 and 8 of a random UUID carry its version and variant and are not random.
    [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14]
        .iter()
        .filter_map(|position| bytes.get(*position))
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}

/// A new access token, also good as an unguessable 32-digit mark.
pub(super) fn token() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Whether a text may serve as the identifier of a page.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_look_like_codes() {
        let one = identifier();
        assert_eq!(one.len(), 12);
        assert!(
            one.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
        assert_ne!(one, identifier());
        assert!(is_identifier(&one));
        assert!(!is_identifier("a/b"));
        assert!(!is_identifier(""));
    }
}
