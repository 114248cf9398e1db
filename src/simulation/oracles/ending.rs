//! How a run has to end: as declared, and quiet.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::{Ending, Oracle, text};
use crate::api::{Kind, Reason};
use crate::engine::{Declaration, ObjectKey, READY, Spec, find_condition};
use crate::simulation::trace::{Entry, Fact, in_a_line};

/// Promises 7 and 9: once faults stop the page is as declared, and the status says so.
#[derive(Debug, Default)]
pub(super) struct Converged {
    /// Ids and names of what people touched.
    touched: BTreeSet<String>,
    /// Ids of what was created for a declaration.
    created: BTreeSet<String>,
    /// What the store knew was lost.
    restored: bool,
}

impl Converged {
    /// What an owner has to decide on after what the store knew was lost: without a record an object of the same name is
    /// not ours. What names it waits for that decision: a component for its group, an incident for its components.
    fn undecided<'e>(&self, ending: &'e Ending) -> BTreeSet<&'e ObjectKey> {
        let stopped = |reason: Reason| {
            let is_stopped = move |declaration: &&Declaration| {
                let ready = find_condition(declaration.stored.object(), READY);
                ready.is_some_and(|ready| ready.status != "True" && ready.reason == reason.as_str())
            };
            ending.declarations.iter().filter(is_stopped)
        };
        let mut undecided: BTreeSet<&ObjectKey> = BTreeSet::new();
        if !self.restored {
            return undecided;
        }
        undecided.extend(stopped(Reason::AlreadyExists).map(|declaration| &declaration.key));
        // Groups have none of these, so that components come before the incidents that name them.
        for kind in [Kind::Component, Kind::Incident] {
            let waiting = stopped(Reason::WaitingForReference).filter(|waiting| waiting.key.kind == kind);
            let waiting = waiting.filter(|waiting| waiting.references().iter().any(|key| undecided.contains(key)));
            let found: Vec<&ObjectKey> = waiting.map(|waiting| &waiting.key).collect();
            undecided.extend(found);
        }
        undecided
    }

    fn check(&self, declaration: &Declaration, ending: &Ending, undecided: &BTreeSet<&ObjectKey>) -> Option<String> {
        let key = &declaration.key;
        let object = declaration.stored.object();
        let Some(ready) = find_condition(object, READY) else {
            return Some(format!("{key} has no Ready condition"));
        };
        let id = declaration.recorded_id();
        let touched = id.is_some_and(|id| self.touched.contains(id)) || self.touched.contains(&key.name);
        let open = object.journal.as_ref().map(|journal| journal.operation.clone());
        if let Some(operation) = open {
            return Some(format!("{key} still has the journal of {operation}"));
        }
        if declaration.deleting {
            return Some(format!(
                "{key} is deleted and still there: {} {}",
                ready.reason, ready.message
            ));
        }
        if object.observed_generation != Some(declaration.generation) {
            return Some(format!("{key}: its status speaks of an old generation"));
        }
        if ready.status != "True" {
            let decided = ready.reason != Reason::Progressing.as_str() && ready.reason != Reason::Unreachable.as_str();
            // Names what is not declared: that is up to the owner.
            let excused = touched && decided
                || ready.reason == Reason::NoMembers.as_str()
                || ready.message.contains("no such declaration")
                || undecided.contains(key);
            return (!excused).then(|| format!("{key} is not Ready: {}: {}", ready.reason, ready.message));
        }
        let list = match &*declaration.spec {
            Spec::Component(_) | Spec::ComponentGroup(_) => &ending.components,
            Spec::Incident(_) => &ending.incidents,
            Spec::Subscriber(_) => &ending.subscribers,
            _ => return None,
        };
        let row = list.iter().find(|row| text(row, "id") == id && id.is_some());
        let Some(row) = row else {
            return Some(format!("{key} is Ready with id {id:?}, which is not on the page"));
        };
        match &*declaration.spec {
            Spec::Component(spec) => {
                let differs = |field: &str, declared: &Option<String>| {
                    declared
                        .as_deref()
                        .is_some_and(|declared| text(row, field).unwrap_or_default() != declared)
                };
                let grouped = spec.group_ref.is_none() || text(row, "group_id").is_some();
                let as_declared =
                    !differs("description", &spec.description) && text(row, "name") == Some(&key.name) && grouped;
                (!as_declared).then(|| format!("{key} is Ready, and {row} is on the page"))
            }
            Spec::Incident(spec) => {
                let updates = row.get("incident_updates").and_then(Value::as_array);
                let bodies: Vec<&str> = updates
                    .into_iter()
                    .flatten()
                    .filter_map(|update| text(update, "body"))
                    .collect();
                let lacking = spec
                    .updates
                    .iter()
                    .find(|update| !bodies.contains(&update.body.as_str()));
                let lacking = lacking.map(|update| format!("{key} is Ready, and {:?} is not on the page", update.body));
                lacking.filter(|_| !touched)
            }
            _ => None,
        }
    }
}

impl Oracle for Converged {
    fn name(&self) -> &'static str {
        "once faults stop all is as declared"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        self.restored |= matches!(entry.fact, Fact::Restored { .. });
        if let Fact::CarriedOut {
            request,
            answer,
            status: 201,
            ..
        } = &entry.fact
            && request.method == "POST"
        {
            self.created.extend(text(answer, "id").map(str::to_owned));
        }
        if let Fact::Person { request, answer, .. } = &entry.fact {
            self.touched
                .extend(request.segments().get(1).map(|id| (*id).to_owned()));
            self.touched.extend(text(answer, "name").map(str::to_owned));
        }
        None
    }

    fn close(&mut self, ending: &Ending) -> Vec<String> {
        if ending.declarations.is_empty() {
            return Vec::new();
        }
        let recorded: BTreeSet<&str> = ending
            .declarations
            .iter()
            .filter_map(Declaration::recorded_id)
            .collect();
        let left = ending.components.iter().filter_map(|row| text(row, "id")).filter(|id| {
            !self.restored && self.created.contains(*id) && !recorded.contains(id) && !self.touched.contains(*id)
        });
        let left = left.map(|id| format!("{id} was created for a declaration that is gone, and is still there"));
        let undecided = self.undecided(ending);
        let checked = ending
            .declarations
            .iter()
            .filter_map(|declaration| self.check(declaration, ending, &undecided));
        checked.chain(left).collect()
    }
}

/// Promise 4: nothing is written when there is nothing to do.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    still: Option<Duration>,
    reads: u64,
    processes: BTreeSet<usize>,
}

/// So many lists and objects every five minutes may be read by a process that has nothing to do.
const READS: u64 = 7;

impl Oracle for Quiet {
    fn name(&self) -> &'static str {
        "quiet when there is nothing to do"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        match &entry.fact {
            Fact::Process { process, .. } => {
                self.processes.insert(*process);
            }
            Fact::Still => self.still = Some(entry.at),
            Fact::Stored {
                key,
                change,
                done: true,
                ..
            } if self.still.is_some() => {
                return Some(format!("{key}: {}", in_a_line(change)));
            }
            Fact::Sent { request, .. } if self.still.is_some() => {
                if request.writes() {
                    return Some(format!("{request}"));
                }
                self.reads += 1;
                let since = entry.at.saturating_sub(self.still.unwrap_or_default());
                let rounds = since.as_secs() / 300 + 2;
                let processes = u64::try_from(self.processes.len()).unwrap_or(1);
                if self.reads > READS * rounds * processes {
                    return Some(format!(
                        "{} requests in {} s with nothing to do",
                        self.reads,
                        since.as_secs()
                    ));
                }
            }
            _ => {}
        }
        None
    }
}
