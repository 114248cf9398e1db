//! The same for a cluster: what was exported is applied with kubectl, and an operator takes it over.

use std::collections::BTreeMap;

use statuspage_operator::api::Kind;

use super::page;
use super::{EVERYTHING, Exported};
use crate::operator::{SOON, Stage, secret};
use crate::server::{Running, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_takes_an_exported_page_over_without_a_write() {
    let stage = Stage::set().await;
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    let namespaced = ["--management-policy", "Full", "--namespace", stage.namespace.as_str()];
    let exported = Exported::of(&running, &[&EVERYTHING[..], &namespaced].concat()).await;
    let objects: BTreeMap<String, usize> = exported
        .read()
        .into_iter()
        .map(|(kind, objects)| (kind, objects.len()))
        .collect();
    running.server.log().clear();
    stage.apply(&secret(TOKEN)).await;
    stage
        .kubectl(&["apply", "--server-side", "-f", exported.directory()])
        .await;
    let _operator = stage.operator("operator", &[]).await;
    for kind in Kind::ALL {
        stage.all_ready(kind, objects[kind.as_str()], SOON).await;
    }
    assert_eq!(running.server.log().writes(), 0, "adopting changes nothing on the page");
    running.stop().await;
}
