//! The control plane that the other tests stand on is a real one.

use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;
use crate::support::warden::Warden;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use std::path::Path;
use std::time::Duration;

/// The service account controller and others look at an object within this.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_api_server_answers() {
    let control_plane = ControlPlane::shared().await;
    let version = control_plane.client().await.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    assert!(version.git_version.starts_with("v1."), "{}", version.git_version);
}

/// Others on the machine can neither reach the control plane nor read its keys.
#[tokio::test]
async fn a_control_plane_of_our_own_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let control_plane = ControlPlane::own().await;
    let kubeconfig = Kubeconfig::read_from(control_plane.kubeconfig_path()).unwrap();
    let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
    let server = cluster.server.as_deref().unwrap();
    assert!(server.starts_with("https://127.0.0.1:"), "{server}");
    let directory = control_plane.kubeconfig_path().parent().unwrap();
    let mode = directory.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[tokio::test]
async fn kubectl_and_helm_run() {
    let control_plane = ControlPlane::shared().await;
    let version = control_plane.kubectl(&["version"]).await.succeeded();
    assert!(version.contains("Client Version: v1."), "{version}");
    assert!(version.contains("Server Version: v1."), "{version}");
    let version = control_plane.helm(&["version", "--short"]).await.succeeded();
    assert!(version.starts_with('v'), "{version}");
    let error = control_plane.kubectl(&["get", "nonsense"]).await.failed();
    assert!(error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn a_deleted_namespace_goes_with_what_is_in_it() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.unique_namespace().await;
    let client = control_plane.client().await;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let mut config_map = ConfigMap::default();
    config_map.metadata.name = Some("content".to_owned());
    config_maps.create(&PostParams::default(), &config_map).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    eventually("deletion of a namespace", SOON, async || {
        match namespaces.get_opt(&namespace).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let left = config_maps.list(&ListParams::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_restricted_namespace_rejects_a_privileged_pod() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.unique_namespace().await;
    let label = "pod-security.kubernetes.io/enforce=restricted";
    control_plane
        .kubectl(&["label", "namespace", &namespace, label])
        .await
        .succeeded();
    let pod = |security_context: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: pod}}, spec: {{containers: [\
             {{name: main, image: none, securityContext: {security_context}}}]}}}}"
        )
    };
    let arguments = ["apply", "--namespace", &namespace, "--dry-run=server", "-f", "-"];
    let error = control_plane
        .kubectl_with_input(&arguments, &pod("{privileged: true}"))
        .await
        .failed();
    assert!(error.contains("violates PodSecurity \"restricted"), "{error}");
    let accepted = "{runAsNonRoot: true, allowPrivilegeEscalation: false, \
                    capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}";
    control_plane
        .kubectl_with_input(&arguments, &pod(accepted))
        .await
        .succeeded();
}

#[tokio::test]
async fn a_service_account_is_who_it_is_and_may_what_it_may() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.unique_namespace().await;
    let kubeconfig = control_plane
        .kubeconfig_for_service_account(&namespace, "default")
        .await;
    let kubeconfig_argument = format!("--kubeconfig={}", kubeconfig.display());
    let who = control_plane
        .kubectl(&[
            &kubeconfig_argument,
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ])
        .await
        .succeeded();
    assert_eq!(who, format!("system:serviceaccount:{namespace}:default"));

    assert!(!may_list_config_maps(&kubeconfig, &namespace).await);
    let service_account = format!("--serviceaccount={namespace}:default");
    control_plane
        .kubectl(&[
            "create",
            "rolebinding",
            "view",
            "--clusterrole=view",
            "--namespace",
            &namespace,
            &service_account,
        ])
        .await
        .succeeded();
    // The authoriser learns of the binding by a watch.
    eventually(
        "permission by a new binding",
        SOON,
        async || match may_list_config_maps(&kubeconfig, &namespace).await {
            true => Ok(()),
            false => Err("not permitted".to_owned()),
        },
    )
    .await;
    assert!(!may_list_config_maps(&kubeconfig, "kube-system").await);
}

async fn may_list_config_maps(kubeconfig: &Path, namespace: &str) -> bool {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    let reviews: Api<SelfSubjectAccessReview> = Api::all(Client::try_from(config).unwrap());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some("list".to_owned()),
                resource: Some("configmaps".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let review = reviews.create(&PostParams::default(), &review).await.unwrap();
    review.status.expect("a review has a verdict").allowed
}

/// A control plane must not outlive its tests, even when they are killed.
#[test]
fn the_warden_leaves_nothing_behind() {
    let warden = Warden::start().unwrap();
    let directory = warden.directory().to_owned();
    let shell = Path::new("/bin/sh");
    let pid = directory.join("pid");
    // Has a child of its own, and minds no polite request to end.
    let script = "trap '' TERM HUP INT; echo $$ >pid.new; mv pid.new pid; sleep 600 & wait";
    warden
        .run("stubborn", shell, &["-c".to_owned(), script.to_owned()])
        .unwrap();
    warden.wait_for("stubborn", || pid.exists()).unwrap();
    let pid = std::fs::read_to_string(pid).unwrap();

    warden
        .run("short", shell, &["-c".to_owned(), "echo why; exit 3".to_owned()])
        .unwrap();
    let error = warden.wait_for("short", || false).unwrap_err();
    assert!(error.contains("exit status 3") && error.contains("why"), "{error}");
    warden.run("absent", Path::new("/nonexistent"), &[]).unwrap();
    let error = warden.wait_for("absent", || false).unwrap_err();
    assert!(error.contains("no such file"), "{error}");

    warden.end();
    assert!(!directory.exists());
    let alive = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("kill -0 {}", pid.trim())])
        .output()
        .unwrap();
    assert!(!alive.status.success(), "{} still runs", pid.trim());
}
