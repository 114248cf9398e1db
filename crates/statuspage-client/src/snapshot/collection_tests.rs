//! What is kept of a list when it is read again: tables of what was known and what the new reading shows.

use std::time::Duration;

use jiff::Timestamp;

use super::collection::thinned;
use super::{Collection, Lag, spaced_since};
use crate::types::Component;

const LAG: Duration = Duration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A row that says by its name who wrote it.
fn row(id: &str, name: &str, updated: Option<i64>) -> Component {
    Component {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        updated_at: updated.map(at),
        ..Component::default()
    }
}

fn list(rows: &[&str], read_at: i64) -> Collection<Component> {
    let rows = rows.iter().map(|id| row(id, "listed", Some(0))).collect();
    Collection::read(rows, at(read_at), true)
}

fn ids(list: &Collection<Component>) -> Vec<&str> {
    list.items.iter().map(|row| row.id.as_str()).collect()
}

fn missing(list: &Collection<Component>) -> Vec<(&str, i64)> {
    let missing = list.vanished.iter();
    missing
        .map(|one| (one.item.id.as_str(), one.since.as_second()))
        .collect()
}

#[test]
fn what_we_wrote_is_known_better_than_a_list_until_that_cannot_be_older() {
    for (read_at, kept) in [(11, true), (69, true), (70, false), (90, false)] {
        let mut known = list(&["a"], 0);
        assert!(known.put_last(row("b", "ours", None), at(10)));
        let next = list(&["a"], read_at).after(Some(known), LAG);
        assert_eq!(ids(&next), if kept { vec!["a", "b"] } else { vec!["a"] }, "{read_at}");
        assert_eq!(next.known_better_since("b"), kept.then(|| at(10)), "{read_at}");
        assert_eq!(next.has_vanished("b"), !kept, "{read_at}");
        assert_eq!(missing(&next), if kept { vec![] } else { vec![("b", read_at)] });
    }
}

#[test]
fn what_we_deleted_is_not_shown_by_a_list_that_may_be_older() {
    for (read_at, shown) in [(11, false), (69, false), (70, true)] {
        let mut known = list(&["a", "b"], 0);
        known.remove("b", at(10));
        assert!(known.was_removed("b") && !known.was_removed("a") && known.known_better_since("b").is_none());
        let next = list(&["a", "b"], read_at).after(Some(known), LAG);
        assert_eq!(ids(&next).contains(&"b"), shown, "{read_at}");
        assert_eq!(next.was_removed("b"), !shown, "{read_at}");
        assert_eq!(missing(&next), [], "what we deleted is not missing");
    }
}

#[test]
fn of_a_row_and_what_was_shown_since_the_newer_one_counts() {
    for (ours, theirs, counts) in [
        (Some(5), Some(4), "ours"),
        (Some(5), Some(5), "listed"),
        (Some(5), Some(6), "listed"),
        (None, Some(6), "ours"),
        (Some(5), None, "ours"),
    ] {
        let next = |inferred: bool| {
            let mut known = list(&[], 0);
            known.put_last(row("a", "ours", ours), at(10));
            if inferred {
                known.touch("a", at(10));
            }
            let rows = vec![row("a", "listed", theirs)];
            let next = Collection::read(rows, at(20), true).after(Some(known), LAG);
            next.get("a").unwrap().name.clone().unwrap()
        };
        assert_eq!(next(false), counts, "{ours:?} {theirs:?}");
        // What only follows from something else counts until the row itself has changed.
        let changed = matches!((ours, theirs), (Some(5), Some(6)) | (None, Some(_)));
        assert_eq!(
            next(true),
            if changed { "listed" } else { "ours" },
            "inferred {ours:?} {theirs:?}"
        );
    }
    // Nothing better is known of what was only ever listed.
    let known = Collection::read(vec![row("a", "old", Some(9))], at(0), true);
    let next = list(&["a"], 20).after(Some(known), LAG);
    assert_eq!(next.get("a").unwrap().name.as_deref(), Some("listed"));
}

#[test]
fn what_is_missing_is_remembered_until_lists_can_lag_no_longer() {
    let first = list(&["b"], 100).after(Some(list(&["a", "b"], 0)), LAG);
    assert_eq!((ids(&first), missing(&first)), (vec!["b"], vec![("a", 100)]));
    for (read_at, complete, remembered) in [(159, true, true), (160, true, false), (160, false, true)] {
        let mut next = list(&["b"], read_at);
        next.complete = complete;
        let next = next.after(Some(first.clone()), LAG);
        assert_eq!(
            missing(&next),
            if remembered { vec![("a", 100)] } else { vec![] },
            "{read_at} {complete}"
        );
    }
    // It shows again.
    let next = list(&["a", "b"], 110).after(Some(first.clone()), LAG);
    assert_eq!((ids(&next), missing(&next)), (vec!["a", "b"], vec![]));
    // It is written or deleted by us.
    let mut written = first.clone();
    written.put_last(row("a", "ours", None), at(101));
    let mut deleted = first;
    deleted.remove("a", at(101));
    assert_eq!((missing(&written), missing(&deleted)), (vec![], vec![]));
    let next = list(&["b"], 110).after(Some(deleted), LAG);
    assert_eq!(missing(&next), []);
}

