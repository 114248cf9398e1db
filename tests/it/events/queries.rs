//! Every question reads few rows, and rows of the own namespaces only: counted by the database, and seen in its plans.

use jiff::Timestamp;
use sqlx::Row;
use statuspage_operator::audit::{
    AuditError, AuditEvent, AuditLog, EventStore, Filter, Operator, Sort, SortKey, Tenants, TraitFilter, TraitValue,
    View,
};

use super::{PATIENCE, Place, on_both_stores, postgres};
use crate::support::eventually;

on_both_stores! { answers_are_the_same_whichever_way_they_are_found a_question_that_looks_at_too_much_is_refused }

fn test(name: &str, operator: Operator, value: TraitValue) -> TraitFilter {
    TraitFilter {
        name: name.into(),
        operator,
        value,
    }
}

fn text(text: &str) -> TraitValue {
    TraitValue::String(text.into())
}

fn equal(name: &str, value: &str) -> TraitFilter {
    test(name, Operator::Equal, text(value))
}

fn of(names: &[&str]) -> View {
    View::of(Tenants::Only(names.iter().map(|name| (*name).to_owned()).collect()))
}

fn newest() -> Vec<Sort> {
    vec![Sort {
        key: SortKey::Generated,
        descending: true,
    }]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Events of three namespaces: `many` has most, `some` more than is read at once, `few` some hundred. Some types and
/// traits only `many` has.
fn events(total: i64) -> Vec<AuditEvent> {
    let events = (0..total).map(|number| {
        let (tenant, of_it) = match number % 40 {
            0 => ("few", number / 40),
            1..10 => ("some", number),
            _ => ("many", number),
        };
        let kind = match (tenant, number % 7) {
            ("many", 0) => "metric.update",
            (_, 1 | 2) => "component.create",
            _ => "component.update",
        };
        let event = AuditEvent::new(kind, at(number))
            .tenant(tenant)
            .text("page", "acme")
            .text("name", format!("web-{}", of_it % 100))
            .text("outcome", if number % 50 == 7 { "failed" } else { "succeeded" })
            .with("attempt", TraitValue::Integer(number % 4))
            .with("duration", TraitValue::Float(0.5));
        if tenant == "many" {
            event.text("theirs", "x")
        } else {
            event
        }
    });
    events.collect()
}

const TOTAL: i64 = 12_000;

/// Questions that somebody with the rights to one namespace may ask.
fn questions() -> Vec<(&'static str, Filter)> {
    let update = Some("component.update".to_owned());
    let range = Filter {
        from: Some(at(TOTAL / 4)),
        until: Some(at(TOTAL / 4 * 3)),
        limit: Some(100),
        ..Filter::default()
    };
    let typed = Filter {
        event_type: update,
        sort: newest(),
        ..range.clone()
    };
    let with = |filter: &Filter, traits: Vec<TraitFilter>| Filter {
        traits,
        ..filter.clone()
    };
    vec![
        (
            "newest",
            Filter {
                sort: newest(),
                limit: Some(100),
                ..Filter::default()
            },
        ),
        ("range", range.clone()),
        ("type and range", typed.clone()),
        (
            "a type of others",
            Filter {
                event_type: Some("metric.update".into()),
                ..range.clone()
            },
        ),
        ("a common trait", with(&typed, vec![equal("page", "acme")])),
        ("a rare trait", with(&typed, vec![equal("name", "web-3")])),
        (
            "two traits",
            with(&range, vec![equal("page", "acme"), equal("name", "web-4")]),
        ),
        ("a trait of others", with(&range, vec![equal("theirs", "x")])),
        ("a value that nobody has", with(&range, vec![equal("name", "nobody")])),
        (
            "other than what all have",
            with(&range, vec![test("page", Operator::NotEqual, text("acme"))]),
        ),
        (
            "a type and that",
            with(&typed, vec![test("page", Operator::NotEqual, text("acme"))]),
        ),
        (
            "more than any",
            with(
                &range,
                vec![test("duration", Operator::GreaterOrEqual, TraitValue::Float(9.0))],
            ),
        ),
        (
            "as much as all",
            with(
                &range,
                vec![test("duration", Operator::GreaterOrEqual, TraitValue::Float(0.1))],
            ),
        ),
        (
            "a whole number",
            with(&range, vec![test("attempt", Operator::Greater, TraitValue::Integer(2))]),
        ),
        (
            "by id",
            Filter {
                message_id: Some("x".into()),
                ..Filter::default()
            },
        ),
    ]
}

async fn filled(place: &Place) -> AuditLog {
    place.filled(events(TOTAL)).await
}

/// What a filter means, event by event.
fn expected(all: &[AuditEvent], filter: &Filter) -> Vec<String> {
    let mut found: Vec<&AuditEvent> = all
        .iter()
        .filter(|event| {
            let tenant = event.tenant.as_deref().unwrap_or_default();
            filter
                .view
                .admits(tenant, &event.event_type, event.get("page").as_deref())
                && filter.event_type.as_ref().is_none_or(|word| *word == event.event_type)
                && filter.message_id.as_ref().is_none_or(|id| *id == event.message_id)
                && filter.from.is_none_or(|from| event.generated >= from)
                && filter.until.is_none_or(|until| event.generated <= until)
                && filter.traits.iter().all(|test| test.matches(event))
        })
        .collect();
    let key = |event: &&AuditEvent| (event.generated, event.message_id.clone());
    found.sort_by_key(key);
    if filter.sort.first().is_some_and(|sort| sort.descending) {
        found.reverse();
    }
    found.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
    found.into_iter().map(|event| event.message_id.clone()).collect()
}

async fn answers_are_the_same_whichever_way_they_are_found(place: Place) {
    let log = filled(&place).await;
    let all = log.store().query(&Filter::default()).await.unwrap();
    assert_eq!(all.len(), usize::try_from(TOTAL).unwrap());
    let by_kind = View::new(vec![statuspage_operator::audit::Grant {
        kinds: Some([statuspage_operator::api::Kind::Metric].into()),
        ..Default::default()
    }]);
    let views = [
        View::default(),
        of(&["few"]),
        of(&["some"]),
        of(&["many"]),
        of(&["few", "some"]),
        of(&["nobody"]),
        of(&[]),
        View::of(Tenants::Owned),
        by_kind,
    ];
    for view in views {
        for (name, question) in questions() {
            let filter = Filter {
                view: view.clone(),
                ..question
            };
            let found = log.store().query(&filter).await.unwrap();
            let found: Vec<String> = found.into_iter().map(|event| event.message_id).collect();
            assert_eq!(found, expected(&all, &filter), "{name} {view:?}");
        }
    }
}

async fn a_question_that_looks_at_too_much_is_refused(place: Place) {
    let log = filled(&place).await;
    // Every event has to be looked at, and none matches.
    let traits = [
        test("duration", Operator::GreaterOrEqual, TraitValue::Float(0.1)),
        test("outcome", Operator::LessOrEqual, text("succeeded")),
        test("page", Operator::Greater, text("a")),
        test("attempt", Operator::GreaterOrEqual, TraitValue::Integer(0)),
        test("attempt", Operator::Less, TraitValue::Integer(0)),
    ];
    let filter = Filter {
        traits: traits.iter().take(4).cloned().collect(),
        limit: Some(100),
        examine: Some(3000),
        ..Filter::default()
    };
    assert_eq!(log.store().query(&filter).await.unwrap().len(), 100, "near enough");
    let none = Filter {
        traits: vec![
            test("duration", Operator::GreaterOrEqual, TraitValue::Float(0.1)),
            test("attempt", Operator::LessOrEqual, TraitValue::Integer(5)),
            test("page", Operator::Equal, text("acme")),
            test("name", Operator::Greater, text("a")),
        ],
        view: of(&["many"]),
        examine: Some(3000),
        ..filter
    };
    let far = Filter {
        limit: Some(8000),
        ..none.clone()
    };
    let refused = log.store().query(&far).await;
    assert!(matches!(refused, Err(AuditError::TooMany(_))), "{refused:?}");
    let short = Filter {
        from: Some(at(100)),
        until: Some(at(600)),
        ..far.clone()
    };
    assert!(
        log.store().query(&short).await.unwrap().len() > 300,
        "a range is short enough"
    );
    let patient = Filter { examine: None, ..far };
    assert!(log.store().query(&patient).await.unwrap().len() > 7000);
}

/// The plans of SQLite: each step goes through an index of which the namespace is the first column.
#[tokio::test]
async fn every_question_walks_an_index_of_its_namespace() {
    let place = Place::sqlite();
    let log = filled(&place).await;
    for tenant in ["few", "some", "nobody"] {
        for (name, question) in questions() {
            let filter = Filter {
                view: of(&[tenant]),
                ..question
            };
            let plan = log.store().explain(&filter).await.unwrap();
            for step in &plan {
                if step.contains("message_id=?") || step.contains("rowid=?") {
                    continue;
                }
                let table = ["SEARCH e ", "SEARCH t ", "SEARCH u ", "SEARCH v "];
                let leads = table.iter().any(|table| step.starts_with(table)) && step.contains("(tenant=?");
                let nothing_read = [
                    "CO-ROUTINE",
                    "USE TEMP B-TREE",
                    "COMPOUND",
                    "LEFT-MOST",
                    "UNION",
                    "SCAN counted",
                    "SCAN t",
                ];
                let harmless = nothing_read.iter().any(|word| step.starts_with(word));
                assert!(leads || harmless, "{tenant}, {name}: {step}\n{plan:#?}");
            }
        }
    }
}

/// Two conditions, each of which many events meet and few both: an administrator's question goes through the index of one
/// of them, and not through all events.
#[tokio::test]
async fn what_few_events_meet_together_is_not_looked_for_in_all() {
    let place = Place::sqlite();
    let log = filled(&place).await;
    let greater = |least| vec![test("attempt", Operator::Greater, TraitValue::Integer(least))];
    let asked = |least| Filter {
        event_type: Some("component.create".into()),
        traits: greater(least),
        limit: Some(100),
        ..Filter::default()
    };
    let walks = async |filter: &Filter| {
        let plan = log.store().explain(filter).await.unwrap();
        plan.iter().any(|step| step.contains("events_by_time"))
    };
    assert!(!walks(&asked(2)).await);
    assert_eq!(log.store().query(&asked(2)).await.unwrap().len(), 100);
    // With the one that most events meet the newest hundred are near.
    assert!(walks(&asked(0)).await);
}

/// Rows that PostgreSQL has read so far for everybody, by index and without.
async fn rows_read(counter: &sqlx::AnyPool) -> i64 {
    let sum = "SELECT CAST((SELECT COALESCE(SUM(idx_tup_read), 0) FROM pg_stat_user_indexes) + \
               (SELECT COALESCE(SUM(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname <> 'words') AS BIGINT)";
    sqlx::query(sum).fetch_one(counter).await.unwrap().try_get(0).unwrap()
}

/// Waits until readers are gone: what they have read is counted when they go.
async fn alone(counter: &sqlx::AnyPool) {
    eventually("nobody else reads", PATIENCE, async || {
        let others =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let others: i64 = sqlx::query(others)
            .fetch_one(counter)
            .await
            .unwrap()
            .try_get(0)
            .unwrap();
        (others == 0).then_some(()).ok_or(format!("{others} others"))
    })
    .await;
}

/// What a question costs depends on what its namespace has, and not on what others have.
#[tokio::test]
async fn the_rows_of_others_are_not_read() {
    sqlx::any::install_default_drivers();
    let mut costs = Vec::new();
    for total in [TOTAL, TOTAL * 2] {
        let url = postgres::Server::shared().database();
        let place = Place {
            location: url.parse().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        // As many of `few` in both; of others twice as many.
        let mut all = events(total);
        let mut left = TOTAL / 40;
        all.retain(|event| {
            let few = event.tenant.as_deref() == Some("few");
            left -= i64::from(few);
            !few || left >= 0
        });
        let log = place.filled(all).await;
        assert!(log.close(PATIENCE).await);
        let options = sqlx::any::AnyPoolOptions::new().max_connections(1);
        let counter = options.connect(&url).await.unwrap();
        alone(&counter).await;
        sqlx::query("ANALYZE").execute(&counter).await.unwrap();
        // A small table is rather read whole, which is another question than what a large one costs.
        let name = sqlx::query("SELECT current_database()::text")
            .fetch_one(&counter)
            .await
            .unwrap();
        let name: String = name.try_get(0).unwrap();
        let by_index = format!("ALTER DATABASE \"{name}\" SET enable_seqscan = off");
        sqlx::query(sqlx::AssertSqlSafe(by_index))
            .execute(&counter)
            .await
            .unwrap();
        let mut each = Vec::new();
        for (name, question) in questions() {
            let filter = Filter {
                view: of(&["few"]),
                ..question
            };
            let before = rows_read(&counter).await;
            let store = EventStore::open_read_only(&place.location).await.unwrap();
            store.query(&filter).await.unwrap();
            store.close().await;
            alone(&counter).await;
            each.push((name, rows_read(&counter).await - before));
        }
        for (name, path) in [
            ("types", ""),
            ("traits", "component.update"),
            ("traits of others", "metric.update"),
        ] {
            let before = rows_read(&counter).await;
            let store = EventStore::open_read_only(&place.location).await.unwrap();
            match path {
                "" => drop(store.event_types(&of(&["few"])).await.unwrap()),
                event_type => drop(store.traits(event_type, &of(&["few"])).await.unwrap()),
            }
            store.close().await;
            alone(&counter).await;
            each.push((name, rows_read(&counter).await - before));
        }
        costs.push(each);
    }
    println!("{costs:#?}");
    for (small, large) in costs[0].iter().zip(&costs[1]) {
        assert!(small.1 > 0, "nothing was counted: {small:?}");
        // All of the namespace is 300 events, of which a question may count the ways and then read.
        assert!(small.1 < 1500, "{small:?}");
        assert!(large.1 <= small.1 + small.1 / 10 + 10, "{small:?} {large:?}");
    }
}
