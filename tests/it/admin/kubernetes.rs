//! Bearer tokens, reviewed by a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::config::Kubeconfig;
use secrecy::ExposeSecret;
use statuspage_operator::admin::caller::{Caller, Scope};
use statuspage_operator::admin::identity::kubernetes::KubernetesTokens;
use statuspage_operator::admin::identity::{Identity, Refusal, TokenAuthority, TokenError};
use statuspage_operator::api::Kind;

use super::{Running, Setup, answer};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

/// The authoriser learns of bindings by a watch.
const SOON: Duration = Duration::from_secs(60);

async fn token_of(control_plane: &ControlPlane, namespace: &str) -> String {
    let kubeconfig = control_plane.kubeconfig_for_service_account(namespace, "default").await;
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
    user.token.as_ref().unwrap().expose_secret().to_owned()
}

fn tokens(client: Client, namespaces: &[&str]) -> KubernetesTokens {
    let kinds: BTreeSet<Kind> = Kind::ALL.into();
    let namespaces: BTreeMap<String, BTreeSet<Kind>> = namespaces
        .iter()
        .map(|name| ((*name).to_owned(), kinds.clone()))
        .collect();
    KubernetesTokens::new(
        client,
        Arc::new(move || Box::pin(std::future::ready(namespaces.clone()))),
    )
}

/// Asks without what was kept of earlier answers, until the scope is this one.
async fn eventually_scoped(client: &Client, token: &str, namespaces: &[&str], scope: &Scope) -> Caller {
    eventually("rights by a new binding", SOON, async || {
        let caller = tokens(client.clone(), namespaces).caller(token).await;
        match caller {
            Ok(caller) if caller.namespaces() == *scope => Ok(caller),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

fn binding(kind: &str, name: &str, namespace: &str, account_namespace: &str) -> String {
    let scope = if kind.starts_with("Cluster") {
        String::new()
    } else {
        format!(", namespace: {namespace}")
    };
    let binding = format!("{kind}Binding");
    format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}, metadata: {{name: {name}{scope}}}, \
          rules: [{{apiGroups: [statuspage-operator.io], resources: [statuspages], verbs: [list]}}]}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: {binding}, metadata: {{name: {name}{scope}}}, \
          roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}, \
          subjects: [{{kind: ServiceAccount, name: default, namespace: {account_namespace}}}]}}\n"
    )
}

#[tokio::test]
async fn rights_to_list_pages_are_the_tenants() {
    let control_plane = ControlPlane::shared().await;
    let client = control_plane.client().await;
    let [own, other] = [
        control_plane.unique_namespace().await,
        control_plane.unique_namespace().await,
    ];
    let token = token_of(control_plane, &own).await;
    let namespaces = [own.as_str(), other.as_str()];

    let caller = tokens(client.clone(), &namespaces).caller(&token).await.unwrap();
    assert_eq!(caller.user, format!("system:serviceaccount:{own}:default"));
    assert_eq!(
        (caller.admin, &caller.namespaces()),
        (false, &Scope::Only(BTreeSet::new()))
    );

    let apply = async |manifest: &str| {
        control_plane
            .kubectl_with_input(&["apply", "-f", "-"], manifest)
            .await
            .succeeded();
    };
    apply(&binding("Role", "tell", &own, &own)).await;
    let scope = Scope::Only(BTreeSet::from([own.clone()]));
    let caller = eventually_scoped(&client, &token, &namespaces, &scope).await;
    assert!(!caller.admin && caller.may_read(&own, "StatusPage", "") && !caller.may_read(&other, "StatusPage", ""));
    // The right to one kind is none to another.
    assert!(!caller.may_read(&own, "Subscriber", ""));
    let view = caller.view();
    assert!(view.admits(&own, "page.update", None) && !view.admits(&own, "subscriber.create", None));
    let of_incidents = binding("Role", "tell-more", &own, &own).replace("[statuspages]", "[incidents]");
    apply(&of_incidents).await;
    eventually("the right to incidents", SOON, async || {
        let caller = tokens(client.clone(), &namespaces).caller(&token).await.unwrap();
        let may = |kind| caller.may_read(&own, kind, "");
        match (may("StatusPage"), may("Incident"), may("Subscriber")) {
            (true, true, false) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;

    let name = format!("tell-{own}");
    apply(&binding("ClusterRole", &name, &own, &own)).await;
    let caller = eventually_scoped(&client, &token, &namespaces, &Scope::All).await;
    assert!(caller.admin && !caller.may_read(&other, "Incident", ""));
    for kind in ["clusterrolebinding", "clusterrole"] {
        control_plane.kubectl(&["delete", kind, &name]).await.succeeded();
    }
}

#[tokio::test]
async fn the_server_takes_reviewed_tokens() {
    let control_plane = ControlPlane::shared().await;
    let client = control_plane.client().await;
    let namespace = control_plane.unique_namespace().await;
    let token = token_of(control_plane, &namespace).await;
    let authority = Arc::new(tokens(client, &["a", "b"]));
    let setup = Setup {
        identity: Some(Identity::new().with_tokens(authority)),
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let request = || running.request("GET", "/api/v1/resources/");
    for good in [request().bearer_auth(&token), request().header("X-Auth-Token", &token)] {
        let (status, list) = answer(good).await;
        // It is somebody, and may see nothing.
        assert_eq!((status, list["meta"]["count"].as_u64()), (200, Some(0)));
    }
    for bad in ["nonsense".to_owned(), format!("{token}x")] {
        assert_eq!(answer(request().bearer_auth(bad)).await.0, 401);
    }
}

/// The operator of a chart without the rights to ask takes no such tokens: that is a setting, and no outage.
#[tokio::test]
async fn who_may_not_ask_takes_no_tokens() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.unique_namespace().await;
    let token = token_of(control_plane, &namespace).await;
    let account = control_plane
        .kubeconfig_for_service_account(&namespace, "default")
        .await;
    let account = Kubeconfig::read_from(account).unwrap();
    let config = kube::Config::from_custom_kubeconfig(account, &Default::default())
        .await
        .unwrap();
    let answer = tokens(Client::try_from(config).unwrap(), &["a"]).caller(&token).await;
    assert!(
        matches!(answer, Err(TokenError::Refused(Refusal::Malformed))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn without_an_api_server_nobody_is_refused_or_let_in() {
    crate::support::control_plane::install_crypto();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Accepts and never answers.
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let authority = tokens(Client::try_from(config).unwrap(), &["a"]);
    let answer = authority.caller("token").await;
    assert!(matches!(answer, Err(TokenError::Unavailable(_))), "{answer:?}");
    let long = "x".repeat(20_000);
    let answer = authority.caller(&long).await;
    assert!(
        matches!(answer, Err(TokenError::Refused(Refusal::Malformed))),
        "{answer:?}"
    );
}
