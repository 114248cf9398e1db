//! What `status.applied` says was done: its names, and the hash beside each.
//!
//! Invariant: the text of a name never changes. It is stored in clusters and in lock files.

use std::borrow::Cow;
use std::fmt;

/// What an entry of `status.applied` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppliedName {
    /// A declared field, or what is noted beside one (`components/declared`).
    Field(String),
    /// The data points of a metric.
    Data,
    /// An operation that an annotation asks for once.
    OneShot(OneShot),
    /// The declared values for which an object was created in the place of another one.
    Replacement,
    /// The draft of a postmortem.
    PostmortemDraft,
    /// The published text of a postmortem.
    PostmortemPublished,
    /// Somebody who hears about one incident alone, by the hash of their address.
    IncidentSubscriber(String),
}

/// An operation that an annotation asks for once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneShot {
    /// The message that asks a subscriber to confirm.
    ResendConfirmation,
    /// A subscriber comes out of quarantine.
    Reactivate,
    /// A metric loses its data points.
    ResetData,
}

/// Before the hash of an incident's subscriber.
const SUBSCRIBER: &str = "subscriber/";

/// All names that do not hold anything else.
const FIXED: [(&str, AppliedName); 7] = [
    ("data", AppliedName::Data),
    (
        "once/resend-confirmation",
        AppliedName::OneShot(OneShot::ResendConfirmation),
    ),
    ("once/reactivate", AppliedName::OneShot(OneShot::Reactivate)),
    ("once/reset-data", AppliedName::OneShot(OneShot::ResetData)),
    ("replaced/for", AppliedName::Replacement),
    ("postmortem/draft", AppliedName::PostmortemDraft),
    ("postmortem/published", AppliedName::PostmortemPublished),
];

impl AppliedName {
    /// The name as it is stored.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            AppliedName::Field(name) => Cow::Borrowed(name),
            AppliedName::IncidentSubscriber(hash) => Cow::Owned(format!("{SUBSCRIBER}{hash}")),
            fixed => {
                let known = FIXED.iter().find(|(_, name)| name == fixed);
                Cow::Borrowed(known.map_or("", |(text, _)| text))
            }
        }
    }
}

impl fmt::Display for AppliedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

impl From<&str> for AppliedName {
    fn from(text: &str) -> Self {
        if let Some((_, name)) = FIXED.iter().find(|(known, _)| *known == text) {
            return name.clone();
        }
        match text.strip_prefix(SUBSCRIBER) {
            Some(hash) => AppliedName::IncidentSubscriber(hash.to_owned()),
            None => AppliedName::Field(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_stored_as_they_always_were() {
        let stored = [
            (AppliedName::Field("name".into()), "name"),
            (AppliedName::Field("components/declared".into()), "components/declared"),
            (AppliedName::Data, "data"),
            (
                AppliedName::OneShot(OneShot::ResendConfirmation),
                "once/resend-confirmation",
            ),
            (AppliedName::OneShot(OneShot::Reactivate), "once/reactivate"),
            (AppliedName::OneShot(OneShot::ResetData), "once/reset-data"),
            (AppliedName::Replacement, "replaced/for"),
            (AppliedName::PostmortemDraft, "postmortem/draft"),
            (AppliedName::PostmortemPublished, "postmortem/published"),
            (AppliedName::IncidentSubscriber("4a".into()), "subscriber/4a"),
        ];
        for (name, text) in stored {
            assert_eq!(name.to_string(), text);
            assert_eq!(AppliedName::from(text), name);
        }
    }

    proptest! {
        #[test]
        fn every_text_that_is_stored_comes_back(text in "(once/|replaced/|subscriber/|postmortem/)?[a-z/]{0,12}") {
            prop_assert_eq!(AppliedName::from(text.as_str()).to_string(), text);
        }
    }
}
