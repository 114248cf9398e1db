//! What the operator may do, by the roles of the chart.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::{GROUP, SOON, of_kind, render, strings};
use crate::support::eventually;

/// With names of namespaces, nothing of the cluster is asked for: an administrator of these namespaces can install it.
#[tokio::test]
async fn an_operator_of_some_namespaces_has_no_role_of_the_cluster() {
    let some = "watchNamespaces={a,b}";
    let documents = render(&["--set", some]).await;
    assert!(of_kind(&documents, "ClusterRoleBinding").is_empty());
    let documents = render(&["--set", &format!("{some},rbac.aggregateRoles=false,crds.enabled=false")]).await;
    for kind in ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"] {
        assert!(of_kind(&documents, kind).is_empty(), "{kind}");
    }
    assert_eq!(
        of_kind(&documents, "RoleBinding").len(),
        3,
        "two, and that of the election"
    );

    // What is asked for explicitly, and nothing else.
    let namespaces = async |more: &str| {
        let documents = render(&["--set", &format!("{some},{more}")]).await;
        let roles = of_kind(&documents, "ClusterRole");
        let own = roles
            .iter()
            .find(|role| role["metadata"]["name"] == "release-statuspage-operator");
        own.map(|role| strings(&role["rules"][0]["verbs"]).join(" "))
    };
    assert_eq!(
        namespaces("rbac.readNamespaces=true").await.as_deref(),
        Some("list watch")
    );
    let purge = "events.urlSecret.name=db,events.purgeWithNamespace=true";
    assert_eq!(namespaces(purge).await.as_deref(), Some("get list watch"));
    assert_eq!(namespaces("rbac.readNamespaces=false").await, None);
}

/// Whether the operator may do its work on the declarations of a namespace.
pub(super) async fn assert_may_act(client: &Client, account: &str, namespace: &str, expected: bool) {
    for (verb, group, resource) in [
        ("get", GROUP, "components"),
        ("list", GROUP, "statuspages"),
        ("watch", GROUP, "incidents"),
        ("patch", GROUP, "componentgroups"),
        ("update", GROUP, "components.status"),
        ("delete", GROUP, "incidents"),
        ("create", "events.k8s.io", "events"),
    ] {
        // The authoriser learns of new roles by a watch.
        let what = format!("{verb} {resource} in {namespace}: {expected}");
        eventually(&what, SOON, async || {
            let allowed = may(client, account, namespace, verb, group, resource).await;
            if allowed == expected {
                Ok(())
            } else {
                Err(allowed.to_string())
            }
        })
        .await;
    }
}

/// Whether the operator is kept from what is not its work.
pub(super) async fn assert_may_not_do_more(client: &Client, account: &str, namespace: &str) {
    let leases = "coordination.k8s.io";
    for lease in ["leases/statuspage-operator", "leases/statuspage-operator-requests"] {
        for verb in ["get", "update"] {
            assert!(may(client, account, namespace, verb, leases, lease).await);
            assert!(!may(client, account, "kube-system", verb, leases, lease).await);
        }
    }
    assert!(may(client, account, namespace, "create", leases, "leases").await);
    assert!(!may(client, account, namespace, "update", leases, "leases/of-somebody-else").await);
    for (verb, group, resource) in [
        ("create", GROUP, "components"),
        ("delete", GROUP, "components"),
        ("delete", GROUP, "statuspages"),
        ("create", GROUP, "incidents"),
        ("deletecollection", GROUP, "incidents"),
        ("update", GROUP, "components"),
        ("patch", GROUP, "components.status"),
        ("update", GROUP, "components.finalizers"),
        ("get", "", "secrets"),
        ("patch", "events.k8s.io", "events"),
        ("create", "authentication.k8s.io", "tokenreviews"),
        ("create", "", "secrets"),
        ("update", "", "secrets"),
        ("patch", "", "namespaces"),
        ("get", "", "configmaps"),
        ("get", "", "pods"),
        ("delete", "coordination.k8s.io", "leases"),
        ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ] {
        let allowed = may(client, account, namespace, verb, group, resource).await;
        assert!(!allowed, "the operator may {verb} {resource}");
    }
}

/// Asks the API server whether an account may do something. A resource may have
/// a subresource after a dot, or the name of an object after a slash.
pub(super) async fn may(
    client: &Client,
    account: &str,
    namespace: &str,
    verb: &str,
    group: &str,
    resource: &str,
) -> bool {
    let (resource, name) = resource.split_once('/').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('.').unwrap_or((resource, ""));
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(account.to_owned()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(subresource.to_owned()),
                name: Some(name.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &review).await.unwrap();
    review.status.expect("a review has a verdict").allowed
}
