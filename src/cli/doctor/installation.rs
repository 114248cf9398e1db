//! What the operator needs of the cluster: an API server, definitions, a Deployment, a Lease.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::DATE;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::client::Body;
use kube::{Api, Client, ResourceExt};

use super::finding::Finding;
use crate::api::{Kind, VERSION};

/// Clocks that differ by less are right: a `Date` has whole seconds.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(5);
/// Within this a leader renews its Lease, by its defaults.
const RENEWS_WITHIN: Duration = Duration::from_secs(4);
/// The label of what the chart installs.
const NAME_LABEL: &str = "app.kubernetes.io/name=statuspage-operator";

/// An operator that is installed.
pub(super) struct Installed {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) lease: String,
    /// Its service account, as a user.
    pub(super) account: String,
    /// The namespaces it acts on; empty is all.
    pub(super) watched: Vec<String>,
}

/// How far the API server's clock is ahead of this machine's, where it says.
pub(super) type ClockDifference = Option<SignedDuration>;

/// Whether the API server answers, and its clock.
pub(super) async fn api_server(client: &Client, address: &str) -> Result<(Vec<Finding>, ClockDifference), Finding> {
    const SUBJECT: &str = "API server";
    let failed = |error: kube::Error| {
        Finding::wrong(SUBJECT, format!("{address} does not answer: {error}"))
            .remedy("check --kubeconfig and --context, and that the cluster is up")
    };
    let version = client.apiserver_version().await.map_err(failed)?.git_version;
    let request = Request::get("/version").body(Body::empty());
    let request = request.map_err(|error| Finding::wrong(SUBJECT, error.to_string()))?;
    let reply = client.send(request).await.map_err(failed)?;
    let date = reply.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date
        .and_then(|date| rfc2822::parse(date).ok())
        .map(|date| date.timestamp());
    let difference = date.map(|date| date.duration_since(Timestamp::now()));
    let mut findings = vec![Finding::ok(SUBJECT, format!("{version} at {address}"))];
    findings.push(match difference {
        None => Finding::skipped("clock", "the API server does not tell its time"),
        Some(ahead) => clock_finding("the API server", ahead),
    });
    Ok((findings, difference))
}

/// What a clock that is so far ahead of this machine's means.
pub(super) fn clock_finding(whose: &str, ahead: SignedDuration) -> Finding {
    if ahead.abs() < SAME_TIME {
        return Finding::ok("clock", format!("{whose} and this machine agree"));
    }
    let seconds = ahead.abs().as_secs();
    let direction = if ahead.is_positive() { "ahead of" } else { "behind" };
    Finding::warning("clock", format!("{whose} is {seconds} s {direction} this machine")).remedy(
        "check NTP here and there: waits are judged with the difference, never too early, but later than needed",
    )
}

/// Whether the definitions are those of this version.
pub(super) async fn definitions(client: &Client) -> Vec<Finding> {
    const SUBJECT: &str = "definitions";
    const INSTALL: &str = "statuspage crds | kubectl apply --server-side -f -";
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let (mut missing, mut unestablished, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let wanted = kind.definition();
        let name = wanted.name_any();
        let found = match api.get_opt(&name).await {
            Ok(found) => found,
            Err(error) => return vec![Finding::unread(SUBJECT, &error)],
        };
        match found {
            None => missing.push(name),
            Some(found) if !is_established(&found) => unestablished.push(name),
            Some(found) if schema(&found) != schema(&wanted) => other.push(name),
            Some(_) => {}
        }
    }
    let named = |names: &[String]| names.join(", ");
    let mut findings = Vec::new();
    if !missing.is_empty() {
        findings.push(Finding::wrong(SUBJECT, format!("missing: {}", named(&missing))).remedy(INSTALL));
    }
    if !unestablished.is_empty() {
        let message = format!("not served by the API server: {}", named(&unestablished));
        let remedy = format!("kubectl describe crd {}", unestablished.join(" "));
        findings.push(Finding::wrong(SUBJECT, message).remedy(remedy));
    }
    if !other.is_empty() {
        let version = env!("CARGO_PKG_VERSION");
        let message = format!("not those of version {version}: {}", named(&other));
        let remedy = format!("if the operator that runs is {version}, as this program is: {INSTALL}");
        findings.push(Finding::warning(SUBJECT, message).remedy(remedy));
    }
    if findings.is_empty() {
        let message = format!(
            "all {} kinds, as version {} has them",
            Kind::ALL.len(),
            env!("CARGO_PKG_VERSION")
        );
        findings.push(Finding::ok(SUBJECT, message));
    }
    findings
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        let mut conditions = conditions.iter();
        conditions.any(|condition| condition.type_ == "Established" && condition.status == "True")
    })
}

/// The schema of our version, in a form that can be compared.
fn schema(definition: &CustomResourceDefinition) -> Option<serde_json::Value> {
    let mut versions = definition.spec.versions.iter();
    let ours = versions.find(|version| version.name == VERSION)?;
    serde_json::to_value(ours.schema.as_ref()?).ok()
}

/// The Deployments of the operator and their Pods.
pub(super) async fn deployments(client: &Client, lease: &str) -> (Vec<Finding>, Vec<Installed>) {
    const SUBJECT: &str = "operator";
    let labelled = ListParams::default().labels(NAME_LABEL);
    let found = match Api::<Deployment>::all(client.clone()).list(&labelled).await {
        Ok(found) => found.items,
        Err(error) => return (vec![Finding::unread(SUBJECT, &error)], Vec::new()),
    };
    if found.is_empty() {
        let message = format!("no Deployment with the label {NAME_LABEL}");
        let remedy = "install the chart; or look at the log of the `statuspage operator` that runs elsewhere";
        return (vec![Finding::warning(SUBJECT, message).remedy(remedy)], Vec::new());
    }
    let (mut findings, mut installed) = (Vec::new(), Vec::new());
    for deployment in found {
        let one = Installed::of(&deployment, lease);
        findings.push(readiness(client, &deployment, &one, &labelled).await);
        installed.push(one);
    }
    (findings, installed)
}

