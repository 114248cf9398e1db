//! What happens in a run: facts, in their order. The trace is what people read and what the oracles judge.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::driver::{EventKind, StoreChange};
use crate::engine::{Declaration, ObjectKey, READY, Status, find_condition};

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// An owner declared something, changed it, or (with no spec) deleted it.
    Declared {
        key: ObjectKey,
        generation: i64,
        spec: Option<Arc<Value>>,
    },
    /// Somebody lost or brought back what the store knew.
    Restored { what: String },
    /// A person did something in the console.
    Person {
        request: Request,
        status: u16,
        answer: Value,
    },
    /// A request left a process.
    Sent {
        process: usize,
        number: u64,
        request: Request,
    },
    /// The remote service carried a request out.
    CarriedOut {
        number: u64,
        request: Request,
        status: u16,
        answer: Value,
        /// What was on the page before: objects of the same name for one that is created, else the object itself.
        before: Vec<Value>,
    },
    /// What a process hears of its request.
    Heard { number: u64, reply: String },
    /// A process wrote to the store, and what it heard.
    Stored {
        process: usize,
        change: StoreChange,
        /// The stored object before, if it was there.
        before: Option<Box<Declaration>>,
        key: ObjectKey,
        result: Result<(), String>,
        /// True when the store did it, whatever the process heard.
        done: bool,
    },
    /// A process told the owner something.
    Told {
        key: ObjectKey,
        kind: EventKind,
        reason: String,
        note: String,
    },
    /// Something befell a process.
    Process { process: usize, what: Life },
    /// A fault begins or ends.
    Weather { what: String, begins: bool },
    /// From here on nothing goes wrong any more.
    Fair,
    /// From here on nothing is to be done any more.
    Still,
}

/// What befalls a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Started,
    Leads,
    Crashed { place: &'static str },
    Paused(Duration),
    Woke,
    ToldToStop,
    Ended,
    ClockJumped(i64),
}

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path below the page, or the whole one.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn writes(&self) -> bool {
        self.method != "GET"
    }

    /// The path in its segments, below the page.
    pub(super) fn segments(&self) -> Vec<&str> {
        let below = self.path.trim_start_matches("/v1/").trim_end_matches(".json");
        let mut segments: Vec<&str> = below.split('/').filter(|segment| !segment.is_empty()).collect();
        if segments.first() == Some(&"pages") && segments.len() > 1 {
            segments.drain(..2);
        }
        segments
    }

    /// The list that it reads, if it reads one.
    pub(super) fn list(&self) -> Option<&str> {
        if self.writes() {
            return None;
        }
        match *self.segments().as_slice() {
            ["pages"] => Some("pages"),
            [list] if list != "status_embed_config" => Some(list),
            [
                "incidents",
                view @ ("unresolved" | "scheduled" | "active_maintenance" | "upcoming"),
            ] => Some(view),
            _ => None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} /{}", self.method, self.segments().join("/"))?;
        if !self.query.is_empty() {
            write!(out, "?{}", self.query)?;
        }
        if !self.body.is_null() {
            write!(out, " {}", self.body)?;
        }
        Ok(())
    }
}

/// A change of the store in a line.
pub(super) fn in_a_line(change: &StoreChange) -> String {
    match change {
        StoreChange::Status(status) => format!("status {}", in_short(status)),
        StoreChange::Journal(journal) => format!("journal {}", journal.operation),
        StoreChange::RecordId(id) => format!("id {id}"),
        StoreChange::AddFinalizer => "finalizer".to_owned(),
        StoreChange::RemoveFinalizer => "release".to_owned(),
        StoreChange::Prune => "prune".to_owned(),
    }
}

/// A status in a line.
fn in_short(status: &Status) -> String {
    let object = status.object();
    let mut text = match find_condition(object, READY) {
        Some(ready) => format!("Ready={} {} ({})", ready.status, ready.reason, ready.message),
        None => "no Ready".to_owned(),
    };
    for other in &object.conditions {
        if other.type_ != READY && !(other.type_ == "Synced" && other.status == "True") {
            text.push_str(&format!(", {}={}", other.type_, other.status));
        }
    }
    if let Some(generation) = object.observed_generation {
        text.push_str(&format!(", generation {generation}"));
    }
    if let Some(id) = &object.id {
        text.push_str(&format!(", id {id}"));
    }
    if let Some(journal) = &object.journal {
        text.push_str(&format!(", journal {}", journal.operation));
    }
    text
}

impl fmt::Display for Fact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Declared {
                key, generation, spec, ..
            } => match spec {
                Some(spec) => write!(out, "owner     declares {key}, generation {generation}: {spec}"),
                None => write!(out, "owner     deletes {key}"),
            },
            Fact::Restored { what } => write!(out, "store     {what}"),
            Fact::Person { request, status, .. } => write!(out, "person    {request} -> {status}"),
            Fact::Sent {
                process,
                number,
                request,
            } => write!(out, "process {process} sends #{number} {request}"),
            Fact::CarriedOut {
                number, status, answer, ..
            } => {
                let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
                let count = answer
                    .as_array()
                    .map(|rows| format!(" {} rows", rows.len()))
                    .unwrap_or_default();
                write!(out, "page      #{number} -> {status} {id}{count}")
            }
            Fact::Heard { number, reply } => write!(out, "reply     #{number} {reply}"),
            Fact::Stored {
                process,
                change,
                key,
                result,
                done,
                ..
            } => {
                let change = in_a_line(change);
                write!(out, "process {process} stores {key}: {change}")?;
                match (result, done) {
                    (Ok(()), _) => Ok(()),
                    (Err(error), true) => write!(out, " -> stored, but hears: {error}"),
                    (Err(error), false) => write!(out, " -> {error}"),
                }
            }
            Fact::Told {
                key,
                kind,
                reason,
                note,
            } => write!(out, "event     {key} {kind:?} {reason}: {note}"),
            Fact::Process { process, what } => write!(out, "process {process} {what}"),
            Fact::Weather { what, begins: true } => write!(out, "fault     begins: {what}"),
            Fact::Weather { what, begins: false } => write!(out, "fault     ends: {what}"),
            Fact::Fair => write!(out, "fault     none from here on"),
            Fact::Still => write!(out, "still     nothing is to be done from here on"),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Life::Started => write!(out, "starts"),
            Life::Leads => write!(out, "leads"),
            Life::Crashed { place } => write!(out, "crashes {place}"),
            Life::Paused(time) => write!(out, "is paused for {} s", time.as_secs()),
            Life::Woke => write!(out, "goes on"),
            Life::ToldToStop => write!(out, "is told to stop"),
            Life::Ended => write!(out, "ends"),
            Life::ClockJumped(seconds) => write!(out, "has its clock set by {seconds} s"),
        }
    }
}

/// A fact and its time since the beginning of the run.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) fact: Fact,
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:>9.3} {}", self.at.as_secs_f64(), self.fact)
    }
}
