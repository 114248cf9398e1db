//! The closed vocabularies of the API: enumerations that travel as words.

/// Declares an enumeration that is written as fixed words on the wire and in storage.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub(super) enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub(super) const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word of the wire.
            pub(super) fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The value of a word of the wire.
            pub(super) fn parse(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl Default for $name {
            /// The first.
            fn default() -> Self { Self::ALL[0] }
        }

        impl crate::reply::Shown for $name {
            fn shown(&self) -> serde_json::Value { self.as_str().into() }
        }

        impl Word for $name {
            fn parse_word(word: &str) -> Option<Self> { Self::parse(word) }
            fn choices() -> String {
                Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join("|")
            }
        }
    };
}

/// What the reader of request fields needs to know about a vocabulary.
pub(super) trait Word: Sized {
    /// The value of a word.
    fn parse_word(word: &str) -> Option<Self>;
    /// All words, for an error message.
    fn choices() -> String;
}

words! {
    /// State of a component, ordered from best to worst.
    ComponentStatus {
        Operational = "operational",
        UnderMaintenance = "under_maintenance",
        DegradedPerformance = "degraded_performance",
        PartialOutage = "partial_outage",
        MajorOutage = "major_outage",
    }
}

words! {
    /// State of an incident: the first four are for real-time incidents, the others for maintenance.
    IncidentStatus {
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
        Scheduled = "scheduled",
        InProgress = "in_progress",
        Verifying = "verifying",
        Completed = "completed",
    }
}

impl IncidentStatus {
    /// Whether the status belongs to a scheduled maintenance.
    pub(super) fn is_maintenance(self) -> bool {
        matches!(
            self,
            Self::Scheduled | Self::InProgress | Self::Verifying | Self::Completed
        )
    }

    /// Whether nothing is open any more.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Resolved | Self::Completed)
    }
}

words! {
    /// How bad an incident is, ordered.
    Impact {
        None = "none",
        Maintenance = "maintenance",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

impl ComponentStatus {
    /// How bad a component in this state makes an incident.
    pub(super) fn impact(self) -> Impact {
        match self {
            Self::Operational => Impact::None,
            Self::UnderMaintenance => Impact::Maintenance,
            Self::DegradedPerformance => Impact::Minor,
            Self::PartialOutage => Impact::Major,
            Self::MajorOutage => Impact::Critical,
        }
    }
}

words! {
    /// Where the values of a metric come from.
    ProviderType {
        Pingdom = "Pingdom",
        NewRelic = "NewRelic",
        Librato = "Librato",
        Datadog = "Datadog",
        Own = "Self",
    }
}

words! {
    /// The channel of a subscriber.
    SubscriberMode {
        Email = "email",
        Sms = "sms",
        Webhook = "webhook",
        Slack = "slack",
        Teams = "teams",
        IntegrationPartner = "integration_partner",
    }
}

words! {
    /// Whether a subscriber hears anything.
    SubscriberState {
        Active = "active",
        Unconfirmed = "unconfirmed",
        Quarantined = "quarantined",
    }
}

words! {
    /// Where the public page shows its embedded status.
    Branding {
        Basic = "basic",
        Premium = "premium",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_are_ordered() {
        for status in IncidentStatus::ALL {
            assert_eq!(IncidentStatus::parse(status.as_str()), Some(*status));
        }
        assert!(Impact::Critical > Impact::Maintenance);
        assert!(ComponentStatus::MajorOutage > ComponentStatus::Operational);
        assert_eq!(ProviderType::parse("Self"), Some(ProviderType::Own));
        assert_eq!(ProviderType::parse("self"), None);
    }
}
