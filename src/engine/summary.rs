//! What a step does, in a sentence for Events and logs: a verb, and what it is done to.

use std::fmt;

/// `create component "API"`, and once it was done `created component "API"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// None for a sentence that says by itself how things stand.
    verb: Option<Verb>,
    rest: String,
}

macro_rules! verbs {
    ($($(#[$about:meta])* $verb:ident: $planned:literal, $done:literal;)*) => {
        /// What steps do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Verb {
            $($(#[$about])* $verb,)*
        }

        impl Verb {
            /// What is to be done, and what was done.
            fn forms(self) -> (&'static str, &'static str) {
                match self {
                    $(Verb::$verb => ($planned, $done),)*
                }
            }
        }
    };
}

verbs! {
    /// A finalizer.
    Add: "add", "added";
    /// Somebody.
    Ask: "ask", "asked";
    /// What is published.
    Correct: "correct", "corrected";
    /// An object.
    Create: "create", "created";
    /// An object.
    Delete: "delete", "deleted";
    /// A declaration whose time is over.
    Prune: "prune:", "pruned:";
    /// To people.
    Publish: "publish", "published";
    /// An id.
    Record: "record", "recorded";
    /// A declaration.
    Release: "release", "released";
    /// Data.
    Remove: "remove", "removed";
    /// An incident.
    Resolve: "resolve", "resolved";
    /// Data.
    Send: "send", "sent";
    /// A status.
    Set: "set", "set";
    /// Somebody.
    Subscribe: "subscribe", "subscribed";
    /// Back, or out.
    Take: "take", "took";
    /// Somebody.
    Unsubscribe: "unsubscribe", "unsubscribed";
    /// An object.
    Update: "update", "updated";
    /// A text.
    Write: "write", "wrote";
}

impl Verb {
    /// The sentence that begins with this verb.
    pub fn of(self, rest: impl Into<String>) -> Summary {
        Summary {
            verb: Some(self),
            rest: rest.into(),
        }
    }
}

impl Summary {
    /// A sentence without a verb of ours.
    pub fn sentence(text: impl Into<String>) -> Self {
        Summary {
            verb: None,
            rest: text.into(),
        }
    }

    /// The summary once it was done: `created component "API"`.
    pub fn done(&self) -> String {
        self.with(|verb| verb.forms().1)
    }

    /// The same about something that is called otherwise.
    pub fn renamed(&self, rename: impl FnOnce(&str) -> String) -> Self {
        Summary {
            verb: self.verb,
            rest: rename(&self.rest),
        }
    }

    fn with(&self, form: impl FnOnce(Verb) -> &'static str) -> String {
        match self.verb.map(form) {
            None => self.rest.clone(),
            Some(verb) if self.rest.is_empty() => verb.to_owned(),
            Some(verb) => format!("{verb} {}", self.rest),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.with(|verb| verb.forms().0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_the_past() {
        for (summary, planned, done) in [
            (
                Verb::Create.of("component \"API\""),
                "create component \"API\"",
                "created component \"API\"",
            ),
            (
                Verb::Update.of("component \"API\": name"),
                "update component \"API\": name",
                "updated component \"API\": name",
            ),
            (
                Verb::Publish.of("update 2 of incident \"A\""),
                "publish update 2 of incident \"A\"",
                "published update 2 of incident \"A\"",
            ),
            (
                Verb::Correct.of("update 1 of incident x"),
                "correct update 1 of incident x",
                "corrected update 1 of incident x",
            ),
            (
                Verb::Send.of("12 data points"),
                "send 12 data points",
                "sent 12 data points",
            ),
            (
                Verb::Write.of("the postmortem"),
                "write the postmortem",
                "wrote the postmortem",
            ),
            (
                Verb::Take.of("back the postmortem"),
                "take back the postmortem",
                "took back the postmortem",
            ),
            (
                Verb::Set.of("incident x back to identified"),
                "set incident x back to identified",
                "set incident x back to identified",
            ),
            (
                Verb::Resolve.of("incident x"),
                "resolve incident x",
                "resolved incident x",
            ),
            (
                Verb::Delete.of("component x"),
                "delete component x",
                "deleted component x",
            ),
            (Verb::Release.of(""), "release", "released"),
            (
                Summary::sentence("component x stays on the page"),
                "component x stays on the page",
                "component x stays on the page",
            ),
        ] {
            assert_eq!((summary.to_string().as_str(), summary.done().as_str()), (planned, done));
        }
    }
}
