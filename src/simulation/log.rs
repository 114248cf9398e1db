//! What the run of a seed logs, looked through for secrets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// The token of every run: what must never show.
pub(super) const TOKEN: &str = "sim0token0that0must0never0show00";

/// Of so many seeds one has its log looked through: writing it takes longer than the run.
const ONE_IN: u64 = 8;

/// Where a log goes that nobody reads.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<AtomicBool>);

impl io::Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()) {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Does the work of a seed; true when its log holds the token.
pub(super) fn shows_token<T>(seed: u64, work: impl FnOnce() -> T) -> (T, bool) {
    if !seed.is_multiple_of(ONE_IN) {
        return (work(), false);
    }
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .with_writer(sink.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, work);
    (result, sink.0.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_log_is_seen() {
        assert!(shows_token(ONE_IN, || tracing::debug!(error = TOKEN, "it failed")).1);
        assert!(!shows_token(ONE_IN, || tracing::debug!("it failed")).1);
    }
}
