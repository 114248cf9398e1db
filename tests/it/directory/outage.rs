//! Statuspage answers badly for a while.

use statuspage_operator::server::Effect;

use super::{Directory, Local, code, components, shown, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_waited_out() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    let effect = Effect::Answer {
        status: 503,
        body: None,
        retry_after: None,
    };
    local.server.faults().next(2, "GET", "/pages", effect.clone());
    local.server.faults().next(2, "POST", "/components", effect);
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("Unreachable"), "{}", shown(&output));
    assert_eq!(local.component_names().await.len(), 3);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_wait_is_obeyed() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    let effect = Effect::Answer {
        status: 429,
        body: None,
        retry_after: Some(2),
    };
    local.server.faults().next(1, "POST", "/components", effect);
    let begun = std::time::Instant::now();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2));
    assert_eq!(local.component_names().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leads_to_no_duplicate() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(6));
    local.apply(&directory).await;
    directory.write("components.yaml", &components(6).replace("A part.", "Another part."));
    local.server.faults().next(1, "PATCH", "/components", Effect::LoseReply);
    local
        .server
        .faults()
        .next(1, "PATCH", "/components", Effect::LoseRequest);
    local.apply(&directory).await;
    assert_eq!(local.component_names().await.len(), 6);
    local.is_settled(&directory).await;
}
