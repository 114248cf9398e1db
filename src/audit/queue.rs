//! What waits to be stored: bounded, in the order in which it came, and in the journal as long as that can be written.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;

use super::event::{AuditEvent, UNKNOWN};
use super::journal::{Journal, Left, Telling};
use super::place::is_no_place;
use super::value::TraitValue;

/// Bytes of waiting events at most, whatever their number: the process has other things to keep in memory.
const MOST_BYTES: usize = 48 << 20;

/// A waiting event, as JSON: a third of what it takes as a structure.
#[derive(Debug)]
struct Waiting {
    id: String,
    text: Box<str>,
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    limit: usize,
    place: Option<PathBuf>,
    journal: Option<Journal>,
    /// What may have been written to the store of declarations, or not: what the next write to the same subject tells.
    interrupted: HashMap<String, Vec<(String, String)>>,
}

/// What the journal had of earlier processes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    pub(super) events: u64,
    pub(super) unknown: u64,
    pub(super) lost: u64,
}

/// What is not stored when a log is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Events in the journal: the next process with this log stores them.
    pub kept: u64,
    /// Events that are nowhere.
    pub lost: u64,
}

impl Queue {
    /// An empty queue of so many events at most, with a journal at this place.
    pub(super) fn new(limit: usize, place: Option<PathBuf>) -> Self {
        Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            limit,
            place,
            journal: None,
            interrupted: HashMap::new(),
        }
    }

    /// Opens the journal and takes what is in it. A journal that cannot be opened now is tried again.
    ///
    /// # Errors
    /// It cannot be opened; [`Queue::is_impossible`] tells whether it ever can.
    pub(super) fn open_journal(&mut self) -> io::Result<Recovered> {
        let Some(place) = self.place.as_ref().filter(|_| self.journal.is_none()) else {
            return Ok(Recovered::default());
        };
        let (journal, left) = Journal::open(place)?;
        self.journal = Some(journal);
        Ok(self.recover(left))
    }

    /// True when a place can never hold a journal.
    pub(super) fn is_impossible(error: &io::Error) -> bool {
        is_no_place(error)
    }

    fn recover(&mut self, left: Left) -> Recovered {
        let unknown = left.begun.len();
        let begun = left.begun.into_iter().map(|(mut event, telling)| {
            if let Some(telling) = telling {
                self.interrupted(&telling, &event.message_id);
            }
            event.set("outcome", TraitValue::String(UNKNOWN.to_owned()));
            event.sort_traits();
            event
        });
        let begun: Vec<AuditEvent> = begun.collect();
        let mut events = left.finished;
        events.extend(begun);
        events.sort_by_key(|event| event.generated);
        for event in &events {
            self.push(&event.message_id, event.to_json().to_string());
        }
        Recovered {
            events: events.len() as u64,
            unknown: unknown as u64,
            lost: left.lost,
        }
    }

    /// Does something with the journal, where there is one. One that could not be opened is tried again: what it had of
    /// earlier processes is returned.
    pub(super) fn with_journal(
        &mut self,
        work: impl FnOnce(&mut Journal) -> io::Result<()>,
    ) -> (io::Result<()>, Recovered) {
        let recovered = match self.open_journal() {
            Ok(recovered) => recovered,
            Err(error) => return (Err(error), Recovered::default()),
        };
        match &mut self.journal {
            Some(journal) => (work(journal), recovered),
            None => (Ok(()), recovered),
        }
    }

    /// True when one more event fits.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.limit && self.bytes < MOST_BYTES
    }

    /// Takes an event as JSON.
    pub(super) fn push(&mut self, id: &str, text: String) {
        self.bytes += text.len();
        self.waiting.push_back(Waiting {
            id: id.to_owned(),
            text: text.into(),
        });
    }

    /// The oldest events, and how many entries they are: one that cannot be read any more is none.
    pub(super) fn batch(&self, most: usize) -> (Vec<AuditEvent>, usize) {
        let count = most.min(self.waiting.len());
        let events = self.waiting.iter().take(count).filter_map(|waiting| {
            let document = serde_json::from_str(&waiting.text).ok()?;
            AuditEvent::from_json(&document)
        });
        (events.collect(), count)
    }

    /// The oldest entries are settled.
    pub(super) fn settle(&mut self, count: usize) -> io::Result<()> {
        let count = count.min(self.waiting.len());
        let settled: Vec<Waiting> = self.waiting.drain(..count).collect();
        self.bytes -= settled.iter().map(|waiting| waiting.text.len()).sum::<usize>();
        match &mut self.journal {
            Some(journal) => journal.settle(settled.iter().map(|waiting| waiting.id.as_str())),
            None => Ok(()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many events are lost when the process ends now.
    pub(super) fn unprotected(&self) -> u64 {
        match &self.journal {
            Some(journal) => journal.missing(),
            None => self.waiting.len() as u64,
        }
    }

    /// Gives the journal back. What is left of it is for the next process.
    pub(super) fn close(&mut self) -> Remains {
        let waiting = self.waiting.len() as u64;
        let lost = self.unprotected().min(waiting);
        if let Some(mut journal) = self.journal.take() {
            journal.conclude();
        }
        self.place = None;
        Remains {
            kept: waiting - lost,
            lost,
        }
    }

    /// A telling ended before it was known whether what it tells happened.
    pub(super) fn interrupted(&mut self, telling: &Telling, id: &str) {
        let known = self.interrupted.entry(telling.subject.clone()).or_default();
        known.push((telling.content.clone(), id.to_owned()));
    }

    /// Something is told of a subject: whatever was interrupted before is told now, with the ids that it had, or never.
    pub(super) fn resume(&mut self, subject: &str) -> HashMap<String, String> {
        self.interrupted
            .remove(subject)
            .unwrap_or_default()
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(subject: &str, content: &str) -> Telling {
        Telling {
            subject: subject.to_owned(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn only_the_next_telling_of_a_subject_is_the_interrupted_one() {
        let mut queue = Queue::new(10, None);
        queue.interrupted(&telling("web", "a to b"), "1");
        queue.interrupted(&telling("web", "c to d"), "2");
        queue.interrupted(&telling("api", "a to b"), "3");
        let resumed = queue.resume("web");
        assert_eq!(resumed.get("a to b").map(String::as_str), Some("1"));
        assert_eq!(resumed.get("c to d").map(String::as_str), Some("2"));
        assert!(queue.resume("web").is_empty(), "what comes later is another one");
        assert_eq!(queue.resume("api").len(), 1);
    }

    #[test]
    fn a_queue_is_bounded_by_number_and_by_size() {
        let mut queue = Queue::new(3, None);
        for id in ["1", "2", "3"] {
            assert!(queue.has_room());
            queue.push(id, "{}".to_owned());
        }
        assert!(!queue.has_room());
        assert_eq!(queue.batch(10), (Vec::new(), 3), "what cannot be read is settled too");
        queue.settle(2).unwrap();
        assert!(queue.has_room());
        queue.push("large", "x".repeat(MOST_BYTES));
        assert!(!queue.has_room());
        assert_eq!(queue.close(), Remains { kept: 0, lost: 2 });
    }
}
