//! A log of the first version is brought up to date, with everything in it.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, Connection, Executor, SqlStr};
use statuspage_operator::audit::{
    AuditError, AuditLog, EventStore, Filter, Location, Operator, Tenants, TraitFilter, TraitType, TraitValue, View,
};

use super::{PATIENCE, Place, event, postgres};
use crate::support::eventually;

const SQLITE: &str = include_str!("../../../src/audit/migrations/sqlite/0001_events.sql");
const POSTGRES: &str = include_str!("../../../src/audit/migrations/postgres/0001_events.sql");

/// Three events as the first version stored them: one with every type of trait, one of nobody, one without traits.
const ROWS: &str = "
    INSERT INTO words (word) VALUES ('component.create'), ('namespace'), ('name'), ('attempt'), ('ratio'), ('at'), ('bare');
    INSERT INTO events (message_id, event_type, generated, tenant, size, raw) VALUES
        ('one', 1, 1709287205250000, 'team-a', 100, '{\"summary\": \"made \\\"it\\\"\"}'),
        ('two', 7, 1709287206000000, '', 50, 'null'),
        ('three', 7, 1709287207000000, 'team-b', 30, '[1, 2]');
    INSERT INTO traits_string (event, name, value, event_type, generated) VALUES
        (1, 2, 'team-a', 1, 1709287205250000), (1, 3, 'we\"b', 1, 1709287205250000),
        (3, 2, 'team-b', 7, 1709287207000000);
    INSERT INTO traits_integer (event, name, value, event_type, generated) VALUES (1, 4, 9007199254740993, 1, 1709287205250000);
    INSERT INTO traits_float (event, name, value, event_type, generated) VALUES (1, 5, 0.30000000000000004, 1, 1709287205250000);
    INSERT INTO traits_datetime (event, name, value, event_type, generated) VALUES (1, 6, 1709287206123456, 1, 1709287205250000);
";

async fn first_version(url: &str, sql: &'static str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let migration = Migration::new(
        1,
        "events".into(),
        MigrationType::Simple,
        SqlStr::from_static(sql),
        false,
    );
    let migrator = Migrator::with_migrations(vec![migration]);
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    connection.execute(ROWS).await.unwrap();
    connection.close().await.unwrap();
}

async fn everything_is_there(log: &AuditLog) {
    let all = Filter::default();
    eventually("the new tables", PATIENCE, async || {
        let read = log.store().query(&all).await;
        read.map(drop).map_err(|error| error.to_string())
    })
    .await;
    let events = log.store().query(&all).await.unwrap();
    let ids: Vec<&str> = events.iter().map(|event| event.message_id.as_str()).collect();
    assert_eq!(ids, ["one", "two", "three"]);
    let one = &events[0];
    assert_eq!(
        (one.tenant.as_deref(), one.event_type.as_str()),
        (Some("team-a"), "component.create")
    );
    assert_eq!(one.raw["summary"], "made \"it\"");
    let traits: Vec<(&str, String)> = one
        .traits
        .iter()
        .map(|known| (known.name.as_str(), known.value.to_string()))
        .collect();
    assert_eq!(
        traits,
        [
            ("at", "2024-03-01T10:00:06.123456".to_owned()),
            ("attempt", "9007199254740993".to_owned()),
            ("name", "we\"b".to_owned()),
            ("namespace", "team-a".to_owned()),
            ("ratio", "0.30000000000000004".to_owned()),
        ]
    );
    assert_eq!((events[1].tenant.as_deref(), events[1].traits.len()), (None, 0));
    // Found by what they are found by.
    for value in [
        ("name", TraitValue::String("we\"b".to_owned())),
        ("attempt", TraitValue::Integer(9_007_199_254_740_993)),
        ("ratio", TraitValue::Float(0.1 + 0.2)),
        ("at", one.traits[0].value.clone()),
    ] {
        let filter = Filter {
            view: View::of(Tenants::Only(["team-a".to_owned()].into())),
            traits: vec![TraitFilter {
                name: value.0.to_owned(),
                operator: Operator::Equal,
                value: value.1,
            }],
            ..Filter::default()
        };
        assert_eq!(log.store().query(&filter).await.unwrap().len(), 1, "{filter:?}");
    }
    let everybody = View::default();
    assert_eq!(
        log.store().event_types(&everybody).await.unwrap(),
        ["bare", "component.create"]
    );
    assert_eq!(log.store().tenants().await.unwrap(), ["team-a", "team-b"]);
    let traits = log.store().traits("component.create", &everybody).await.unwrap();
    assert!(
        traits.contains(&("attempt".to_owned(), TraitType::Integer)) && traits.len() == 5,
        "{traits:?}"
    );
    // What comes now comes after, and the same id is the same event.
    log.record(event("one", "component.create", "2024-03-01T10:00:05Z", "team-a"));
    log.record(event("four", "component.create", "2024-03-01T10:00:08Z", "team-a"));
    assert!(log.flush(PATIENCE).await);
    assert_eq!(log.store().query(&all).await.unwrap().len(), 4);
    assert_eq!(log.purge("team-a").await.unwrap(), 2);
    assert_eq!(log.store().event_types(&everybody).await.unwrap(), ["bare"]);
    assert!(log.close(PATIENCE).await);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let place = Place::sqlite();
    let Location::File(path) = &place.location else {
        unreachable!()
    };
    first_version(&format!("sqlite://{}?mode=rwc", path.display()), SQLITE).await;
    // Whoever only reads says who can.
    let read = EventStore::open_read_only(&place.location).await;
    assert!(matches!(read, Err(AuditError::OldTables)), "{read:?}");
    everything_is_there(&AuditLog::open(place.options()).await.unwrap()).await;
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date() {
    let url = postgres::Server::shared().database();
    first_version(&url, POSTGRES).await;
    let place = Place {
        location: url.parse().unwrap(),
        directory: tempfile::tempdir().unwrap(),
    };
    everything_is_there(&AuditLog::open(place.options()).await.unwrap()).await;
}