impl Installed {
    fn of(deployment: &Deployment, lease: &str) -> Self {
        let namespace = deployment.namespace().unwrap_or_default();
        let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let account = pod
            .and_then(|pod| pod.service_account_name.as_deref())
            .unwrap_or("default");
        let mut arguments = pod
            .iter()
            .flat_map(|pod| &pod.containers)
            .filter_map(|one| one.args.as_ref());
        let arguments = arguments.next().cloned().unwrap_or_default();
        let given = |name: &str| -> Vec<String> {
            let pairs = arguments.windows(2);
            let values = pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].clone());
            values.collect()
        };
        let lease = given("--lease-name")
            .into_iter()
            .next()
            .unwrap_or_else(|| lease.to_owned());
        Installed {
            account: format!("system:serviceaccount:{namespace}:{account}"),
            name: deployment.name_any(),
            watched: given("--watch-namespace"),
            lease,
            namespace,
        }
    }
}

async fn readiness(client: &Client, deployment: &Deployment, one: &Installed, labelled: &ListParams) -> Finding {
    let subject = format!("operator {}/{}", one.namespace, one.name);
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = deployment
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas)
        .unwrap_or(0);
    let image = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let image = image
        .and_then(|pod| pod.containers.first()?.image.clone())
        .unwrap_or_default();
    let message = format!("{ready} of {wanted} Pods ready, image {image}");
    if ready >= wanted && wanted > 0 {
        return Finding::ok(subject, message);
    }
    if wanted == 0 {
        return Finding::wrong(subject, "scaled to 0: nothing is done").remedy(format!(
            "kubectl -n {} scale deployment {} --replicas 2",
            one.namespace, one.name
        ));
    }
    let pods = Api::<Pod>::namespaced(client.clone(), &one.namespace)
        .list(labelled)
        .await;
    let why: BTreeSet<String> = pods.iter().flat_map(|pods| &pods.items).filter_map(trouble).collect();
    let message = match why.is_empty() {
        true => message,
        false => format!("{message}: {}", why.into_iter().collect::<Vec<_>>().join("; ")),
    };
    let remedy = format!(
        "kubectl -n {0} describe pods -l {NAME_LABEL}; kubectl -n {0} logs deployment/{1}",
        one.namespace, one.name
    );
    match ready {
        0 => Finding::wrong(subject, message).remedy(remedy),
        _ => Finding::warning(subject, message).remedy(remedy),
    }
}

/// Why a Pod is not ready, if it says.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let said = waiting.map(|waiting| {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        match waiting.message.as_deref() {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        }
    });
    let unscheduled = status.conditions.iter().flatten();
    let unscheduled = unscheduled.filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    said.chain(unscheduled.filter_map(|condition| condition.message.clone()))
        .next()
}

/// Whether somebody leads.
pub(super) async fn leader(client: &Client, one: &Installed, clock: ClockDifference) -> Finding {
    let subject = format!("Lease {}/{}", one.namespace, one.lease);
    let leases: Api<Lease> = Api::namespaced(client.clone(), &one.namespace);
    let logs = format!("kubectl -n {} logs deployment/{}", one.namespace, one.name);
    let lease = match leases.get_opt(&one.lease).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return Finding::wrong(subject, "there is none: no replica has ever led").remedy(logs),
        Err(error) => return Finding::unread(subject, &error),
    };
    let Some((holder, age, duration)) = held(&lease, clock) else {
        return Finding::wrong(subject, "nobody holds it: no replica leads").remedy(logs);
    };
    if age < duration {
        return match age < -SAME_TIME {
            false => Finding::ok(subject, format!("{holder} leads")),
            true => Finding::warning(
                subject,
                format!(
                    "{holder} leads; the clock of its node is {} s ahead of the API server's",
                    age.abs().as_secs()
                ),
            )
            .remedy("check NTP on the node"),
        };
    }
    // Either it is not renewed, or it is by a clock that is behind.
    tokio::time::sleep(RENEWS_WITHIN).await;
    let again = leases.get_opt(&one.lease).await.ok().flatten();
    if again.is_some_and(|again| again.metadata.resource_version != lease.metadata.resource_version) {
        let message = format!(
            "{holder} leads; the clock of its node is {} s behind the API server's",
            age.as_secs()
        );
        return Finding::warning(subject, message).remedy("check NTP on the node");
    }
    Finding::wrong(
        subject,
        format!("{holder} has not renewed it for {} s: no replica leads", age.as_secs()),
    )
    .remedy(logs)
}

/// Who holds a Lease, how long ago it was renewed by the API server's clock, and for how long that lasts.
fn held(lease: &Lease, clock: ClockDifference) -> Option<(String, SignedDuration, SignedDuration)> {
    let spec = lease.spec.as_ref()?;
    let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty())?;
    let renewed = spec.renew_time.as_ref()?.0;
    let now = Timestamp::now()
        .saturating_add(clock.unwrap_or_default())
        .unwrap_or(renewed);
    let lasts = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(15).into());
    Some((holder, now.duration_since(renewed), lasts))
}
