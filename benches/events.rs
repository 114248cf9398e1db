//! The event log with many events: insertion in batches, and a page of 100 by type, time range and one trait.
//!
//! `cargo bench --bench events -- [NUMBER] [PLACE]`; without them a million events in a SQLite file of its own.

use std::error::Error;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use statuspage_operator::audit::{
    AuditEvent, AuditLog, AuditOptions, Filter, Location, Operator, Sort, SortKey, Tenants, TraitFilter, TraitValue,
};

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

fn event(number: i64) -> Result<AuditEvent, Box<dyn Error>> {
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

fn equal(name: &str, value: &str) -> TraitFilter {
    TraitFilter {
        name: name.into(),
        operator: Operator::Equal,
        value: TraitValue::String(value.into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let count: i64 = arguments.first().map_or(Ok(1_000_000), |number| number.parse())?;
    let directory = tempfile::tempdir()?;
    let location = match arguments.get(1) {
        Some(place) => place.parse()?,
        None => Location::File(directory.path().join("events.db")),
    };
    let log = AuditLog::open(AuditOptions {
        journal: None,
        ..AuditOptions::new(location)
    })
    .await?;
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
    if let Ok(file) = std::fs::metadata(directory.path().join("events.db")) {
        println!(
            "file: {:.0} MB, {} bytes an event",
            file.len() as f64 / 1e6,
            file.len() / count.unsigned_abs()
        );
    }
    let range = Filter {
        from: Some(at(count / 4)?),
        until: Some(at(count / 4 * 3)?),
        limit: Some(100),
        ..Filter::default()
    };
    let newest = vec![Sort {
        key: SortKey::Generated,
        descending: true,
    }];
    let update = Some("component.update".to_owned());
    let questions = [
        (
            "newest 100",
            Filter {
                sort: newest.clone(),
                limit: Some(100),
                ..Filter::default()
            },
        ),
        (
            "type + time + rare trait",
            Filter {
                event_type: update.clone(),
                traits: vec![equal("name", "component-519")],
                ..range.clone()
            },
        ),
        (
            "type + time + common trait",
            Filter {
                event_type: update.clone(),
                traits: vec![equal("page", "acme")],
                sort: newest.clone(),
                ..range.clone()
            },
        ),
        (
            "type + time + duration >= 99",
            Filter {
                event_type: update.clone(),
                traits: vec![TraitFilter {
                    name: "duration".into(),
                    operator: Operator::GreaterOrEqual,
                    value: TraitValue::Float(99.0),
                }],
                ..range.clone()
            },
        ),
        (
            "time + two traits",
            Filter {
                traits: vec![equal("page", "acme"), equal("name", "component-519")],
                ..range.clone()
            },
        ),
        (
            "one tenant, failed",
            Filter {
                tenants: Tenants::Only(["team-0".to_owned()].into()),
                traits: vec![equal("outcome", "failed")],
                ..range.clone()
            },
        ),
        (
            "three tenants, type + time",
            Filter {
                tenants: Tenants::Only(["team-1", "team-2", "team-3"].map(str::to_owned).into()),
                event_type: update,
                ..range
            },
        ),
    ];
    for (name, filter) in questions {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            found = log.store().query(&filter).await?.len();
            times.push(started.elapsed());
        }
        times.sort();
        let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        println!(
            "{name}: {found} events, median {:.2} ms, worst {:.2} ms",
            milliseconds(times.get(ROUNDS / 2)),
            milliseconds(times.last())
        );
    }
    let started = Instant::now();
    let types = log.store().event_types(&Tenants::All).await?.len();
    let traits = log.store().traits("component.update", &Tenants::All).await?.len();
    println!(
        "{types} types and {traits} traits of one: {:.2} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    log.close(PATIENCE).await;
    Ok(())
}
