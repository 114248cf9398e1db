//! Identifiers and tokens that the server makes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use uuid::Uuid;

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Where identifiers, generated tokens and the ids of requests come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identifiers {
    /// From the randomness of the machine.
    #[default]
    Random,
    /// From a number: two servers with the same number that get the same requests answer the same bytes. For data in
    /// memory only, because after a restart the same identifiers would come again.
    Seeded(u64),
}

/// A series of identifiers; clones go on in the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    seeded: Option<Arc<Seeded>>,
}

#[derive(Debug)]
struct Seeded {
    seed: u64,
    series: &'static str,
    next: AtomicU64,
}

impl Ids {
    /// A series of its own: what is taken out of one does not move another.
    pub(super) fn new(source: Identifiers, series: &'static str) -> Self {
        let seeded = match source {
            Identifiers::Random => None,
            Identifiers::Seeded(seed) => Some(Arc::new(Seeded {
                seed,
                series,
                next: AtomicU64::new(0),
            })),
        };
        Self { seeded }
    }

    fn bytes(&self) -> [u8; 16] {
        let Some(seeded) = &self.seeded else {
            return Uuid::new_v4().into_bytes();
        };
        let digest = Sha256::new()
            .chain_update(seeded.seed.to_be_bytes())
            .chain_update(seeded.next.fetch_add(1, Ordering::Relaxed).to_be_bytes())
            .chain_update(seeded.series)
            .finalize();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(byte, made)| *byte = made);
        bytes
    }

    /// A new identifier: twelve lower-case letters and digits, like those of the real service.
    pub(super) fn identifier(&self) -> String {
        let bytes = self.bytes();
        // Bytes 6 and 8 of a random UUID carry its version and variant and are not random.
        [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14]
            .iter()
            .filter_map(|position| bytes.get(*position))
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect()
    }

    /// A new access token, also good as an unguessable 32-digit mark.
    pub(super) fn token(&self) -> String {
        Uuid::from_bytes(self.bytes()).simple().to_string()
    }
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
        for ids in [Ids::default(), Ids::new(Identifiers::Seeded(1), "objects")] {
            let one = ids.identifier();
            assert_eq!(one.len(), 12);
            assert!(
                one.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            );
            assert_ne!(one, ids.identifier());
            assert!(is_identifier(&one));
            assert_eq!(ids.token().len(), 32);
        }
        assert!(!is_identifier("a/b"));
        assert!(!is_identifier(""));
    }

    #[test]
    fn a_seed_gives_the_same_series_and_series_are_apart() {
        let some = |source, series| {
            let ids = Ids::new(source, series);
            (ids.identifier(), ids.clone().token(), ids.identifier())
        };
        let one = some(Identifiers::Seeded(7), "objects");
        assert_eq!(one, some(Identifiers::Seeded(7), "objects"));
        assert_ne!(one, some(Identifiers::Seeded(7), "requests"));
        assert_ne!(one, some(Identifiers::Seeded(8), "objects"));
        assert_ne!(
            some(Identifiers::Random, "objects"),
            some(Identifiers::Random, "objects")
        );
    }
}
