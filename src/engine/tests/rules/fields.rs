//! How fields are compared, what of them is written and told, and what is recorded of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{Drift, DriftPolicy};
use crate::engine::SealKey;
use crate::engine::fields::{Access, Change, Comparison, Comparisons, Field, compare, creation};
use crate::engine::seal::{Seal, hash, hex};
use crate::statuspage::Token;

fn field(desired: Value, observed: Value) -> Field {
    Field::new("name", "wire", desired, Some(observed))
}

fn compared(fields: &[Field], applied: &[(&str, Value)], policy: DriftPolicy) -> Comparisons {
    let applied = applied.iter().map(|(name, value)| ((*name).to_owned(), hash(value)));
    compare(fields, &applied.collect(), policy, Seal::default())
}

#[test]
fn values_are_one_or_two_by_what_they_mean() {
    use Comparison::{Caseless, Color, Instant, Number, Plain, Set};
    for (comparison, one, other, same) in [
        (Plain, json!("a"), json!("a"), true),
        (Plain, json!("a"), json!("A"), false),
        (Plain, json!(null), json!(false), true),
        (Plain, json!(""), json!(false), true),
        (Plain, json!(true), json!(null), false),
        (Plain, json!(false), json!(true), false),
        (Plain, json!(0), json!(null), false),
        (Set, json!(["a", "b"]), json!(["b", "a"]), true),
        (Set, json!(["a"]), json!(["a", "b"]), false),
        (Set, json!(["a", "b"]), json!(["a"]), false),
        (Set, json!("a"), json!("a"), true),
        (Set, json!("a"), json!(["a"]), false),
        (
            Instant,
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:00.9Z"),
            true,
        ),
        (
            Instant,
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:01Z"),
            false,
        ),
        (Instant, json!("soon"), json!("soon"), true),
        (Instant, json!("soon"), json!("2026-01-01T00:00:00Z"), false),
        (Number, json!(1), json!(1.0), true),
        (Number, json!(1), json!(2), false),
        (Caseless, json!("A@b"), json!("a@B"), true),
        (Caseless, json!("a"), json!("b"), false),
        (Caseless, json!(1), json!(1), true),
        (Caseless, json!(1), json!("a"), false),
        (Color, json!("#Fc0"), json!(" ffcc00"), true),
        (Color, json!("#fc0"), json!("#fc00"), false),
        (Color, json!("#fcc"), json!("fc0"), false),
        (Color, json!(1), json!(1), true),
        (Color, json!(1), json!("#000"), false),
    ] {
        for (desired, observed) in [(&one, &other), (&other, &one)] {
            let field = field(desired.clone(), observed.clone()).compared(comparison);
            let found = compared(&[field], &[], DriftPolicy::Correct);
            assert_eq!(found.body.is_empty(), same, "{comparison:?} {desired} {observed}");
        }
    }
}

#[test]
fn what_is_not_shown_is_written_where_it_may_be() {
    use Access::{CreateOnly, Frozen, Noted, ReadWrite, WriteOnly};
    for (access, anew, later) in [
        (ReadWrite, true, true),
        (WriteOnly, true, false),
        (CreateOnly, false, false),
        (Frozen, false, false),
        (Noted, false, false),
    ] {
        let field = Field::new("name", "wire", json!("x"), None).access(access);
        let writes = |applied: &[(&str, Value)]| {
            let found = compared(std::slice::from_ref(&field), applied, DriftPolicy::Correct);
            assert_eq!(found.body.len(), found.changes.len());
            assert!(found.applied.contains_key("name") && found.immutable.is_empty());
            !found.body.is_empty()
        };
        assert_eq!(
            (writes(&[]), writes(&[("name", json!("x"))])),
            (anew, later),
            "{access:?}"
        );
        let created = creation(std::slice::from_ref(&field), Seal::default());
        assert_eq!(created.body.contains_key("wire"), access != Noted, "{access:?}");
        assert!(created.applied.contains_key("name"));
    }
}

#[test]
fn what_can_be_given_at_creation_only_is_immutable_once_it_was_applied() {
    for access in [Access::CreateOnly, Access::Frozen] {
        let of = |applied: &[(&str, Value)]| {
            let field = field(json!("new"), json!("old")).access(access);
            let found = compared(&[field], applied, DriftPolicy::Correct);
            (found.immutable.len(), found.body.len())
        };
        assert_eq!(of(&[]), (0, 0), "{access:?}: it was taken over");
        assert_eq!(of(&[("name", json!("new"))]), (0, 0), "{access:?}: nothing was changed");
        assert_eq!(
            of(&[("name", json!("old"))]),
            (1, 0),
            "{access:?}: its owner has changed it"
        );
    }
}

