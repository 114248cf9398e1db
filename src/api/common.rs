//! The part of `spec` that all kinds of a page share.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{AdoptionPolicy, DriftPolicy, ManagementPolicy, PageReference};

/// Fields that every declaration of a page has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonSpec {
    /// The StatusPage that this declaration belongs to. Cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("pageRef cannot be changed: delete the declaration with deletionPolicy: Orphan and create it again under the other page"))]
    pub page_ref: PageReference,
    /// Full (default): read and write the remote object. ObserveOnly: only read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// What to do when an object of the same identity exists and no declaration owns it: Refuse (default), ByName,
    /// CreateNew. An id given by the annotation statuspage-operator.io/id is adopted under every policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// What to do when somebody changed a declared field on the page: Correct, Detect, Ignore. Default: Correct;
    /// for an Incident: Detect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// True stops everything for this object, deletion included.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}
