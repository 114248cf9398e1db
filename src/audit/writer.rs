//! The task that stores what waits, and deletes between two batches what is to go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::AuditError;
use super::event::AuditEvent;
use super::outage::is_refusal;
use super::shared::{Chore, Shared};
use super::trouble::Trouble;
use super::write::{BETWEEN_PIECES, Doomed, Retention, Writer};
use crate::backoff::Backoff;

/// Events that are stored in one transaction.
const BATCH: usize = 1000;
/// How often old events are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// The first pause after the store failed, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Stores batches until the log is closed.
pub(super) async fn run(shared: Arc<Shared>, mut writer: Writer) {
    tokio::select! {
        () = store(&shared, &mut writer) => {}
        // Only after the time that closing allows: what is left stays in the journal.
        () = shared.closing.cancelled() => {}
    }
    for chore in shared.chores().drain(..) {
        chore.answer(Err(AuditError::Closed));
    }
    writer.close().await;
}

async fn store(shared: &Shared, writer: &mut Writer) {
    let trouble = Trouble::default();
    let mut backoff = Backoff::new(FIRST_PAUSE, LAST_PAUSE);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut opened = false;
    loop {
        let (batch, count) = shared.queue().batch(BATCH);
        let chore = shared.chores().pop_front();
        if count == 0 && chore.is_none() && opened {
            tokio::select! {
                () = shared.wake.notified() => {}
                _ = prune.tick(), if shared.retention != Retention::default() => {
                    shared.add_chore(Doomed::Expired(shared.retention, shared.clock.now()), None);
                }
            }
            continue;
        }
        match store_batch(shared, writer, &batch).await {
            Ok(()) => {
                opened = true;
                backoff.reset();
                shared.settle(count);
                if let Some(lasted) = trouble.is_over() {
                    tracing::warn!(
                        seconds = lasted.as_secs(),
                        "events are stored again: the store was unavailable"
                    );
                }
                if let Some(chore) = chore {
                    do_a_piece(shared, writer, chore).await;
                }
            }
            Err(error) => {
                shared.counts.store_failures.fetch_add(1, Ordering::Relaxed);
                if trouble.is_news(&format!("{error:?}")) {
                    tracing::warn!(?error, "events cannot be stored; keeping them");
                }
                if let Some(chore) = chore {
                    chore.answer(Err(error));
                }
                tokio::time::sleep(backoff.pause()).await;
            }
        }
    }
}

async fn store_batch(shared: &Shared, writer: &mut Writer, batch: &[AuditEvent]) -> Result<(), AuditError> {
    if batch.is_empty() {
        return writer.open().await;
    }
    let stored = |count: usize| shared.counts.stored.fetch_add(count as u64, Ordering::Relaxed);
    match writer.insert(batch).await {
        Ok(_) => {
            stored(batch.len());
            Ok(())
        }
        Err(error) if is_refusal(&error) => {
            // One event stops only itself.
            for event in batch {
                match writer.insert(std::slice::from_ref(event)).await {
                    Ok(_) => {
                        stored(1);
                    }
                    Err(error) if is_refusal(&error) => {
                        shared.counts.rejected.fetch_add(1, Ordering::Relaxed);
                        let event = event.message_id.as_str();
                        tracing::warn!(event, ?error, "an event cannot be stored and is lost");
                    }
                    // Those before it are stored and will be found so.
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Deletes a little; the rest has its turn after what waits to be stored by then.
async fn do_a_piece(shared: &Shared, writer: &mut Writer, mut chore: Chore) {
    match writer.delete_piece(&chore.doomed).await {
        Ok(0) => {
            let done = chore.done;
            chore.answer(Ok(done));
        }
        Ok(deleted) => {
            chore.done += deleted;
            shared.counts.pruned.fetch_add(deleted, Ordering::Relaxed);
            shared.chores().push_front(chore);
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
        Err(error) => {
            if chore.reply.is_none() {
                tracing::warn!(?error, "old events cannot be deleted; retrying in an hour");
            }
            chore.answer(Err(error));
        }
    }
}

impl Chore {
    fn answer(self, result: Result<u64, AuditError>) {
        if let Some(reply) = self.reply {
            // Whoever asked may be gone.
            let _ = reply.send(result);
        }
    }
}
