//! The chart, by Helm itself and on a real API server.

mod admission;
mod monitoring;
mod permissions;
mod upgrade;
mod values;

use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
pub(crate) use monitoring::metrics_asked_for;
use permissions::{assert_may_act, assert_may_not_do_more, may};
use statuspage_operator::api::Kind;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use yaml_oracle::Value;

const GROUP: &str = "statuspage-operator.io";

/// Controllers act on what Helm installed within this.
const SOON: Duration = Duration::from_secs(60);

/// A definition such as `statuspage crds` writes, with what went wrong in other
/// people's charts: a number that no float holds, and text like a template's.
const DEFINITION: &str = r#"---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: samples.chart-test.example
spec:
  group: chart-test.example
  names: {kind: Sample, plural: samples, singular: sample}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: Not a template, {{ .Values.nothing }}.
        properties:
          size:
            type: string
            maxLength: 1048577
"#;

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/statuspage-operator")
}

/// The words of a file of the chart.
fn file(name: &str) -> String {
    fs::read_to_string(chart().join(name)).unwrap()
}

fn chart_path() -> String {
    chart().display().to_string()
}

/// Renders the chart with further arguments of `helm template`.
async fn render(arguments: &[&str]) -> Vec<Value> {
    let path = chart_path();
    let mut all = vec!["template", "release", &path, "--namespace", "system"];
    all.extend(arguments);
    parse(&ControlPlane::shared().await.helm(&all).await.succeeded())
}

