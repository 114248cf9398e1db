//! The policy words that every declaration understands, and how a page's defaults fill the gaps.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator may do with the remote object: `Full` (default) reads and writes, `ObserveOnly` only reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum ManagementPolicy {
    /// Read and write.
    #[default]
    Full,
    /// Only read.
    ObserveOnly,
}

/// What happens to the remote object when the declaration is deleted: `Delete` removes it, `Orphan` leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum DeletionPolicy {
    /// Delete the remote object.
    #[default]
    Delete,
    /// Leave the remote object.
    Orphan,
}

/// What happens to the remote incident when the declaration is deleted: `Orphan` (default) leaves it, `Delete` removes
/// it with its history, `Resolve` resolves or completes it and leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum IncidentDeletionPolicy {
    /// Leave the remote object.
    #[default]
    Orphan,
    /// Delete the remote object.
    Delete,
    /// Resolve or complete the incident and leave it.
    Resolve,
}

/// What deleting a declaration does to the remote object: the union of all deletion policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// Delete it.
    Delete,
    /// Leave it.
    #[default]
    Orphan,
    /// Resolve the incident and leave it.
    Resolve,
}

impl From<DeletionPolicy> for Deletion {
    fn from(policy: DeletionPolicy) -> Self {
        match policy {
            DeletionPolicy::Delete => Deletion::Delete,
            DeletionPolicy::Orphan => Deletion::Orphan,
        }
    }
}

impl From<IncidentDeletionPolicy> for Deletion {
    fn from(policy: IncidentDeletionPolicy) -> Self {
        match policy {
            IncidentDeletionPolicy::Delete => Deletion::Delete,
            IncidentDeletionPolicy::Orphan => Deletion::Orphan,
            IncidentDeletionPolicy::Resolve => Deletion::Resolve,
        }
    }
}

/// What to do when the page already has an object of the same identity that no declaration owns: `Refuse` (default)
/// stops and names its id, `ByName` adopts it when exactly one matches, `CreateNew` creates another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum AdoptionPolicy {
    /// Stop and name the id.
    #[default]
    Refuse,
    /// Adopt the only match.
    ByName,
    /// Create another one.
    CreateNew,
}

/// What to do when somebody changed a declared field on the page: `Correct` writes the declared value again, `Detect`
/// reports the difference, `Ignore` does neither. Incidents default to `Detect`, all other kinds to `Correct`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum DriftPolicy {
    /// Write the declared value again.
    #[default]
    Correct,
    /// Report the difference.
    Detect,
    /// Say nothing.
    Ignore,
}

/// What to do when a declared change can only be made by deleting the remote object and creating it again: `Never`
/// (default) reports it, `WhenNeeded` does it. It needs `deletionPolicy: Delete` in force, and gives the object a new id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum ReplacePolicy {
    /// Report the change.
    #[default]
    Never,
    /// Delete the remote object and create it again.
    WhenNeeded,
}

/// Defaults that a StatusPage gives to all declarations of its page. A declaration's own field wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyDefaults {
    /// Default managementPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// Default deletionPolicy of all kinds but Incident, whose default is always Orphan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Default adoptionPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// Default driftPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
}