#[test]
fn a_field_with_a_request_of_its_own_waits_for_the_others() {
    let own = || Field::new("own", "own", json!("x"), Some(json!("y"))).in_a_separate_request();
    let other = || Field::new("other", "other", json!("z"), Some(json!("y"))).in_a_separate_request();
    let together = |observed: &str| field(json!("a"), json!(observed));
    let written = |fields: &[Field]| {
        let found = compared(fields, &[], DriftPolicy::Correct);
        found.body.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(written(&[own(), together("b")]), ["wire"]);
    assert_eq!(written(&[own(), together("a")]), ["own"]);
    assert_eq!(written(&[own(), other()]), ["own"]);
    let created = creation(&[own(), together("b")], Seal::default());
    assert_eq!(created.body.keys().collect::<Vec<_>>(), ["wire"]);
}

#[test]
fn a_difference_is_told_in_short_and_no_secret_at_all() {
    let told = |length: usize, secret: bool| {
        let mut field = field(json!("ours"), json!("ö".repeat(length)));
        field.secret = secret;
        let found = compared(&[field], &[("name", json!("ours"))], DriftPolicy::Detect);
        let [
            Drift {
                field,
                desired,
                observed,
            },
        ] = &found.drift[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!(field, "name");
        (desired.clone(), observed.clone())
    };
    assert_eq!(told(3, false), ("\"ours\"".to_owned(), "\"ööö\"".to_owned()));
    assert_eq!(told(118, false).1.chars().count(), 120);
    let long = told(119, false).1;
    assert!(long.chars().count() == 121 && long.ends_with("ö…"), "{long}");
    assert_eq!(told(3, true), ("(secret)".to_owned(), "(secret)".to_owned()));
    let mut secret = field(json!("hunter2"), json!("hunter1"));
    secret.secret = true;
    let change = Change {
        field: "name".to_owned(),
        from: None,
        to: json!("(secret)"),
    };
    assert_eq!(creation(&[secret], Seal::default()).changes, [change]);
    let plain = compared(&[field(json!("a"), json!("b"))], &[], DriftPolicy::Correct);
    let change = Change {
        field: "name".to_owned(),
        from: Some(json!("b")),
        to: json!("a"),
    };
    assert_eq!(plain.changes, [change]);
}

#[test]
fn a_record_is_kept_while_its_field_is_declared_or_noted() {
    let found = Comparisons {
        applied: BTreeMap::from(["name", "components/declared"].map(|name| (name.to_owned(), String::new()))),
        ..Comparisons::default()
    };
    for (name, kept) in [
        ("name", true),
        ("components", true),
        ("component", false),
        ("componentsx", false),
        ("description", false),
        ("other/declared", true),
    ] {
        assert_eq!(found.keeps(name), kept, "{name}");
    }
}

#[test]
fn what_is_compared_in_parts_is_one_comparison() {
    let parts = |name: &'static str, access: Access| {
        let mut field = Field::new(name, name, json!("a"), Some(json!("b"))).access(access);
        field.name = name;
        compared(&[field], &[(name, json!("other"))], DriftPolicy::Correct)
    };
    let mut whole = parts("one", Access::ReadWrite);
    whole.extend(parts("two", Access::ReadWrite));
    whole.extend(parts("three", Access::Frozen));
    whole.extend(compared(
        &[field(json!("a"), json!("b"))],
        &[("name", json!("a"))],
        DriftPolicy::Detect,
    ));
    assert_eq!(whole.body.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((whole.changes.len(), whole.drift.len(), whole.left.len()), (2, 1, 1));
    assert_eq!(whole.immutable, ["three"]);
    assert_eq!(
        whole.applied.keys().collect::<Vec<_>>(),
        ["name", "one", "three", "two"]
            .map(String::from)
            .iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn hashes_are_short_and_in_hexadecimal_digits() {
    assert_eq!(hex(&[0, 10, 255, 7], 3), "000aff");
    assert_eq!(hex(&[1], 3), "01");
    assert_eq!(hash(&json!("x")).len(), 10);
    assert_ne!(hash(&json!("x")), hash(&json!("y")));
}

#[test]
fn a_record_of_a_secret_counts_as_unchanged_where_nothing_can_be_said() {
    let token = |token: &str| SealKey::of_token(&Token::new(token.to_owned()).unwrap());
    let (key, other) = (token("token"), token("other"));
    let with = |key| Seal { uid: "a", key };
    let mut secret = Field::new("api", "api", json!("hunter2"), None).access(Access::CreateOnly);
    secret.secret = true;
    let known = with(Some(&key)).of_field(&secret);
    let others = with(Some(&other)).of_field(&secret);
    assert_eq!(with(None).of_field(&secret), "");
    assert_eq!(known.len(), 4 + 1 + 20);
    let mut changed = secret.clone();
    changed.desired = json!("hunter3");
    for (recorded, key, same, same_when_changed) in [
        (known.as_str(), Some(&key), true, false),
        (known.as_str(), None, true, true),
        (others.as_str(), Some(&key), true, true),
        ("", Some(&key), true, true),
        (hash(&json!("hunter2")).as_str(), Some(&key), true, false),
        ("something else", Some(&key), false, false),
    ] {
        let seal = with(key);
        let found = (seal.is_field(recorded, &secret), seal.is_field(recorded, &changed));
        assert_eq!(found, (same, same_when_changed), "{recorded}");
    }
    let mut plain = secret.clone();
    plain.secret = false;
    let seal = with(Some(&key));
    assert!(seal.is_field(&seal.of(&json!("hunter2")), &plain) && !seal.is_field(&known, &plain));
}
