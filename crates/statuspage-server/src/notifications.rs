//! Who would have been told about what: the server sends nothing, it keeps the list instead, and forgets the oldest when
//! the list grows too long.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why somebody would have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// An incident was opened or a maintenance announced.
    IncidentCreated,
    /// An incident got an update.
    IncidentUpdated,
    /// A maintenance begins in an hour.
    MaintenanceReminder,
    /// A postmortem was published.
    PostmortemPublished,
    /// A new subscriber is asked to confirm.
    Confirmation,
    /// A subscriber was removed.
    Unsubscription,
}

/// One message that the real service would have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// When.
    pub at: Timestamp,
    /// The page.
    pub page: String,
    /// Why.
    pub kind: NotificationKind,
    /// The incident, if it is about one.
    pub incident: Option<String>,
    /// The incident update, if it is about one.
    pub update: Option<String>,
    /// The status that the update announced.
    pub status: Option<String>,
    /// The identifiers of the subscribers who would have got it.
    pub recipients: Vec<String>,
}

/// About how many bytes the list takes at most.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

impl Notification {
    /// A message of the page that notes it, about nothing yet.
    pub(super) fn new(at: Timestamp, kind: NotificationKind, recipients: Vec<String>) -> Self {
        Self {
            at,
            page: String::new(),
            kind,
            incident: None,
            update: None,
            status: None,
            recipients,
        }
    }

    /// The same about an incident that has this status.
    pub(super) fn about(self, incident: &str, status: &str) -> Self {
        Self {
            incident: Some(incident.to_owned()),
            status: Some(status.to_owned()),
            ..self
        }
    }

    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        let recipients: usize = self.recipients.iter().map(|id| 24 + id.len()).sum();
        256 + recipients
    }
}

/// A message with its place in the list, which is also its name in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) sequence: i64,
    pub(super) id: String,
    pub(super) notification: Notification,
}

/// The list, oldest first.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    listed: VecDeque<Listed>,
    weight: usize,
    next: i64,
}

/// What adding to the list does to it.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// New ones.
    pub(super) fresh: Vec<Listed>,
    /// The oldest ones, which have to go for them.
    pub(super) gone: Vec<Listed>,
}

impl Notifications {
    /// The list that was stored, in any order.
    pub(super) fn restored(mut stored: Vec<Listed>) -> Self {
        stored.sort_by_key(|listed| (listed.notification.at, listed.sequence));
        Self {
            next: stored.iter().map(|listed| listed.sequence).max().unwrap_or(0),
            weight: stored.iter().map(|listed| listed.notification.weight()).sum(),
            listed: stored.into(),
        }
    }

    /// What adding these does. Nothing is added yet.
    pub(super) fn adding(&self, new: Vec<Notification>) -> Added {
        let mut weight = self.weight;
        let mut fresh = Vec::new();
        for (notification, sequence) in new.into_iter().zip(self.next.saturating_add(1)..) {
            weight += notification.weight();
            fresh.push(Listed {
                sequence,
                id: format!("n{sequence}"),
                notification,
            });
        }
        let mut gone = Vec::new();
        for oldest in &self.listed {
            if weight <= KEPT_BYTES {
                break;
            }
            weight -= oldest.notification.weight();
            gone.push(oldest.clone());
        }
        Added { fresh, gone }
    }

    /// Adds.
    pub(super) fn add(&mut self, added: Added) {
        for _ in &added.gone {
            if let Some(gone) = self.listed.pop_front() {
                self.weight -= gone.notification.weight();
            }
        }
        for fresh in added.fresh {
            self.next = fresh.sequence;
            self.weight += fresh.notification.weight();
            self.listed.push_back(fresh);
        }
    }

    /// The messages, oldest first.
    pub(super) fn all(&self) -> Vec<Notification> {
        self.listed.iter().map(|listed| listed.notification.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(recipients: usize) -> Notification {
        let recipients = vec!["recipient0000".into(); recipients];
        Notification::new(Timestamp::UNIX_EPOCH, NotificationKind::Confirmation, recipients)
    }

    #[test]
    fn the_oldest_are_forgotten_when_the_list_grows_too_long() {
        let mut list = Notifications::default();
        for _ in 0..1_000 {
            let added = list.adding(vec![to(1_000), to(0)]);
            list.add(added);
            assert!(list.weight <= KEPT_BYTES);
            let weights = list.listed.iter().map(|listed| listed.notification.weight());
            assert_eq!(list.weight, weights.sum::<usize>());
        }
        assert_eq!(list.next, 2_000);
        assert_eq!(list.listed.back().map(|last| last.sequence), Some(2_000));
        assert!(list.listed.len() > 400, "{}", list.listed.len());
        let stored: Vec<Listed> = list.listed.iter().rev().cloned().collect();
        assert_eq!(Notifications::restored(stored).listed, list.listed);
    }
}
