//! What a page costs: requests, writes and planning time for pages of 10, 100 and 1,000 components.
//!
//! `cargo bench --bench requests`. Counts are exact and repeatable; times are of this machine and this moment.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use statuspage_operator::api::Kind;
use statuspage_operator::driver::{Clock, PageDriver, PageOptions, Trigger};
use statuspage_operator::engine::{self, ObjectKey};
use statuspage_operator::server::{PageSeed, Server, ServerOptions};
use statuspage_operator::statuspage::{BaseUrl, BudgetRegistry, Token};
use statuspage_operator::store::directory::{DirectoryOptions, DirectoryStore};

type Failed = Box<dyn std::error::Error>;

const TOKEN: &str = "bench";
const PAGE: &str = "page00000001";

fn manifests(components: usize) -> String {
    let head = "apiVersion: statuspage-operator.io/v1alpha1\nkind";
    let mut text = format!(
        "{head}: StatusPage\nmetadata: {{name: acme}}\nspec:\n  pageId: {PAGE}\n  api: {{tokenSecretRef: {{name: token}}}}\n"
    );
    for group in 0..components.div_ceil(10) {
        let _ = write!(
            text,
            "---\n{head}: ComponentGroup\nmetadata: {{name: g{group}}}\nspec: {{pageRef: {{name: acme}}}}\n"
        );
    }
    for number in 0..components {
        let group = number / 10;
        let _ = write!(
            text,
            "---\n{head}: Component\nmetadata: {{name: c{number}}}\nspec: {{pageRef: {{name: acme}}, groupRef: {{name: g{group}}}, description: about {number}}}\n"
        );
    }
    let _ = write!(
        text,
        "---\n{head}: Incident\nmetadata: {{name: slow}}\nspec:\n  pageRef: {{name: acme}}\n  components: {{c0: degraded_performance}}\n  updates: [{{status: investigating, body: Looking.}}]\n---\n{head}: Metric\nmetadata: {{name: latency}}\nspec: {{pageRef: {{name: acme}}}}\n---\n{head}: Subscriber\nmetadata: {{name: team}}\nspec: {{pageRef: {{name: acme}}, email: team@example.com}}\n"
    );
    text
}

async fn measure(components: usize) -> Result<(), Failed> {
    let server = Server::open(ServerOptions {
        tokens: vec![TOKEN.to_owned()],
        pages: vec![PageSeed {
            id: Some(PAGE.to_owned()),
            name: "Acme".to_owned(),
        }],
        ..ServerOptions::default()
    })
    .await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = BaseUrl::parse(&format!("http://{}/v1", listener.local_addr()?), false)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.clone().serve(listener, async {
        let _ = stopped.await;
    }));
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("page.yaml"), manifests(components))?;
    let options = DirectoryOptions {
        base_url: Some(base_url),
        token: Some(Token::new(TOKEN)?),
        ..DirectoryOptions::default()
    };
    let (store, _) = DirectoryStore::open(directory.path(), options)?;
    let store = Arc::new(store);
    let page = ObjectKey::new(Kind::StatusPage, "default", "acme");
    let shared = PageOptions {
        budgets: Arc::new(BudgetRegistry::new(0)),
        clock: Clock::System,
        transport: None,
    };
    let trigger = Trigger::default();
    let log = server.log();
    let mut driver = PageDriver::new(page.clone(), Arc::clone(&store), shared.clone());
    let began = Instant::now();
    driver.pass(&mut trigger.interrupt()).await;
    let creation = began.elapsed();
    let (writes, reads) = (log.writes(), log.count("GET", ""));
    let store_writes = driver.totals().store_writes;
    log.clear();
    let mut again = PageDriver::new(page, Arc::clone(&store), shared);
    again.pass(&mut trigger.interrupt()).await;
    let quiet = log.count("", "");
    let planning = match again.current() {
        Some((view, _)) => {
            let began = Instant::now();
            for _ in 0..10 {
                std::hint::black_box(engine::plan(&again.world(&view)));
            }
            began.elapsed() / 10
        }
        None => return Err("the page is gone".into()),
    };
    // 60 in any 60 seconds, of which 5 are kept for incidents: the first round starts at once.
    let minutes = (writes + reads).saturating_sub(1) / 55;
    println!(
        "{components:>10} {writes:>9} {reads:>6} {minutes:>9} {store_writes:>12} {quiet:>8} {:>10.2} {:>10.0}",
        planning.as_secs_f64() * 1000.0,
        creation.as_secs_f64() * 1000.0,
    );
    let _ = stop.send(());
    serving.await??;
    Ok(())
}

fn main() -> Result<(), Failed> {
    statuspage_operator::statuspage::install_crypto();
    println!(
        "{:>10} {:>9} {:>6} {:>9} {:>12} {:>8} {:>10} {:>10}",
        "components", "writes", "reads", "minutes", "lock writes", "no-op", "plan ms", "create ms"
    );
    let runtime = tokio::runtime::Runtime::new()?;
    for components in [10, 100, 1000] {
        runtime.block_on(measure(components))?;
    }
    Ok(())
}
