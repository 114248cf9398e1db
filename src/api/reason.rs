//! The closed set of condition reasons.

/// Why a condition has its status. Docs, Events and `kubectl describe` use these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The remote object was seen to match the declaration.
    Synced,
    /// A change is on its way, or waits for the request budget.
    Progressing,
    /// A declared field has another value on the page and driftPolicy is Detect.
    DriftDetected,
    /// Another declaration or Secret has to be there first.
    WaitingForReference,
    /// A group without members: it appears with its first component.
    NoMembers,
    /// The StatusPage named by pageRef does not exist.
    PageNotFound,
    /// The StatusPage named by pageRef does not allow declarations of this namespace.
    PageNotGranted,
    /// The page's token, address or id does not work; its own condition says why.
    PageNotReady,
    /// The Secret or its key does not exist.
    SecretNotFound,
    /// Statuspage refused the token.
    Unauthorized,
    /// Statuspage has no page with this id or subdomain for this token.
    RemotePageNotFound,
    /// Statuspage cannot be reached or answers with server errors; tried again.
    Unreachable,
    /// Statuspage asked to wait.
    Throttled,
    /// Statuspage refused the request; its words are in the message.
    Rejected,
    /// Statuspage accepted the request but did not keep a field, or the field cannot be changed any more.
    NotHonoured,
    /// The page has an object of this identity that no declaration owns.
    AlreadyExists,
    /// Several objects match, or an attempt's outcome cannot be told.
    Ambiguous,
    /// Another, older declaration owns the same remote object.
    ClaimedByAnother,
    /// The object with the declared id does not exist on the page.
    RemoteNotFound,
    /// Somebody deleted the remote object.
    RemoteDeleted,
    /// The declaration itself is not usable.
    Invalid,
    /// suspend is true.
    Suspended,
    /// managementPolicy is ObserveOnly and the page differs.
    ObserveOnly,
    /// More deletions than the page's deletionCap.
    DeletionCapped,
    /// The remote object is being deleted.
    Deleting,
}

impl Reason {
    /// All reasons, for documentation and tests.
    pub const ALL: &[Reason] = &[
        Self::Synced,
        Self::Progressing,
        Self::DriftDetected,
        Self::WaitingForReference,
        Self::NoMembers,
        Self::PageNotFound,
        Self::PageNotGranted,
        Self::PageNotReady,
        Self::SecretNotFound,
        Self::Unauthorized,
        Self::RemotePageNotFound,
        Self::Unreachable,
        Self::Throttled,
        Self::Rejected,
        Self::NotHonoured,
        Self::AlreadyExists,
        Self::Ambiguous,
        Self::ClaimedByAnother,
        Self::RemoteNotFound,
        Self::RemoteDeleted,
        Self::Invalid,
        Self::Suspended,
        Self::ObserveOnly,
        Self::DeletionCapped,
        Self::Deleting,
    ];

    /// The word in `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::Progressing => "Progressing",
            Self::DriftDetected => "DriftDetected",
            Self::WaitingForReference => "WaitingForReference",
            Self::NoMembers => "NoMembers",
            Self::PageNotFound => "PageNotFound",
            Self::PageNotGranted => "PageNotGranted",
            Self::PageNotReady => "PageNotReady",
            Self::SecretNotFound => "SecretNotFound",
            Self::Unauthorized => "Unauthorized",
            Self::RemotePageNotFound => "RemotePageNotFound",
            Self::Unreachable => "Unreachable",
            Self::Throttled => "Throttled",
            Self::Rejected => "Rejected",
            Self::NotHonoured => "NotHonoured",
            Self::AlreadyExists => "AlreadyExists",
            Self::Ambiguous => "Ambiguous",
            Self::ClaimedByAnother => "ClaimedByAnother",
            Self::RemoteNotFound => "RemoteNotFound",
            Self::RemoteDeleted => "RemoteDeleted",
            Self::Invalid => "Invalid",
            Self::Suspended => "Suspended",
            Self::ObserveOnly => "ObserveOnly",
            Self::DeletionCapped => "DeletionCapped",
            Self::Deleting => "Deleting",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
