//! Binding a declaration in a cluster: the id goes into its annotation, and the operator takes the object over.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::{Api, Client};
use serde_json::Value;

use super::{Arguments, Wanted, is_to_record, show_end, spelled};
use crate::api::Kind;
use crate::cli::name::Name;
use crate::cli::{Failure, Outcome};
use crate::driver::binding::{Binding, propose};
use crate::driver::{Access, Clock, PageOptions, Store, StoreChange};
use crate::engine::{ObjectKey, READY, find_condition};
use crate::operator;
use crate::statuspage::BaseUrl;
use crate::store::kubernetes::{KubernetesOptions, KubernetesStore, resource};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The declarations of a page are read within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn adopt(arguments: &Arguments, wanted: Wanted, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let cluster = &arguments.cluster;
    let mut config = operator::configuration(cluster.kubeconfig.as_deref(), cluster.context.as_deref()).await?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    // Who waits at a terminal asks again by hand.
    config.default_retry = false;
    let usual = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| Failure::Cluster(error.to_string()))?;
    let Name { kind, namespace, name } = wanted.object;
    let namespace = namespace.or_else(|| cluster.namespace.clone()).unwrap_or(usual);
    let key = ObjectKey::new(kind, namespace, name);
    let object = read(&client, &key).await?;
    let reference = &object.data["spec"]["pageRef"];
    let page_namespace = reference["namespace"].as_str().unwrap_or(&key.namespace);
    let page_name = reference["name"].as_str().unwrap_or_default();
    let page = ObjectKey::new(Kind::StatusPage, page_namespace, page_name);
    let page_spec = read(&client, &page).await?.data["spec"].take();
    let store = KubernetesStore::start(KubernetesOptions {
        reader: client.clone(),
        writer: client,
        namespaces: namespaces(&page, &page_spec),
        base_url: arguments.connection.base_url()?,
        instance: "statuspage-adopt".to_owned(),
        may_write: Arc::new(|| true),
    });
    if tokio::time::timeout(PATIENCE, store.settled(&page)).await.is_err() {
        return Err(Failure::ClusterSlow {
            seconds: PATIENCE.as_secs(),
            missing: store.missing().join(", "),
        });
    }
    let options = PageOptions {
        budgets: arguments.connection.budgets(),
        clock: Clock::System,
        transport: None,
    };
    let access = access(arguments, &page_spec)?;
    let proposed = propose(
        Arc::new(store.clone()),
        &page,
        &key,
        wanted.id.as_deref(),
        access,
        options,
    );
    let binding = proposed.await?;
    if !is_to_record(&binding, "The operator", arguments, out).map_err(Failure::Output)? {
        return Ok(Outcome::Success);
    }
    let change = StoreChange::RecordId(binding.id.clone());
    store
        .write(&binding.declaration, change)
        .await
        .map_err(Failure::Store)?;
    writeln!(out, "Recorded in the annotation {}.", crate::api::ID)
        .and_then(|()| show_end(&binding, out))
        .and_then(|()| out.flush())
        .map_err(Failure::Output)?;
    let told = wait(&store, &page, &binding, Duration::from_secs(cluster.wait)).await;
    let told = told.unwrap_or_else(|| {
        let namespace = &key.namespace;
        let spelled = spelled(&key);
        if cluster.wait == 0 {
            format!("The operator will adopt it: kubectl -n {namespace} get {spelled}")
        } else {
            format!(
                "No operator has adopted it within {} s; it will as soon as one runs: kubectl -n {namespace} get {spelled}",
                cluster.wait
            )
        }
    });
    say!(out, "{told}")?;
    Ok(Outcome::Success)
}

/// What the operator says of the declaration, once it has the object; none if it says nothing in time.
async fn wait(store: &KubernetesStore, page: &ObjectKey, binding: &Binding, limit: Duration) -> Option<String> {
    let mut changes = store.trigger(page).interrupt();
    let said = async {
        loop {
            changes.acknowledge();
            let view = store.view(page)?;
            let mut declarations = view.declarations.iter();
            let found = declarations.find(|declaration| declaration.uid == binding.declaration.uid)?;
            let object = found.status.object();
            let ready = find_condition(object, READY).filter(|ready| ready.reason != "Progressing");
            if let (Some(ready), true) = (ready, object.id.as_deref() == Some(binding.id.as_str())) {
                return Some(format!(
                    "The operator has adopted it: Ready={} {}: {}",
                    ready.status, ready.reason, ready.message
                ));
            }
            changes.wait().await;
        }
    };
    tokio::time::timeout(limit, said).await.ok().flatten()
}

/// The address and the token, where the command line gives a token.
fn access(arguments: &Arguments, page_spec: &Value) -> Result<Option<Access>, Failure> {
    let Some(token) = arguments.connection.token()? else {
        return Ok(None);
    };
    let base_url = match arguments.connection.base_url()? {
        Some(base_url) => base_url,
        None => {
            let address = page_spec["api"]["url"].as_str().unwrap_or(BaseUrl::DEFAULT);
            BaseUrl::parse(address, false)?
        }
    };
    Ok(Some(Access { base_url, token }))
}

/// The namespaces that may hold declarations of the page; empty is all of them.
fn namespaces(page: &ObjectKey, page_spec: &Value) -> Vec<String> {
    match page_spec["allowedNamespaces"]["from"].as_str() {
        None | Some("Same") => vec![page.namespace.clone()],
        Some(_) => Vec::new(),
    }
}

async fn read(client: &Client, key: &ObjectKey) -> Result<DynamicObject, Failure> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &resource(key.kind));
    match api.get_opt(&key.name).await {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(Failure::Undeclared {
            what: format!("{} {}", key.kind, key.name),
            place: format!("namespace {}", key.namespace),
            hint: String::new(),
        }),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Failure::Cluster(
            "statuspage-operator is not installed there: install its CustomResourceDefinitions first".to_owned(),
        )),
        Err(error) => Err(Failure::Cluster(error.to_string())),
    }
}