/// The documents of a stream of YAML.
fn parse(text: &str) -> Vec<Value> {
    yaml_oracle::Deserializer::from_str(text)
        .map(|document| <Value as serde::Deserialize>::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_sequence().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn helm_lints_it_strictly() {
    let control_plane = ControlPlane::shared().await;
    control_plane
        .helm(&["lint", "--strict", &chart_path()])
        .await
        .succeeded();
    let all = "watchNamespaces={a,b},operator.requestsPerMinute=0,metricsService.enabled=true,\
               secrets.names={token},serviceAccount.create=false,image.tag=v1,replicas=1,\
               httpApi.service.enabled=true,httpApi.tlsSecret=tls,httpApi.accessKeysSecret=keys,\
               events.persistence.enabled=true";
    control_plane
        .helm(&["lint", "--strict", &chart_path(), "--set", all])
        .await
        .succeeded();
}

#[tokio::test]
async fn it_refuses_what_it_does_not_know() {
    let control_plane = ControlPlane::shared().await;
    for (value, complaint) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image.registry=x", "additional properties 'registry' not allowed"),
        ("replicas=many", "want integer"),
        ("operator.logFormat=xml", "value must be one of"),
        ("watchNamespaces={Not A Namespace}", "does not match pattern"),
        ("image.repository=", "minLength"),
        ("events.maxAge=soon", "does not match pattern"),
        ("events.persistence.enabled=true", "set replicas to 1"),
        (
            "replicas=1,events.persistence.enabled=true,events.urlSecret.name=database",
            "either persistence or urlSecret",
        ),
    ] {
        let arguments = ["template", "release", &chart_path(), "--set", value];
        let error = control_plane.helm(&arguments).await.failed();
        assert!(error.contains(complaint), "{value}: {error}");
    }
}

#[tokio::test]
async fn the_deployment_runs_the_operator_as_it_is_called() {
    let documents = render(&[]).await;
    let deployments = of_kind(&documents, "Deployment");
    let [deployment] = deployments.as_slice() else {
        panic!("{deployments:?}");
    };
    assert_eq!(deployment["spec"]["replicas"], 2);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let usual = [
        "operator",
        "--probe-listen",
        "0.0.0.0:8081",
        "--http-listen",
        "127.0.0.1:8082",
        "--leader-elect",
        "--lease-namespace",
        "$(POD_NAMESPACE)",
        "--log-format",
        "json",
    ];
    assert_eq!(strings(&container["args"]), usual);
    assert_eq!(container["image"], "statuspage-operator:0.1.0");
    assert!(of_kind(&documents, "Secret").is_empty(), "a chart holds no API key");

    let digest = format!("image.digest=sha256:{}", "0".repeat(64));
    let documents = render(&[
        "--set",
        "watchNamespaces={a,b},operator.requestsPerMinute=0,operator.extraArgs={--more}",
        "--set",
        &digest,
        "--set",
        "replicas=1",
    ])
    .await;
    let deployments = of_kind(&documents, "Deployment");
    let container = &deployments[0]["spec"]["template"]["spec"]["containers"][0];
    let more = [
        "--requests-per-minute",
        "0",
        "--watch-namespace",
        "a",
        "--watch-namespace",
        "b",
        "--more",
    ];
    assert_eq!(
        strings(&container["args"]),
        [usual.as_slice(), more.as_slice()].concat()
    );
    assert!(container["image"].as_str().unwrap().contains("@sha256:0"));
    // It would keep the only replica from ever being moved.
    assert!(of_kind(&documents, "PodDisruptionBudget").is_empty());
}

/// The port, the arguments, the volumes and the roles of the HTTP API and of the event log belong together.
#[tokio::test]
async fn the_http_api_and_the_event_log_are_set_up_by_values() {
    let container = |documents: &[Value]| of_kind(documents, "Deployment")[0]["spec"]["template"]["spec"].clone();
    let reviews = |documents: &[Value]| {
        let roles = of_kind(documents, "ClusterRole");
        let rules = roles.iter().flat_map(|role| role["rules"].as_sequence().unwrap());
        let names = rules.flat_map(|rule| strings(&rule["resources"]));
        names.filter(|name| name.ends_with("reviews")).count()
    };
    let documents = render(&["--skip-tests"]).await;
    let pod = container(&documents);
    assert!(pod["volumes"].is_null() && pod["containers"][0]["volumeMounts"].is_null());
    assert!(of_kind(&documents, "Service").is_empty(), "inside of the Pod only");
    // Who nobody can reach has nobody to look up.
    assert_eq!(reviews(&documents), 0);
    assert_eq!(reviews(&render(&["--set", "httpApi.clusterTokens=true"]).await), 2);
    let service = "httpApi.service.enabled=true";
    assert_eq!(reviews(&render(&["--set", service]).await), 2);
    let none = format!("{service},httpApi.clusterTokens=false");
    assert_eq!(reviews(&render(&["--set", &none]).await), 0);
    // Reviews are of the cluster, wherever declarations are.
    let some = format!("{service},watchNamespaces={{a}}");
    assert_eq!(reviews(&render(&["--set", &some]).await), 2);

    let all = "httpApi.service.enabled=true,httpApi.tlsSecret=tls,httpApi.accessKeysSecret=keys,\
               httpApi.gatewaySecret=gateway,httpApi.gatewayAddresses={10.0.7.0/24},\
               events.urlSecret.name=database,events.maxAge=,events.maxSize=";
    let documents = render(&["--skip-tests", "--set", all]).await;
    let pod = container(&documents);
    let container_of = &pod["containers"][0];
    let arguments = strings(&container_of["args"]).join(" ");
    for expected in [
        "--http-listen 0.0.0.0:8082",
        "--http-tls-certificate /etc/statuspage/tls/tls.crt --http-tls-key /etc/statuspage/tls/tls.key",
        "--access-keys /etc/statuspage/access-keys/keys.json",
        "--gateway-secret-file /etc/statuspage/gateway/secret --gateway-address 10.0.7.0/24",
        "--events-journal /var/lib/statuspage/events.journal",
    ] {
        assert!(arguments.contains(expected), "{expected}: {arguments}");
    }
    assert!(!arguments.contains("max-"), "{arguments}");
    let variables = container_of["env"].as_sequence().unwrap();
    let url = variables.iter().find(|one| one["name"] == "STATUSPAGE_EVENTS").unwrap();
    assert_eq!(url["valueFrom"]["secretKeyRef"]["name"], "database");
    let named = |list: &Value| -> Vec<String> {
        let list = list.as_sequence().unwrap().iter();
        list.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named(&pod["volumes"]), ["events", "tls", "gateway", "access-keys"]);
    assert_eq!(
        named(&container_of["volumeMounts"]),
        ["events", "tls", "gateway", "access-keys"]
    );
    assert!(pod["volumes"][0]["emptyDir"].is_mapping());
    let services = of_kind(&documents, "Service");
    assert_eq!(services[0]["spec"]["ports"][0]["name"], "https");
    assert_eq!(services[0]["spec"]["ports"][0]["targetPort"], "http-api");
    assert_eq!(container_of["ports"][1]["name"], "http-api");

    let single = "replicas=1,events.persistence.enabled=true";
    let documents = render(&["--set", single]).await;
    let pod = container(&documents);
    let arguments = strings(&pod["containers"][0]["args"]).join(" ");
    let kept = "--events /var/lib/statuspage/events.db --events-max-age 365d --events-max-size 500Mi";
    assert!(arguments.contains(kept), "{arguments}");
    let claims = of_kind(&documents, "PersistentVolumeClaim");
    let name = &claims[0]["metadata"]["name"];
    assert_eq!(&pod["volumes"][0]["persistentVolumeClaim"]["claimName"], name);
    assert_eq!(
        of_kind(&documents, "Deployment")[0]["spec"]["strategy"]["type"],
        "Recreate"
    );
    let given = format!("{single},events.persistence.existingClaim=mine");
    let documents = render(&["--set", &given]).await;
    assert!(of_kind(&documents, "PersistentVolumeClaim").is_empty());
    assert_eq!(
        container(&documents)["volumes"][0]["persistentVolumeClaim"]["claimName"],
        "mine"
    );
}

/// A kind that the roles do not name is a kind that the operator may not see.
#[tokio::test]
async fn the_roles_name_the_kinds_that_there_are() {
    let kinds: BTreeSet<String> = Kind::ALL
        .iter()
        .map(|kind| kind.definition().spec.names.plural)
        .collect();
    let documents = render(&[]).await;
    let mut granted = BTreeSet::new();
    for role in of_kind(&documents, "ClusterRole") {
        for rule in role["rules"].as_sequence().unwrap() {
            if strings(&rule["apiGroups"]) == [GROUP] {
                granted.extend(strings(&rule["resources"]).iter().map(|name| (*name).to_owned()));
            }
        }
    }
    granted.retain(|name| !name.contains('/'));
    assert_eq!(granted, kinds, "templates/_helpers.tpl: statuspage-operator.resources");
}

/// All definitions that the chart has are rendered, and on request none.
#[tokio::test]
async fn the_definitions_of_the_chart_are_rendered() {
    let files = fs::read_dir(chart().join("files/crds")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files = names.filter(|name| name.ends_with(".yaml")).count();
    for (keep, policy) in [("crds.keep=true", Some("keep")), ("crds.keep=false", None)] {
        let documents = render(&["--set", keep]).await;
        let definitions = of_kind(&documents, "CustomResourceDefinition");
        assert_eq!(definitions.len(), files);
        for definition in definitions {
            let annotations = &definition["metadata"]["annotations"];
            assert_eq!(annotations["helm.sh/resource-policy"].as_str(), policy);
        }
    }
    let documents = render(&["--set", "crds.enabled=false"]).await;
    assert!(of_kind(&documents, "CustomResourceDefinition").is_empty());
}

/// Copies the chart, with the definitions of all kinds as they are now and with
/// [`DEFINITION`].
fn chart_with_definitions() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let copied = tempfile::tempdir().unwrap();
    copy(&chart(), copied.path());
    let definitions = copied.path().join("files/crds");
    fs::remove_dir_all(&definitions).unwrap();
    fs::create_dir_all(&definitions).unwrap();
    for kind in Kind::ALL {
        let text = serde_yaml::to_string(&kind.definition()).unwrap();
        fs::write(definitions.join(format!("{}.yaml", kind.as_str())), text).unwrap();
    }
    fs::write(definitions.join("sample.yaml"), DEFINITION).unwrap();
    copied
}

/// Installs, upgrades and uninstalls on a control plane of its own: who owns
/// the definitions of a cluster is not for tests to share.
#[tokio::test]
async fn it_is_installed_upgraded_and_uninstalled_by_helm() {
    let control_plane = ControlPlane::own().await;
    let copied = chart_with_definitions();
    let path = copied.path().display().to_string();
    let (namespace, elsewhere) = ("statuspage-system", "elsewhere");
    let helm = async |arguments: &[&str]| {
        let all = [arguments, &["--namespace", namespace]].concat();
        control_plane.helm(&all).await
    };
    for name in [namespace, elsewhere] {
        control_plane.kubectl(&["create", "namespace", name]).await.succeeded();
    }
    let label = "pod-security.kubernetes.io/enforce=restricted";
    control_plane
        .kubectl(&["label", "namespace", namespace, label])
        .await
        .succeeded();

    let printed = helm(&["install", "operator", &path, "--create-namespace"])
        .await
        .succeeded();
    assert!(printed.contains("kubectl create secret generic"), "{printed}");
    let client = control_plane.client().await;
    let name = "operator-statuspage-operator";
    assert_deployed(&client, namespace, name).await;
    assert_definition(&client).await;
    let listed = control_plane.kubectl(&["get", "statuspage", "--all-namespaces"]).await;
    assert!(listed.error_text().contains("No resources found"), "{listed:?}");
    let account = format!("system:serviceaccount:{namespace}:{name}");
    for place in [namespace, elsewhere] {
        assert_may_act(&client, &account, place, true).await;
    }
    assert!(may(&client, &account, "", "watch", "", "namespaces").await);
    assert_may_not_do_more(&client, &account, namespace).await;

    let only = "watchNamespaces={elsewhere},secrets.names={token}";
    helm(&["upgrade", "operator", &path, "--set", only]).await.succeeded();
    assert_deployed(&client, namespace, name).await;
    assert_may_act(&client, &account, elsewhere, true).await;
    assert_may_act(&client, &account, namespace, false).await;
    assert!(!may(&client, &account, "", "list", "", "namespaces").await);
    assert!(may(&client, &account, elsewhere, "watch", "", "secrets/token").await);
    assert!(!may(&client, &account, elsewhere, "watch", "", "secrets/other").await);

    helm(&["uninstall", "operator"]).await.succeeded();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    assert!(deployments.get_opt(name).await.unwrap().is_none());
    assert_definition(&client).await;

    // As the README says: the same release takes its definitions over again,
    // another one when it is told to.
    helm(&["install", "operator", &path]).await.succeeded();
    helm(&["uninstall", "operator"]).await.succeeded();
    let error = helm(&["install", "other", &path]).await.failed();
    assert!(error.contains("invalid ownership metadata"), "{error}");
    helm(&["install", "another", &path, "--take-ownership"])
        .await
        .succeeded();
}

/// The Deployment was accepted, and so were its Pods by the pod security of the
/// namespace: a Deployment itself is never refused by that. One Pod is enough:
/// with no kubelet, none gets ready and an upgrade goes no further.
async fn assert_deployed(client: &Client, namespace: &str, name: &str) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    eventually("a Pod of the Deployment", SOON, async || {
        let deployment = deployments.get(name).await.map_err(|error| error.to_string())?;
        let status = deployment.status.unwrap_or_default();
        let current = status.observed_generation == deployment.metadata.generation;
        match (current, status.updated_replicas) {
            (true, Some(1..)) => Ok(()),
            _ => Err(format!("{status:?}")),
        }
    })
    .await;
}

/// The definition is there as it was written, and is said to be kept.
async fn assert_definition(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definitions.get("samples.chart-test.example").await.unwrap();
    let annotations = definition.metadata.annotations.unwrap_or_default();
    let policy = annotations.get("helm.sh/resource-policy").map(String::as_str);
    assert_eq!(policy, Some("keep"));
    let schema = definition.spec.versions[0].schema.as_ref().unwrap();
    let schema = schema.open_api_v3_schema.as_ref().unwrap();
    let description = schema.description.as_deref().unwrap();
    assert_eq!(description, "Not a template, {{ .Values.nothing }}.");
    let properties = schema.properties.as_ref().unwrap();
    assert_eq!(properties["size"].max_length, Some(1_048_577));
}
