//! The event log with many events of twenty namespaces: insertion, pages of 100 as an administrator and as a key of one
//! namespace asks for them, what there is to filter by, and memory.
//!
//! `cargo bench --bench events -- [NUMBER] [PLACE]`; without them a million events in a SQLite file of its own. A place
//! that has events already is only asked. `cargo bench --bench events -- serve PLACE` serves one over HTTP at a free port of
//! this machine until its input ends, for `benches/panko/compare.py`; `-- purge PLACE` deletes the events of a namespace from one and
//! measures how long new events wait meanwhile.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::extract::Request;
use jiff::Timestamp;
use serde_json::json;
use statuspage_operator::admin::caller::{Caller, Grant, Scope};
use statuspage_operator::admin::events;
use statuspage_operator::audit::{
    AuditEvent, AuditLog, AuditOptions, EventStore, Filter, Location, Operator, Sort, SortKey, Tenants, TraitFilter,
    TraitValue, View,
};

type Failed = Box<dyn Error>;

const PATIENCE: Duration = Duration::from_secs(3600);
const PORTION: i64 = 50_000;
const ROUNDS: usize = 50;
const TYPES: [&str; 8] = [
    "component.create",
    "component.update",
    "component.update",
    "component.condition",
    "component.condition",
    "component.drift",
    "incident.publish",
    "metric.update",
];

fn at(number: i64) -> Result<Timestamp, jiff::Error> {
    // A write every ten seconds: a million are four months.
    Timestamp::from_second(1_700_000_000 + number * 10)
}

fn event(number: i64) -> Result<AuditEvent, Failed> {
    let kind = TYPES[usize::try_from(number)? % TYPES.len()];
    Ok(AuditEvent::new(kind, at(number)?)
        .tenant(format!("team-{}", number % 20))
        .text("page", "acme")
        .text("kind", "Component")
        .text("name", format!("component-{}", number * 7919 % 1000))
        .text("remote_id", format!("r{:011}", number * 7919 % 1000))
        .text("operation", "update")
        .text("outcome", if number % 50 == 0 { "failed" } else { "succeeded" })
        .text("request_id", format!("req-{number:012}"))
        .with(
            "duration",
            TraitValue::Float(0.25 + f64::from(u8::try_from(number % 100)?)),
        )
        .raw(json!({"summary": "update component", "changes": [{"field": "description", "from": "a", "to": "b"}]})))
}

fn text(name: &str, operator: Operator, value: &str) -> TraitFilter {
    TraitFilter {
        name: name.into(),
        operator,
        value: TraitValue::String(value.into()),
    }
}

fn equal(name: &str, value: &str) -> TraitFilter {
    text(name, Operator::Equal, value)
}

fn at_least(name: &str, value: f64) -> TraitFilter {
    TraitFilter {
        name: name.into(),
        operator: Operator::GreaterOrEqual,
        value: TraitValue::Float(value),
    }
}

fn namespaces(names: &[&str]) -> View {
    View::of(Tenants::Only(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// What is asked of so many events.
fn questions(count: i64) -> Result<Vec<(&'static str, Filter)>, Failed> {
    let all = Filter {
        limit: Some(100),
        ..Filter::default()
    };
    let newest = vec![Sort {
        key: SortKey::Generated,
        descending: true,
    }];
    let range = Filter {
        from: Some(at(count / 4)?),
        until: Some(at(count / 4 * 3)?),
        ..all.clone()
    };
    let updates = Filter {
        event_type: Some("component.update".to_owned()),
        ..range.clone()
    };
    let latest_updates = Filter {
        sort: newest.clone(),
        ..updates.clone()
    };
    let with = |filter: &Filter, traits: &[TraitFilter]| Filter {
        traits: traits.to_vec(),
        ..filter.clone()
    };
    // A type that the namespace has, whichever that is: every twentieth event is its own.
    let one = |filter: Filter| Filter {
        view: namespaces(&["team-1"]),
        ..filter
    };
    let page = equal("page", "acme");
    let component = equal("name", "component-519");
    let not_update = text("operation", Operator::NotEqual, "update");
    let latest = Filter {
        sort: newest,
        ..all.clone()
    };
    Ok(vec![
        ("newest 100", latest.clone()),
        (
            "type + time + rare trait",
            with(&updates, std::slice::from_ref(&component)),
        ),
        (
            "type + time + common trait",
            with(&latest_updates, std::slice::from_ref(&page)),
        ),
        (
            "type + time + duration >= 99",
            with(&updates, &[at_least("duration", 99.0)]),
        ),
        ("time + two traits", with(&range, &[page.clone(), component.clone()])),
        (
            "three namespaces: type + time",
            Filter {
                view: namespaces(&["team-1", "team-2", "team-3"]),
                ..updates.clone()
            },
        ),
        ("one namespace: newest 100", one(latest)),
        (
            "one namespace: failed",
            one(with(&range, &[equal("outcome", "failed")])),
        ),
        (
            "one namespace: type + time + common trait",
            one(with(&latest_updates, &[page])),
        ),
        (
            "one namespace: type + time + rare trait",
            one(with(&updates, &[component])),
        ),
        (
            "one namespace: ne that matches nothing",
            one(with(&all, std::slice::from_ref(&not_update))),
        ),
        (
            "one namespace: type + ne that matches nothing",
            one(with(&updates, &[not_update])),
        ),
        (
            "one namespace: float ge that matches nothing",
            one(with(&all, &[at_least("duration", 1e9)])),
        ),
        (
            "one namespace: float ge that one in a hundred matches",
            one(with(&all, &[at_least("duration", 99.0)])),
        ),
    ])
}

/// Prints median and 99th percentile of some rounds.
async fn timed<F: Future<Output = Result<usize, Failed>>>(name: &str, ask: impl Fn() -> F) -> Result<(), Failed> {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        found = ask().await?;
        times.push(started.elapsed());
    }
    times.sort();
    let milliseconds = |rank: usize| times.get(rank).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{name}: {found} found, median {:.2} ms, p99 {:.2} ms",
        milliseconds(ROUNDS / 2),
        milliseconds(ROUNDS * 99 / 100)
    );
    Ok(())
}

/// Peak and present memory of this process, where the system tells.
fn print_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: f64 = line
            .trim_start_matches(':')
            .trim_end_matches("kB")
            .trim()
            .parse()
            .ok()?;
        Some(kilobytes / 1e3)
    };
    if let (Some(peak), Some(now)) = (megabytes("VmHWM"), megabytes("VmRSS")) {
        println!("memory {when}: {now:.0} MB, peak {peak:.0} MB");
    }
}

