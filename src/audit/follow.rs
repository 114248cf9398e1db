//! Following the log: events in the order in which they were stored, as they come.

use std::time::Duration;

use tokio::sync::watch;

use super::AuditError;
use super::event::AuditEvent;
use super::filter::Filter;
use super::store::EventStore;

/// Events of other processes are looked for this often.
const GLANCE: Duration = Duration::from_secs(1);

/// A reader that waits for events.
#[derive(Debug)]
pub struct Follower {
    store: EventStore,
    filter: Filter,
    position: i64,
    /// Of which file the position is.
    changes: u64,
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
            Some(id) => self.find(&id, &filter.view).await?.0,
            None => self.last_sequence().await?,
        };
        (filter.limit, filter.sort) = (None, Vec::new());
        Ok(Follower {
            changes: self.changes(),
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
            let changes = self.store.changes();
            if changes != self.changes {
                // Numbers begin anew in a file that took the place of another.
                (self.position, self.changes) = (0, changes);
            }
            let (found, until) = self.store.tail(&self.filter, self.position).await?;
            let moved = until > self.position;
            self.position = self.position.max(until);
            if !found.is_empty() {
                return Ok(Some(found));
            }
            if moved {
                continue;
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
