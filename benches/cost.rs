//! What a page costs in processor time, memory and bytes written, against the local server in a process of its own and
//! without a request limit: nothing but this program is waited for.
//!
//! `cargo bench --bench cost`, or `cargo bench --bench cost -- apply 2000` for one of `plan`, `apply` and `large`. Each
//! runs in a process of its own, whose processor time (user and system, of all threads) and largest resident set are its
//! own.
//!
//! On two shared cores, with the whole lock file written for each journal and id, a search for each declaration and every
//! status made anew (before), and with the journal beside the lock file, look-ups by key and what did not change left as it
//! is (after):
//!
//! | | before | after |
//! |---|---|---|
//! | `plan` of 2,000 new components | 0.33 s CPU | 0.28 s CPU |
//! | `apply` of 500 | 1.0 s CPU, 6.3 s | 0.3 s CPU, 1.3 s |
//! | `apply` of 1,500 | 8.9 s CPU, 30 s | 1.1 s CPU, 3.2 s |
//! | `apply` of 2,000 | 13 s CPU, 44 s | 1.8 s CPU, 6.2 s |
//! | `apply` of 10,000 | | 23 s CPU, 68 s |
//!
//! Of 10,000 declarations, with statuses in memory once besides (now):
//!
//! | | before | after | now |
//! |---|---|---|---|
//! | a pass that finds nothing changed | 0.70 s CPU | 0.32 s CPU | 0.13 s CPU |
//! | a pass that reads the page again | 1.5 s CPU | 0.95 s CPU | 0.5 s CPU |
//! | one component more | 1.8 s CPU | 1.2 s CPU | 0.7 s CPU |
//! | largest resident set until the manifests are read again | | | 124 MiB |
//! | largest resident set, with the manifests read again | 240 MiB | 197 MiB | 145 MiB |
//!
//! (Of a plan for each simulated effect, as it was once, 2,000 new components took 47 s.)

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use statuspage_operator::api::{ID, Kind, REQUESTED_AT};
use statuspage_operator::driver::{Clock, PageDriver, PageOptions, PassEnd, Trigger};
use statuspage_operator::engine::ObjectKey;
use statuspage_operator::server::{PageSeed, Server, ServerOptions};
use statuspage_operator::statuspage::{BaseUrl, BudgetRegistry, Client, ComponentWrite, Token};
use statuspage_operator::store::directory::{DirectoryOptions, DirectoryStore};

type Failed = Box<dyn std::error::Error>;

const TOKEN: &str = "bench";
const PAGE: &str = "page00000001";
const HEAD: &str = "apiVersion: statuspage-operator.io/v1alpha1\nkind";

/// Whether a component is there already, and under which id.
fn component(text: &mut String, number: usize, id: Option<&str>) {
    let annotations = id.map_or_else(String::new, |id| format!(", annotations: {{{ID}: {id}}}"));
    let _ = write!(
        text,
        "---\n{HEAD}: Component\nmetadata: {{name: c{number}{annotations}}}\nspec: {{pageRef: {{name: acme}}, description: about {number}}}\n"
    );
}

fn page() -> String {
    format!(
        "{HEAD}: StatusPage\nmetadata: {{name: acme}}\nspec:\n  pageId: {PAGE}\n  api: {{tokenSecretRef: {{name: token}}}}\n"
    )
}

/// What was used since it was begun.
struct Meter {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    fn begin() -> Self {
        Meter {
            cpu: worked(),
            wall: Instant::now(),
        }
    }

    fn end(&self, what: &str) {
        let cpu = worked().saturating_sub(self.cpu);
        println!(
            "{what:<44} {:>8.2} s CPU {:>8.2} s wall {:>6} MiB at most",
            cpu.as_secs_f64(),
            self.wall.elapsed().as_secs_f64(),
            most_resident() / 1024
        );
    }
}

/// Processor time of this process.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The largest resident set of this process in KiB, as Linux tells it; 0 elsewhere.
fn most_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

/// The local server in a process of its own.
struct Remote {
    process: Child,
    base_url: BaseUrl,
}

