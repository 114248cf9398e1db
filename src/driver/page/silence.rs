//! How long nobody has answered, for who does not want to wait for ever.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Nobody waits longer for a service that answers nothing at all: an outage is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Since when requests have been sent and none was answered.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: watch::Sender<Option<Instant>>,
}

impl Silence {
    /// Something is being sent.
    pub(super) fn asked(&self) {
        self.since.send_if_modified(|since| {
            let is_new = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_new
        });
    }

    /// Something was answered.
    pub(super) fn answered(&self) {
        self.since.send_if_modified(|since| since.take().is_some());
    }

    /// Returns when nothing was answered for [`PATIENCE`] while something was asked. Needs no borrow of the driver.
    pub(super) fn lasts(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.since.subscribe();
        async move {
            loop {
                let since = *changes.borrow_and_update();
                let over = async {
                    match since {
                        Some(since) => sleep_until(since + PATIENCE).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = over => return,
                    changed = changes.changed() => if changed.is_err() {
                        std::future::pending::<()>().await;
                    },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_asked_and_not_answered_is_silence() {
        let silence = Silence::default();
        let ends_within = |time| {
            let lasts = silence.lasts();
            async move { timeout(time, lasts).await.is_ok() }
        };
        assert!(!ends_within(seconds(1000)).await, "nobody asked");
        silence.asked();
        sleep(seconds(100)).await;
        silence.asked();
        assert!(!ends_within(seconds(19)).await);
        silence.answered();
        assert!(!ends_within(seconds(1000)).await);
        silence.asked();
        assert!(!ends_within(seconds(119)).await);
        assert!(ends_within(seconds(2)).await);
    }
}
