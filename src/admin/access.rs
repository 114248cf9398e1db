//! `GET /api/v1/access/`: who asks, and what that caller may.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Verb;
use super::extract::{Known, NoParameters};

/// A caller, and what it may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Name of the user or of the access key.
    pub user: String,
    /// Address of the user; null where the identity has none.
    pub email: Option<String>,
    /// True for an administrator of its namespaces.
    pub admin: bool,
    /// By kind, as in manifests, and by verb: the namespaces, `*` for all of them; or the pages, as namespace and name with
    /// a slash between, where it is limited to some.
    pub access: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// `GET /api/v1/access/`.
pub(super) async fn access(Known(caller): Known, _: NoParameters) -> Json<Access> {
    let by_verb = |verbs: BTreeMap<Verb, BTreeSet<String>>| {
        let named = verbs.into_iter().map(|(verb, places)| (verb.to_string(), places));
        named.collect()
    };
    let access = caller.access().into_iter();
    let access = access.map(|(kind, verbs)| (kind.as_str().to_owned(), by_verb(verbs)));
    Json(Access {
        access: access.collect(),
        user: caller.user,
        email: caller.email,
        admin: caller.admin,
    })
}