impl Remote {
    fn start() -> Result<Self, Failed> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = process.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let base_url = BaseUrl::parse(&format!("http://{}/v1", line.trim()), false)?;
        Ok(Remote { process, base_url })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the local server until its standard input ends.
async fn serve() -> Result<(), Failed> {
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
    println!("{}", listener.local_addr()?);
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    server
        .serve(listener, async {
            let _ = ended.await;
        })
        .await?;
    Ok(())
}

fn open(directory: &Path, remote: &Remote, read_only: bool) -> Result<Arc<DirectoryStore>, Failed> {
    let options = DirectoryOptions {
        base_url: Some(remote.base_url.clone()),
        token: Some(Token::new(TOKEN)?),
        read_only,
        ..DirectoryOptions::default()
    };
    Ok(Arc::new(DirectoryStore::open(directory, options)?.0))
}

fn driver(store: &Arc<DirectoryStore>) -> PageDriver<DirectoryStore> {
    let options = PageOptions {
        budgets: Arc::new(BudgetRegistry::new(0)),
        clock: Clock::System,
        transport: None,
    };
    PageDriver::new(
        ObjectKey::new(Kind::StatusPage, "default", "acme"),
        Arc::clone(store),
        options,
    )
}

/// Works until everything is as declared.
async fn settle(driver: &mut PageDriver<DirectoryStore>) -> Result<(), Failed> {
    let trigger = Trigger::default();
    loop {
        let PassEnd::Idle(wake) = driver.pass(&mut trigger.interrupt()).await else {
            return Err("the page is gone".into());
        };
        match wake {
            Some(wake) if driver.waits_for_time() => {
                let pause = wake.duration_since(jiff::Timestamp::now());
                tokio::time::sleep(pause.try_into().unwrap_or_default()).await;
            }
            _ => return Ok(()),
        }
    }
}

/// `plan` of so many new components.
async fn plan(count: usize) -> Result<(), Failed> {
    let remote = Remote::start()?;
    let directory = tempfile::tempdir()?;
    let mut text = page();
    (0..count).for_each(|number| component(&mut text, number, None));
    std::fs::write(directory.path().join("page.yaml"), text)?;
    let meter = Meter::begin();
    let store = open(directory.path(), &remote, true)?;
    meter.end(&format!("plan of {count} new: reading the manifests"));
    let mut driver = driver(&store);
    let (_, shown) = driver.foresee().await.ok_or("there is no page")?;
    meter.end(&format!("plan of {count} new: all of it"));
    assert_eq!(shown.steps.len(), count);
    Ok(())
}

/// `apply` of so many new components.
async fn apply(count: usize) -> Result<(), Failed> {
    let remote = Remote::start()?;
    let directory = tempfile::tempdir()?;
    let mut text = page();
    (0..count).for_each(|number| component(&mut text, number, None));
    std::fs::write(directory.path().join("page.yaml"), text)?;
    let meter = Meter::begin();
    let store = open(directory.path(), &remote, false)?;
    let mut driver = driver(&store);
    settle(&mut driver).await?;
    meter.end(&format!("apply of {count} new"));
    let totals = driver.totals();
    println!(
        "  {} requests, {} plans, {} writes to the store",
        totals.requests, totals.plans, totals.store_writes
    );
    assert_eq!(totals.writes, count as u64);
    Ok(())
}

/// A page of so many components at work: a pass with nothing to do, and one component more.
async fn large(count: usize) -> Result<(), Failed> {
    let remote = Remote::start()?;
    let directory = tempfile::tempdir()?;
    let mut text = page();
    for (number, id) in seed(&remote, count).await?.iter().enumerate() {
        component(&mut text, number, Some(id));
    }
    let file = directory.path().join("page.yaml");
    std::fs::write(&file, &text)?;
    drop(text);
    let meter = Meter::begin();
    let store = open(directory.path(), &remote, false)?;
    meter.end(&format!("{count} declarations: reading the manifests"));
    let mut driver = driver(&store);
    settle(&mut driver).await?;
    meter.end(&format!("{count} declarations: the first pass"));
    let before = driver.totals();
    let meter = Meter::begin();
    settle(&mut driver).await?;
    meter.end("  a pass that finds nothing changed");
    let meter = Meter::begin();
    let asked = format!("metadata: {{name: acme, annotations: {{{REQUESTED_AT}: \"1\"}}}}");
    edit(&file, "metadata: {name: acme}", &asked)?;
    store.reload()?;
    meter.end("  reading the manifests again");
    let meter = Meter::begin();
    settle(&mut driver).await?;
    meter.end("  a pass that reads the page again");
    let mut more = String::new();
    component(&mut more, count, None);
    std::fs::write(directory.path().join("more.yaml"), more)?;
    store.reload()?;
    let meter = Meter::begin();
    settle(&mut driver).await?;
    meter.end("  one component more");
    let after = driver.totals();
    println!(
        "  {} requests, {} plans, {} writes to the store",
        after.requests - before.requests,
        after.plans - before.plans,
        after.store_writes - before.store_writes
    );
    assert_eq!(after.writes, 1);
    Ok(())
}

/// Changes one place of a file.
fn edit(file: &Path, from: &str, to: &str) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file)?;
    std::fs::write(file, text.replacen(from, to, 1))?;
    Ok(())
}

/// Creates so many components, as declared, behind the back of the program; returns their ids.
async fn seed(remote: &Remote, count: usize) -> Result<Vec<String>, Failed> {
    let client = Client::builder(remote.base_url.clone(), Token::new(TOKEN)?)
        .budget(BudgetRegistry::new(0).budget(&Token::new(TOKEN)?, &remote.base_url))
        .build()?;
    let page = client.page(PAGE);
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let write = ComponentWrite {
            name: Some(format!("c{number}")),
            description: Some(format!("about {number}").into()),
            ..Default::default()
        };
        ids.push(page.components().create(&write).await?.id);
    }
    Ok(ids)
}

fn run(what: &str, count: usize) -> Result<(), Failed> {
    statuspage_operator::statuspage::install_crypto();
    let runtime = tokio::runtime::Runtime::new()?;
    match what {
        "serve" => runtime.block_on(serve()),
        "plan" => runtime.block_on(plan(count)),
        "apply" => runtime.block_on(apply(count)),
        "large" => runtime.block_on(large(count)),
        _ => Err("choose one of plan, apply and large, with a number".into()),
    }
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let Some(what) = arguments.first() {
        let count = arguments.get(1).map_or(Ok(0), |count| count.parse())?;
        return run(what, count);
    }
    for (what, count) in [
        ("plan", 500),
        ("plan", 2000),
        ("apply", 1500),
        ("apply", 2000),
        ("apply", 10_000),
        ("large", 10_000),
    ] {
        let done = Command::new(std::env::current_exe()?)
            .args([what, &count.to_string()])
            .status()?;
        if !done.success() {
            return Err(format!("{what} {count} failed").into());
        }
    }
    Ok(())
}
