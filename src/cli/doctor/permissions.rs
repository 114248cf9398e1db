//! Whether the operator may do what it does: asked of the API server for its service account.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::finding::Finding;
use super::installation::Installed;
use crate::api::{GROUP, Kind};

/// Whether the operator's service account may do what the operator does.
pub(super) async fn permissions(client: &Client, one: &Installed) -> Finding {
    let subject = format!("permissions of {}/{}", one.namespace, one.name);
    let mut denied = BTreeSet::new();
    for right in needed(one) {
        match one.may(client, &right).await {
            Ok(true) => {}
            Ok(false) => drop(denied.insert(spelled(&right))),
            Err(error) => return Finding::unread(subject, &error),
        }
    }
    if denied.is_empty() {
        return Finding::ok(subject, format!("{} may do all that it needs", one.account));
    }
    let denied: Vec<String> = denied.into_iter().collect();
    Finding::wrong(subject, format!("{} may not {}", one.account, denied.join(", ")))
        .remedy("install the chart with rbac.create: true, or give these permissions by hand")
}

/// A right, without the place where it is needed. Empty is none.
fn right(group: &str, resource: &str, subresource: &str, name: &str, verb: &str) -> ResourceAttributes {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: given(subresource),
        name: given(name),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    }
}

/// Everything that an operator needs, Secrets excepted: those are asked for by name.
fn needed(one: &Installed) -> Vec<ResourceAttributes> {
    let mut anywhere = vec![right("events.k8s.io", "events", "", "", "create")];
    for kind in Kind::ALL {
        let plural = kind.definition().spec.names.plural;
        anywhere.extend(["get", "list", "watch", "patch"].map(|verb| right(GROUP, &plural, "", "", verb)));
        anywhere.push(right(GROUP, &plural, "status", "", "update"));
        if kind == Kind::Incident {
            // Resolved ones whose ttlAfterResolved is over.
            anywhere.push(right(GROUP, &plural, "", "", "delete"));
        }
    }
    let places = match one.watched.is_empty() {
        true => vec![None],
        false => one.watched.iter().cloned().map(Some).collect(),
    };
    let mut needed: Vec<ResourceAttributes> = Vec::new();
    for namespace in places {
        let here = |right: &ResourceAttributes| ResourceAttributes {
            namespace: namespace.clone(),
            ..right.clone()
        };
        needed.extend(anywhere.iter().map(here));
    }
    let lease = |name: &str, verb| ResourceAttributes {
        namespace: Some(one.namespace.clone()),
        ..right("coordination.k8s.io", "leases", "", name, verb)
    };
    // A name can be granted for all but a creation.
    needed.push(lease("", "create"));
    for name in [one.lease.clone(), format!("{}-requests", one.lease)] {
        needed.extend(["get", "update"].map(|verb| lease(&name, verb)));
    }
    needed
}

/// `update components/status in namespace status`.
fn spelled(right: &ResourceAttributes) -> String {
    let part = |text: &Option<String>, before: &str| {
        let text = text.as_deref().map(|text| format!("{before}{text}"));
        text.unwrap_or_default()
    };
    let place = match &right.namespace {
        None => "in all namespaces".to_owned(),
        Some(namespace) => format!("in namespace {namespace}"),
    };
    format!(
        "{}{}{}{} {place}",
        part(&right.verb, ""),
        part(&right.resource, " "),
        part(&right.subresource, "/"),
        part(&right.name, " ")
    )
}

impl Installed {
    async fn may(&self, client: &Client, right: &ResourceAttributes) -> Result<bool, kube::Error> {
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_owned(),
        ];
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.account.clone()),
                groups: Some(groups.into()),
                resource_attributes: Some(right.clone()),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Whether it may read a Secret.
    pub(super) async fn may_read_secret(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> Result<bool, kube::Error> {
        for verb in ["list", "watch"] {
            let right = ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                ..right("", "secrets", "", name, verb)
            };
            if !self.may(client, &right).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
