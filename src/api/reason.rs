//! The closed set of condition reasons.

macro_rules! reasons {
    ($($name:ident: $meaning:literal, $remedy:literal;)*) => {
        /// Why a condition has its status. Docs, Events and `kubectl describe` use these words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// All reasons, for documentation and tests.
            pub const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The word in `reason`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => stringify!($name),)*
                }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Reason::$name => $meaning,)*
                }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Reason::$name => $remedy,)*
                }
            }
        }
    };
}

reasons! {
    Synced: "The remote object was seen to match the declaration.",
        "Nothing.";
    Progressing: "A change is on its way, or waits for the request budget.",
        "Wait. An incident passes everything else.";
    DriftDetected: "A declared field has another value on the page and the drift policy is Detect.",
        "Declare the page's value, or change the page back, or set driftPolicy: Correct.";
    WaitingForReference: "Another declaration has to be on the page first.",
        "Create the declaration that the message names, or correct the name.";
    NoMembers: "The group has no component on the page yet; a group appears with its first component.",
        "Declare a Component whose groupRef names the group.";
    PageNotFound: "The StatusPage that pageRef names does not exist.",
        "Create it, or correct pageRef.";
    PageNotGranted: "The StatusPage does not allow declarations of this namespace.",
        "Ask the owner of the page to extend spec.allowedNamespaces.";
    PageNotReady: "The page's token, address or id does not work.",
        "Look at the conditions of the StatusPage.";
    SecretNotFound: "The Secret, or its key, does not exist.",
        "Create the Secret that the message names.";
    Unauthorized: "Statuspage refused the token.",
        "Put a valid token into the Secret; it is noticed at once.";
    RemotePageNotFound: "The token sees no page with this id or subdomain.",
        "Correct pageId or subdomain (the message names the pages that the token sees), or use a token of a user who may see the page.";
    Unreachable: "Statuspage cannot be reached, or answers with server errors.",
        "Nothing: the operator, `sync` and `apply` retry, more slowly each time.";
    Rejected: "Statuspage refused the request; its words are in the message.",
        "Correct the declaration. It is retried on every change and once an hour.";
    NotHonoured: "Statuspage accepted the request but did not keep a field, or the field cannot be changed any more.",
        "Remove the field, change it in the console, or set replacePolicy: WhenNeeded where the kind has it.";
    AlreadyExists: "The page has an object of this identity that no declaration owns.",
        "Set adoptionPolicy: ByName or the id annotation to adopt it, or adoptionPolicy: CreateNew to create another one.";
    Unsubscribed: "The address of the subscriber has unsubscribed from the page, by itself or by a deleted declaration.",
        "Delete the declaration. If its owner agrees, give the annotation statuspage-operator.io/reactivate a new value.";
    Ambiguous: "Several objects match, or the outcome of an interrupted attempt cannot be told.",
        "Put the right id into the annotation statuspage-operator.io/id.";
    ClaimedByAnother: "An older declaration owns the same remote object.",
        "Delete one of the two declarations, or correct the id annotation.";
    RemoteNotFound: "The object whose id the annotation gives does not exist on the page.",
        "Correct the annotation, or remove it.";
    EndedOnPage: "Somebody ended the incident on the page; its other updates are not published.",
        "Nothing, if it is over. Otherwise set driftPolicy: Correct, or declare another incident.";
    RemoteDeleted: "Somebody deleted the remote object.",
        "Delete the declaration too, or set driftPolicy: Correct to create the object again.";
    Invalid: "The declaration cannot be used.",
        "Correct what the message names.";
    Suspended: "suspend is true, on the object or on its page.",
        "Set suspend to false to resume.";
    ObserveOnly: "managementPolicy is ObserveOnly and the page differs.",
        "Change the page, or set managementPolicy: Full.";
    ManyMissing: "Many objects that were on the page are missing from it at once; none is created again until you say so.",
        "If they were deleted on purpose, annotate the StatusPage with statuspage-operator.io/allow-recreates. If not, look at the page and at what answers for it.";
    DeletionCapped: "More deletions are pending than the page's deletionCap allows.",
        "If they are meant, annotate the StatusPage with statuspage-operator.io/allow-deletes.";
    Deleting: "The remote object is being deleted.",
        "Wait.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The page of the documentation that lists conditions and reasons, as Markdown. `docs/conditions.md` is this text.
pub fn conditions_page() -> String {
    let mut page = String::from(
        "# Conditions\n\n\
         Every declaration has `Ready` and `Synced`; `Reconciling` and `Stalled` are there only while they are true, so that\n\
         `kubectl wait`, Flux and Argo CD understand them without configuration.\n\n\
         | condition | true means |\n|---|---|\n\
         | `Ready` | the remote object was seen to match the generation in `observedGeneration` |\n\
         | `Synced` | no declared field differs now; when one does, the message names it |\n\
         | `Reconciling` | changes are on their way; nobody has to do anything |\n\
         | `Stalled` | nothing happens until somebody does something; the message says what |\n\n\
         ## Reasons\n\n| reason | meaning | what to do |\n|---|---|---|\n",
    );
    for reason in Reason::ALL {
        page.push_str(&format!(
            "| `{reason}` | {} | {} |\n",
            reason.meaning(),
            reason.remedy()
        ));
    }
    page
}
