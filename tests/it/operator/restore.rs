//! The API server is restored from a backup while the operator runs.

use std::path::Path;

use statuspage_operator::api::Kind;

use super::{SOON, Stage, TOKEN, component, components, secret};
use crate::support::control_plane::ControlPlane;
use crate::support::process::OutputExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_restored_from_a_backup_is_noticed() {
    let control_plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let apply = ["apply", "--server-side", "-f", definitions.to_str().unwrap()];
    control_plane.kubectl(&apply).await.succeeded();
    let operator = stage.operator("operator", &["--requests-per-minute", "0"]).await;
    stage.apply(&secret(TOKEN)).await;
    stage.apply(&stage.page("")).await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    let copy = tempfile::tempdir().unwrap();
    let copy_files = |from: &Path, to: &Path| {
        let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(copied.unwrap().success());
    };
    tokio::task::block_in_place(|| control_plane.interrupted(|data| copy_files(data, copy.path())));
    // Much happens after the backup.
    for round in 0..40 {
        let annotation = format!("example.com/round={round}");
        stage
            .kubectl(&["annotate", "--overwrite", "component", "--all", &annotation])
            .await;
    }
    stage.apply(&component("lost", "")).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    tokio::task::block_in_place(|| {
        control_plane.interrupted(|data| {
            std::fs::remove_dir_all(data).unwrap();
            copy_files(&copy.path().join("etcd"), data);
        });
    });
    // Its watches say nothing until the API server has come as far again; it goes on all the same.
    stage.apply(&component("new", "")).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    assert_eq!(
        stage.component_names().await,
        ["c00", "c01", "lost", "new"],
        "each exactly once"
    );
    assert_eq!(stage.creates(), 4);
    let log = operator.log();
    assert!(
        log.contains("the API server shows an earlier state than before"),
        "{log}"
    );
    // What the backup has not is foreign now: declared again, it asks.
    stage.apply(&component("lost", "")).await;
    stage.reason(Kind::Component, "lost", "AlreadyExists").await;
}