async fn insert(log: &AuditLog, count: i64) -> Result<(), Failed> {
    let started = Instant::now();
    for first in (0..count).step_by(usize::try_from(PORTION)?) {
        for number in first..(first + PORTION).min(count) {
            log.record(event(number)?);
        }
        if !log.flush(PATIENCE).await {
            return Err("the store is too slow".into());
        }
    }
    let took = started.elapsed();
    println!(
        "insert: {count} events of 10 traits in {:.1} s, {:.0} events/s",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64()
    );
    Ok(())
}

async fn ask(store: &EventStore, count: i64) -> Result<(), Failed> {
    for (name, filter) in questions(count)? {
        timed(name, async || Ok(store.query(&filter).await?.len())).await?;
    }
    for (who, view) in [("all", View::default()), ("one namespace", namespaces(&["team-1"]))] {
        timed(&format!("{who}: event types"), async || {
            Ok(store.event_types(&view).await?.len())
        })
        .await?;
        let kind = "component.update";
        timed(&format!("{who}: traits of a type"), async || {
            Ok(store.traits(kind, &view).await?.len())
        })
        .await?;
        timed(&format!("{who}: values of a trait"), async || {
            Ok(store.trait_values(kind, "name", 10_000, &view).await?.len())
        })
        .await?;
    }
    Ok(())
}

/// Serves the log to an administrator, without credentials, until the input ends.
async fn serve(location: Location) -> Result<(), Failed> {
    let log = AuditLog::open(AuditOptions {
        journal: None,
        ..AuditOptions::new(location)
    })
    .await?;
    let caller = Caller::new("bench", true, Grant::reading(Scope::All));
    let as_caller = axum::middleware::map_request(move |mut request: Request| {
        request.extensions_mut().insert(caller.clone());
        std::future::ready(request)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let end = async {
        let _ = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await;
    };
    axum::serve(listener, events::router(log.clone()).layer(as_caller))
        .with_graceful_shutdown(end)
        .await?;
    print_memory("at the end");
    log.close(PATIENCE).await;
    Ok(())
}

/// Deletes a twentieth of the log while others record in it.
async fn purge(location: Location) -> Result<(), Failed> {
    let log = AuditLog::open(AuditOptions {
        journal: None,
        ..AuditOptions::new(location)
    })
    .await?;
    let deleting = log.clone();
    let started = Instant::now();
    let purged = tokio::spawn(async move { deleting.purge("team-2").await });
    let mut waited = Vec::new();
    while !purged.is_finished() {
        let recorded = Instant::now();
        log.record(event(0)?);
        if !log.flush(PATIENCE).await {
            return Err("the store is too slow".into());
        }
        waited.push(recorded.elapsed());
    }
    let deleted = purged.await??;
    waited.sort();
    let longest = waited.last().map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "purge: {deleted} events in {:.1} s; {} events stored meanwhile, the slowest after {longest:.0} ms",
        started.elapsed().as_secs_f64(),
        waited.len()
    );
    log.close(PATIENCE).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", place] => return serve(place.parse()?).await,
        ["purge", place] => return purge(place.parse()?).await,
        _ => {}
    }
    let count: i64 = arguments.first().map_or(Ok(1_000_000), |number| number.parse())?;
    let directory = tempfile::tempdir()?;
    let location = match arguments.get(1) {
        Some(place) => place.parse()?,
        None => Location::File(directory.path().join("events.db")),
    };
    let file = match &location {
        Location::File(path) => Some(path.clone()),
        Location::Memory | Location::Postgres(_) => None,
    };
    let log = AuditLog::open(AuditOptions {
        journal: None,
        ..AuditOptions::new(location)
    })
    .await?;
    print_memory("at the start");
    if log.store().event_types(&View::default()).await?.is_empty() {
        insert(&log, count).await?;
        print_memory("after insertion");
    }
    if let Some(file) = file.and_then(|path| std::fs::metadata(path).ok()) {
        println!(
            "file: {:.0} MB, {} bytes an event",
            file.len() as f64 / 1e6,
            file.len() / count.unsigned_abs()
        );
    }
    ask(log.store(), count).await?;
    print_memory("at the end");
    log.close(PATIENCE).await;
    Ok(())
}
