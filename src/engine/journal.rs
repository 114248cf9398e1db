//! The write-ahead note of an attempt whose outcome is not recorded: what was attempted.

use std::fmt;

use super::applied::AppliedName;
use crate::api::{Journal, ObjectStatus};

/// What an attempt does. Its text is stored in clusters and in lock files, and never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// The creation of the object.
    Create,
    /// The creation of another object that this one needs.
    Provide,
    /// The deletion of an object that is to be created again.
    Replace,
    /// The publication of the incident update of this index.
    Publish(usize),
    /// Something that tells people, and is recorded as applied under this name.
    Tell(AppliedName),
}

const CREATE: &str = "create";
const PROVIDE: &str = "provide";
const REPLACE: &str = "replace";
/// Before the index of an incident update.
const UPDATE: &str = "update/";
/// Before the name under which it is recorded.
const TELL: &str = "tell/";

impl Operation {
    /// What an attempt does; none for what this version does not know.
    pub(super) fn of(journal: &Journal) -> Option<Self> {
        match journal.operation.as_str() {
            CREATE => Some(Operation::Create),
            PROVIDE => Some(Operation::Provide),
            REPLACE => Some(Operation::Replace),
            other => match (other.strip_prefix(UPDATE), other.strip_prefix(TELL)) {
                (Some(index), _) => index.parse().ok().map(Operation::Publish),
                (_, Some(name)) => Some(Operation::Tell(name.into())),
                _ => None,
            },
        }
    }

    /// What was attempted for the object of this status and is not concluded.
    pub(super) fn open(status: &ObjectStatus) -> Option<Self> {
        status.journal.as_ref().and_then(Operation::of)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Create => formatter.write_str(CREATE),
            Operation::Provide => formatter.write_str(PROVIDE),
            Operation::Replace => formatter.write_str(REPLACE),
            Operation::Publish(index) => write!(formatter, "{UPDATE}{index}"),
            Operation::Tell(name) => write!(formatter, "{TELL}{name}"),
        }
    }
}

/// The note of a creation whose outcome is not recorded.
pub(super) fn open_creation(status: &ObjectStatus) -> Option<&Journal> {
    let journal = status.journal.as_ref();
    journal.filter(|journal| Operation::of(journal) == Some(Operation::Create))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::engine::applied::OneShot;

    fn journal(operation: &str) -> Journal {
        Journal {
            operation: operation.to_owned(),
            attempt: String::new(),
            at: Time(Timestamp::UNIX_EPOCH),
            after: None,
            title: None,
            beside: Vec::new(),
            replaces: None,
        }
    }

    #[test]
    fn operations_are_stored_as_they_always_were() {
        for (operation, text) in [
            (Operation::Create, "create"),
            (Operation::Provide, "provide"),
            (Operation::Replace, "replace"),
            (Operation::Publish(3), "update/3"),
            (
                Operation::Tell(AppliedName::PostmortemPublished),
                "tell/postmortem/published",
            ),
            (
                Operation::Tell(AppliedName::OneShot(OneShot::ResendConfirmation)),
                "tell/once/resend-confirmation",
            ),
            (
                Operation::Tell(AppliedName::IncidentSubscriber("4a".into())),
                "tell/subscriber/4a",
            ),
        ] {
            assert_eq!(operation.to_string(), text);
            assert_eq!(Operation::of(&journal(text)), Some(operation));
        }
        for unknown in ["", "update/", "update/x", "creates"] {
            assert_eq!(Operation::of(&journal(unknown)), None, "{unknown}");
        }
    }
}
