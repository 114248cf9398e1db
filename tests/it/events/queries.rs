//! Every question walks an index: no table is read from end to end, whatever its size.

use jiff::Timestamp;
use statuspage_operator::audit::{AuditEvent, Filter, Operator, Sort, SortKey, Tenants, TraitFilter, TraitValue};

use super::Place;

fn equal(name: &str, value: &str) -> TraitFilter {
    TraitFilter {
        name: name.into(),
        operator: Operator::Equal,
        value: TraitValue::String(value.into()),
    }
}

fn names(names: &[&str]) -> Tenants {
    Tenants::Only(names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn every_question_walks_an_index() {
    let place = Place::sqlite();
    let events = (0..200).map(|number: i64| {
        AuditEvent::new(
            if number % 3 == 0 {
                "component.create"
            } else {
                "component.update"
            },
            at(number),
        )
        .tenant(if number % 2 == 0 { "team-a" } else { "team-b" })
        .text("page", "acme")
        .text("name", format!("web-{}", number % 20))
        .with("attempt", TraitValue::Integer(number % 4))
    });
    let log = place.filled(events.collect()).await;
    let range = Filter {
        from: Some(at(10)),
        until: Some(at(150)),
        limit: Some(100),
        ..Filter::default()
    };
    let newest = vec![Sort {
        key: SortKey::Generated,
        descending: true,
    }];
    let marker = log.store().query(&range).await.unwrap()[50].message_id.clone();
    let table = [
        (range.clone(), "INDEX events_by_time (generated>? AND generated<?)"),
        (
            Filter {
                event_type: Some("component.create".into()),
                sort: newest.clone(),
                ..range.clone()
            },
            "INDEX events_by_type (event_type=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                tenants: names(&["team-a"]),
                sort: newest.clone(),
                ..range.clone()
            },
            "INDEX events_by_tenant (tenant=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                tenants: names(&["team-a", "team-b"]),
                ..range.clone()
            },
            "INDEX events_by_tenant (tenant=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                traits: vec![equal("name", "web-3")],
                sort: newest.clone(),
                ..range.clone()
            },
            "INDEX traits_string_by_value (name=? AND value=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                event_type: Some("component.update".into()),
                traits: vec![equal("name", "web-4")],
                ..range.clone()
            },
            "INDEX traits_string_by_type (event_type=? AND name=? AND value=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                marker: Some(marker),
                traits: vec![equal("page", "acme"), equal("name", "web-4")],
                sort: newest,
                ..range.clone()
            },
            "INDEX traits_string_by_value (name=? AND value=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                event_type: Some("component.update".into()),
                traits: vec![TraitFilter {
                    name: "attempt".into(),
                    operator: Operator::GreaterOrEqual,
                    value: TraitValue::Integer(3),
                }],
                ..range.clone()
            },
            "INDEX events_by_type (event_type=? AND generated>? AND generated<?)",
        ),
        (
            Filter {
                message_id: Some("x".into()),
                ..Filter::default()
            },
            "INDEX sqlite_autoindex_events_1 (message_id=?)",
        ),
    ];
    for (filter, index) in table {
        let plan = log.store().explain(&filter).await.unwrap();
        let text = plan.join("\n");
        assert!(text.contains(index), "{filter:?}\n{text}");
        assert!(!plan.iter().any(|line| line.starts_with("SCAN")), "{filter:?}\n{text}");
        // Several tenants have no common order; everything else comes out of its index in order, ids apart.
        let several = matches!(&filter.tenants, Tenants::Only(names) if names.len() > 1);
        assert!(
            several || !text.contains("USE TEMP B-TREE FOR ORDER BY"),
            "{filter:?}\n{text}"
        );
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}