#[test]
fn no_more_than_a_thousand_missing_objects_are_remembered_the_newest_of_them() {
    let names: Vec<String> = (0..1001).map(|number| format!("{number:04}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let next = list(&[], 100).after(Some(list(&all[..1000], 0)), LAG);
    assert_eq!(next.vanished.len(), 1000);
    let next = list(&[], 100).after(Some(list(&all, 0)), LAG);
    let [first, .., last] = next.vanished.as_slice() else {
        panic!("nothing is missing")
    };
    assert_eq!(
        (next.vanished.len(), first.item.id.as_str(), last.item.id.as_str()),
        (1000, "0001", "1000")
    );
}

#[test]
fn a_list_that_lacks_what_is_there_contradicts_itself() {
    let mut known = list(&["a"], 0);
    known.unlisted.insert("b".to_owned());
    let mut once = list(&["a"], 10).after(Some(known), LAG);
    assert_eq!((once.contradictions, once.unlisted.len()), (1, 0));
    once.unlisted.insert("b".to_owned());
    let twice = list(&["a"], 20).after(Some(once), LAG);
    assert_eq!(twice.contradictions, 2);
    assert_eq!(list(&["a"], 30).after(Some(twice), LAG).contradictions, 0);
}

#[test]
fn only_what_was_read_whole_counts_as_a_look() {
    let seconds = |list: &Collection<Component>| list.looks.iter().map(|at| at.as_second()).collect::<Vec<_>>();
    let part = Collection::read(vec![row("a", "listed", None)], at(10), false);
    assert!(part.looks.is_empty());
    assert_eq!(seconds(&part.clone().after(Some(list(&["a"], 0)), LAG)), [0]);
    let whole = list(&["a"], 20).after(Some(list(&["a"], 0)), LAG);
    assert_eq!(seconds(&whole), [0, 20]);
    assert_eq!(
        (
            whole.looks_since(at(0)),
            whole.looks_since(at(1)),
            whole.looks_since(at(21))
        ),
        (2, 1, 0)
    );
    assert_eq!(seconds(&list(&[], 7).after(None, LAG)), [7]);
}

#[test]
fn looks_too_near_to_each_other_count_once() {
    let looks = |seconds: &[i64]| seconds.iter().map(|second| at(*second)).collect::<Vec<_>>();
    for (seconds, from, count) in [
        (&[][..], 0, 0),
        (&[0], 0, 1),
        (&[0], 1, 0),
        (&[0, 4], 0, 1),
        (&[0, 5], 0, 2),
        (&[0, 4, 8], 0, 2),
        (&[0, 4, 8], 1, 1),
        (&[0, 5, 10], 5, 2),
    ] {
        assert_eq!(
            spaced_since(&looks(seconds), at(from)),
            count,
            "{seconds:?} from {from}"
        );
    }
    for (seconds, kept) in [
        (&[0, 4][..], &[0, 4][..]),
        (&[0, 4, 6], &[0, 6]),
        (&[0, 5, 7], &[0, 5, 7]),
        (&[0, 5, 7, 8, 9], &[0, 5, 9]),
        (&[0, 10, 20, 30, 40, 50], &[0, 10, 20, 30, 40, 50]),
        (&[0, 10, 20, 30, 40, 50, 60], &[10, 20, 30, 40, 50, 60]),
    ] {
        assert_eq!(thinned(looks(seconds)), looks(kept), "{seconds:?}");
    }
}

#[test]
fn what_is_new_stands_behind_all_others_or_before_them() {
    let mut rows = list(&["a", "b"], 0);
    assert!(!rows.put_last(row("a", "ours", None), at(1)));
    assert!(rows.put_last(row("c", "ours", None), at(1)));
    rows.put_first(row("b", "ours", None), at(1));
    rows.put_first(row("d", "ours", None), at(2));
    assert_eq!(ids(&rows), ["d", "a", "b", "c"]);
    let ours = rows
        .items
        .iter()
        .filter(|row| row.name.as_deref() == Some("ours"))
        .count();
    assert_eq!(ours, 4);
    assert_eq!(
        ["a", "d", "x"].map(|id| rows.known_better_since(id)),
        [Some(at(1)), Some(at(2)), None]
    );
}

#[test]
fn a_single_reading_that_showed_nothing_says_nothing() {
    let blank = list(&[], 0);
    assert!(blank.is_blank());
    assert!(!list(&["a"], 0).is_blank(), "it shows something");
    assert!(
        !list(&[], 9).after(Some(blank.clone()), LAG).is_blank(),
        "it was read twice"
    );
    assert!(
        !list(&[], 9).after(Some(list(&["a"], 0)), LAG).is_blank(),
        "something is missing"
    );
    let mut written = blank;
    written.remove("a", at(1));
    assert!(!written.is_blank(), "something was there");
}

#[test]
fn incidents_lag_twice_as_long() {
    let lag = Lag::of_lists(Duration::from_secs(7));
    assert_eq!((lag.lists.as_secs(), lag.incidents.as_secs()), (7, 14));
    assert_eq!(Lag::default(), Lag::of_lists(Duration::from_secs(60)));
}
