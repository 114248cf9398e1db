use serde_json::{Value, json};

use super::*;
use crate::statuspage::Summary;

fn page(document: Value) -> PageStatus {
    PageStatus::of(&serde_json::from_value::<Summary>(document).unwrap())
}

fn printed(page: &PageStatus, symbols: bool, width: Option<usize>) -> String {
    let mut out = Vec::new();
    text(std::slice::from_ref(page), Look { symbols, width }, &mut out).unwrap();
    let plain = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
    assert!(!symbols || plain.len() < out.len(), "with colours");
    plain
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn outage() -> PageStatus {
    page(json!({
        "page": {"id": "p", "name": "Acme", "url": "https://status.example.com", "time_zone": "Etc/UTC"},
        "status": {"indicator": "minor", "description": "Partially Degraded Service"},
        "components": [
            {"id": "3", "name": "Docs", "status": "operational", "position": 2, "group": false},
            {"id": "g", "name": "Core", "status": "major_outage", "position": 1, "group": true, "components": ["1", "2"]},
            {"id": "2", "name": "Search", "status": "operational", "position": 2, "group_id": "g"},
            {"id": "1", "name": "API", "status": "degraded_performance", "position": 1, "group_id": "g"},
            {"id": "4", "name": "Legacy", "status": "operational", "position": 3, "only_show_if_degraded": true},
        ],
        "incidents": [{
            "id": "i", "name": "Slow API", "status": "identified", "impact": "minor", "shortlink": "https://stspg.io/x",
            "components": [{"id": "1", "name": "API"}],
            "incident_updates": [
                {"id": "u2", "status": "identified", "body": "A search index is being rebuilt.",
                 "display_at": "2026-03-01T13:30:00.000+01:00"},
                {"id": "u1", "status": "investigating", "body": "We look.", "display_at": "2026-03-01T12:00:00Z"},
            ],
        }],
        "scheduled_maintenances": [
            {"id": "m2", "name": "Upgrade", "status": "scheduled", "impact": "maintenance",
             "scheduled_for": "2026-03-05T23:00:00Z", "scheduled_until": "2026-03-06T01:00:00Z"},
            {"id": "m1", "name": "Switch", "status": "in_progress", "impact": "maintenance",
             "scheduled_for": "2026-03-01T12:00:00Z", "scheduled_until": "2026-03-01T14:00:00Z"},
        ],
    }))
}

#[test]
fn a_page_is_shown_in_the_order_of_its_visitors() {
    let shown = printed(&outage(), false, None);
    assert_eq!(
        lines(&shown),
        [
            "Acme  https://status.example.com",
            "Partially Degraded Service",
            "",
            "Open incidents",
            "  Slow API",
            "    Identified · Mar 01, 2026 - 12:30 UTC",
            "    Affects API",
            "    A search index is being rebuilt.",
            "",
            "Maintenance under way",
            "  Switch",
            "    Mar 01, 2026 - 12:00 to 14:00 UTC",
            "    In progress",
            "",
            "Core",
            "  API     Degraded Performance",
            "  Search  Operational",
            "",
            "Docs      Operational",
            "",
            "1 component is shown only while it is degraded.",
            "",
            "Scheduled maintenance",
            "  Upgrade",
            "    Mar 05, 2026 - 23:00 UTC to Mar 06, 2026 - 01:00 UTC",
            "    Scheduled",
        ]
    );
    let shown = printed(&outage(), true, Some(80));
    for line in [
        "▲ Partially Degraded Service",
        "  ▲ Slow API",
        "  ▲ API     Degraded Performance",
        "● Docs      Operational",
    ] {
        assert!(lines(&shown).contains(&line), "{line}: {shown}");
    }
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let long = page(json!({
        "page": {"name": "The status of everything that we run, 全部の状態", "url": "https://status.example.com"},
        "status": {"indicator": "critical", "description": "Major System Outage"},
        "components": [
            {"id": "g", "name": "A group with a name that nobody has ever read to its end", "group": true},
            {"id": "1", "name": "データベースとそのすべてのレプリカ", "status": "major_outage", "group_id": "g"},
            {"id": "2", "name": "Zürich 🚆", "status": "under_maintenance", "group_id": "g"},
            {"id": "3", "name": "A component with a name that is as long as it can be", "status": "partial_outage"},
        ],
        "incidents": [{
            "id": "i", "name": "An incident whose name says all that there is to say", "status": "investigating",
            "impact": "critical",
            "incident_updates": [{"status": "investigating", "display_at": "2026-03-01T12:00:00Z",
                                  "body": "第一報です。\n\nWe know and work on it: https://status.example.com/incidents/0123456789abcdef"}],
        }],
    }));
    for columns in [40, 60, 80, 200] {
        for symbols in [true, false] {
            let shown = printed(&long, symbols, Some(columns));
            for line in shown.lines() {
                assert!(width(line) <= columns, "{columns}: {line:?} takes {}", width(line));
            }
            let rows = shown
                .lines()
                .filter(|line| line.ends_with(" Major Outage") || line.ends_with(" Partial Outage"));
            let states: Vec<usize> = rows
                .map(|line| {
                    let at = line
                        .find("Major Outage")
                        .or_else(|| line.find("Partial Outage"))
                        .unwrap();
                    width(&line[..at])
                })
                .collect();
            assert_eq!(states.len(), 2, "{shown}");
            assert_eq!(states[0], states[1], "states stand below each other: {shown}");
        }
    }
    // Where lines have no end, nothing is cut.
    assert!(printed(&long, false, None).contains("as long as it can be  Partial Outage"));
}

#[test]
fn what_a_page_says_cannot_steer_the_terminal() {
    let evil = page(json!({
        "page": {"name": "A\u{1b}]0;title\u{7}cme", "url": "https://x\u{1b}[2J"},
        "status": {"indicator": "none", "description": "\u{9b}31mfine"},
        "components": [{"id": "1", "name": "a\nb", "status": "on\u{1b}[1mfire"}],
        "incidents": [{"id": "i", "name": "\u{1b}c", "status": "\u{1b}c", "impact": "\u{1b}c",
                       "components": [{"name": "\u{1b}c"}],
                       "incident_updates": [{"body": "x\u{1b}[2Jy\rz"}]}],
    }));
    let mut out = Vec::new();
    text(
        &[evil],
        Look {
            symbols: false,
            width: None,
        },
        &mut out,
    )
    .unwrap();
    let shown = String::from_utf8(out).unwrap();
    // Ours begin and end a style, and nothing else.
    let styles = shown
        .replace("\u{1b}[1m", "")
        .replace("\u{1b}[2m", "")
        .replace("\u{1b}[0m", "");
    let styles = styles.replace("\u{1b}[32m", "");
    let odd: Vec<char> = styles
        .chars()
        .filter(|letter| letter.is_control() && *letter != '\n')
        .collect();
    assert_eq!(odd, Vec::<char>::new(), "{styles:?}");
}

#[test]
fn a_quiet_page_is_fine_and_says_that_there_is_no_incident() {
    let quiet = page(json!({
        "page": {"name": "Acme"},
        "status": {"indicator": "none", "description": "All Systems Operational"},
        "components": [{"id": "1", "name": "API", "status": "operational"}],
        "scheduled_maintenances": [{"id": "m", "name": "Upgrade", "status": "scheduled",
                                    "scheduled_for": "2026-03-05T23:00:00Z"}],
    }));
    assert!(quiet.is_fine());
    let shown = printed(&quiet, false, None);
    assert!(
        shown.starts_with("Acme\nAll Systems Operational\n\nAPI  Operational\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with("    from Mar 05, 2026 - 23:00 UTC\n    Scheduled\n\nNo open incident.\n"),
        "{shown}"
    );
    assert!(!outage().is_fine());
}

#[test]
fn an_odd_document_is_shown_as_far_as_it_goes() {
    for document in [
        json!({}),
        json!({"components": null, "incidents": [{}], "scheduled_maintenances": [{"incident_updates": [{}]}]}),
        json!({"components": [{"id": "1", "group_id": "gone"}, {"id": "g", "group": true}]}),
    ] {
        for width in [None, Some(0), Some(1), Some(10)] {
            printed(&page(document.clone()), false, width);
        }
    }
}
