//! The part of `status` that all kinds share.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use kube::core::object::HasStatus;
use serde::{Deserialize, Serialize};

use super::kind::{with_kind, with_status};
use super::{Kind, KindSpec, Status};

/// The status type that belongs to a spec type.
type StatusOf<S> = <<S as KindSpec>::Object as HasStatus>::Status;

/// What the operator knows about one declaration. Written only when something in it changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    /// The generation of the declaration that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Id of the remote object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Id that the object had before it was created again. An id annotation that still has it is out of date: a manifest
    /// that is kept elsewhere cannot follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_id: Option<String>,
    /// Id of the remote page that holds the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_id: Option<String>,
    /// Where people see the object, for kinds that have an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Ready and Synced always; Reconciling and Stalled only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// When the remote object was last seen to match; moves only together with another change of the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// The value of the requested-at annotation that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
    /// Declared fields whose remote value is another one although the declaration did not change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    pub drift: Vec<Drift>,
    /// True when the object existed before this declaration and was adopted; such an object is orphaned on deletion
    /// unless the manifest says deletionPolicy: Delete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// What was written last, by field, as short hashes: tells a changed declaration from a changed page.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<String, String>,
    /// Note of a write in flight that must not be sent twice. Present only between its request and its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
}

/// One declared field with another remote value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Name of the field in the manifest's spec.
    pub field: String,
    /// Declared value, as JSON, shortened.
    pub desired: String,
    /// Remote value, as JSON, shortened.
    pub observed: String,
}

/// The write-ahead note of a request that must not be sent twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// `create`, `provide` for another object that this one needs, `replace` for the deletion of an object that is to be
    /// created again, `update/<number>` for the incident update of that position, or `tell/<name>` for something that
    /// tells people and is recorded as applied under that name.
    pub operation: String,
    /// Unique name of this attempt.
    pub attempt: String,
    /// When the attempt began, by the clock of Statuspage where its replies tell the time.
    pub at: Time,
    /// Id that the page's object had before the attempt, where that matters: the newest incident update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The name that was sent, where objects are recognised by it: the declared one may change before the outcome of
    /// the attempt is known. Of `tell/<name>` what is recorded once it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Ids of objects of the same identity that were there before the attempt: none of them is what it created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub beside: Vec<String>,
    /// Id of the object that is deleted, or was, so that it can be created again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl Status {
    /// The empty status of a kind.
    pub fn empty(kind: Kind) -> Self {
        with_kind!(kind, S => StatusOf::<S>::default().into())
    }

    /// Reads the status of a kind from JSON; fields that do not fit are an error.
    pub fn from_json(kind: Kind, value: serde_json::Value) -> Result<Self, serde_json::Error> {
        with_kind!(kind, S => serde_json::from_value::<StatusOf<S>>(value).map(Status::from))
    }

    /// The status as JSON.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        with_status!(self, status => serde_json::to_value(status))
    }

    /// True when two say the same; one that is shared is not compared with itself.
    pub fn is_same(one: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(one, other) || one == other
    }

    /// The shared part.
    pub fn object(&self) -> &ObjectStatus {
        with_status!(self, status => &status.object)
    }

    /// The shared part, to change.
    pub fn object_mut(&mut self) -> &mut ObjectStatus {
        with_status!(self, status => &mut status.object)
    }
}
