//! Following the log: events in the order in which they were stored, as they come.

use std::time::Duration;

use tokio::sync::watch;

use super::AuditError;
use super::event::AuditEvent;
use super::filter::Filter;
use super::store::EventStore;

/// Events of other processes are looked for this often.
const GLANCE: Duration = Duration::from_secs(1);
/// So many events are handed over at once.
const PORTION: u32 = 500;

/// A reader that waits for events.
#[derive(Debug)]
pub struct Follower {
    store: EventStore,
    filter: Filter,
    position: i64,
    /// Changes with every batch that this process stores; gone when the log is closed.
    stored: Option<watch::Receiver<u64>>,
}

impl EventStore {
    /// Follows the log after the marker of the filter, or from now on. Order and limit of the filter do not count.
    ///
    /// # Errors
    /// The marker is unknown, or the database fails.
    pub async fn follow(&self, filter: Filter) -> Result<Follower, AuditError> {
        self.follow_with(filter, None).await
    }

    pub(super) async fn follow_with(
        &self,
        mut filter: Filter,
        stored: Option<watch::Receiver<u64>>,
    ) -> Result<Follower, AuditError> {
        let position = match filter.marker.take() {
            Some(id) => self.sequence_of(&id, &filter.tenants).await?,
            None => self.last_sequence().await?,
        };
        filter.limit = Some(PORTION);
        Ok(Follower {
            store: self.clone(),
            filter,
            position,
            stored,
        })
    }
}

impl Follower {
    /// The next events, at least one; none when the log was closed.
    ///
    /// # Errors
    /// The database fails; calling again goes on where it was.
    pub async fn next(&mut self) -> Result<Option<Vec<AuditEvent>>, AuditError> {
        loop {
            if let Some(stored) = &mut self.stored {
                stored.mark_unchanged();
            }
            let last = self.store.last_sequence().await?;
            if last > self.position {
                let found = self.store.tail(&self.filter, self.position).await?;
                if let Some((sequence, _)) = found.last() {
                    self.position = *sequence;
                    return Ok(Some(found.into_iter().map(|(_, event)| event).collect()));
                }
                self.position = last;
            }
            match &mut self.stored {
                Some(stored) => {
                    if let Ok(Err(_)) = tokio::time::timeout(GLANCE, stored.changed()).await {
                        return Ok(None);
                    }
                }
                None => tokio::time::sleep(GLANCE).await,
            }
        }
    }
}
