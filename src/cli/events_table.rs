//! Events as lines for people.

use std::io::Write;

use serde_json::Value;

use super::columns::{cut, harmless, line_width, padded, width};
use crate::audit::AuditEvent;

/// No column but the last takes more than this.
const WIDEST: usize = 40;
/// No column is made narrower than this to fit the terminal.
const NARROWEST: usize = 12;
/// What the last column should have at least, which says what happened.
const ABOUT_AT_LEAST: usize = 32;

/// A column: its head, and what it shows of an event.
struct Column {
    head: &'static str,
    cell: fn(&AuditEvent) -> String,
}

const TIME: Column = Column {
    head: "TIME",
    cell: |event| event.generated.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
};
const TYPE: Column = Column {
    head: "TYPE",
    cell: |event| event.event_type.clone(),
};
const OBJECT: Column = Column {
    head: "OBJECT",
    cell: object,
};
const OUTCOME: Column = Column {
    head: "OUTCOME",
    cell: |event| get(event, "outcome"),
};
const WHO: Column = Column {
    head: "WHO",
    cell: |event| get(event, "who"),
};
const ABOUT: Column = Column {
    head: "ABOUT",
    cell: about,
};
const NARROW: [Column; 6] = [TIME, TYPE, OBJECT, OUTCOME, WHO, ABOUT];
const WIDE: [Column; 12] = [
    TIME,
    TYPE,
    OBJECT,
    OUTCOME,
    WHO,
    Column {
        head: "PAGE",
        cell: |event| get(event, "page"),
    },
    Column {
        head: "REMOTE ID",
        cell: |event| get(event, "remote_id"),
    },
    Column {
        head: "GENERATION",
        cell: |event| get(event, "generation"),
    },
    Column {
        head: "SECONDS",
        cell: |event| {
            let seconds = get(event, "duration").parse::<f64>();
            seconds.map_or(String::new(), |seconds| format!("{seconds:.3}"))
        },
    },
    Column {
        head: "REQUEST",
        cell: |event| get(event, "request_id"),
    },
    Column {
        head: "ID",
        cell: |event| event.message_id.clone(),
    },
    ABOUT,
];

/// A table that may be printed in parts: the columns keep the widths that the first part gave them.
pub(super) struct Table {
    columns: &'static [Column],
    widths: Vec<usize>,
    /// Letters of a line, where it has an end.
    line: Option<usize>,
}

impl Table {
    /// A table for the terminal; elsewhere lines are as long as they are.
    pub(super) fn new(wide: bool) -> Self {
        Table::of(wide, line_width().filter(|_| !wide))
    }

    fn of(wide: bool, line: Option<usize>) -> Self {
        Table {
            columns: if wide { &WIDE } else { &NARROW },
            widths: Vec::new(),
            line,
        }
    }

    /// Prints lines, the first time with a head. Nothing has no head.
    pub(super) fn print(&mut self, out: &mut dyn Write, events: &[AuditEvent]) -> std::io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let row = |event: &AuditEvent| -> Vec<String> {
            self.columns
                .iter()
                .map(|column| harmless(&(column.cell)(event)))
                .collect()
        };
        let mut rows: Vec<Vec<String>> = events.iter().map(row).collect();
        if self.widths.is_empty() {
            rows.insert(0, self.columns.iter().map(|column| column.head.to_owned()).collect());
            self.widths = (0..self.columns.len())
                .map(|at| {
                    let lengths = rows.iter().filter_map(|row| row.get(at).map(|cell| width(cell)));
                    lengths.max().unwrap_or(0).min(WIDEST)
                })
                .collect();
            if let Some(line) = self.line {
                make_room(&mut self.widths, line);
            }
        }
        for row in rows {
            writeln!(out, "{}", self.line(&row))?;
        }
        Ok(())
    }

    fn line(&self, row: &[String]) -> String {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&self.widths).enumerate() {
            if at + 1 == row.len() {
                line.push_str(cell);
            } else {
                // Elsewhere than on a terminal nothing is cut.
                let cell = self.line.map_or_else(|| cell.clone(), |_| cut(cell, *width));
                line.push_str(&padded(&cell, *width));
                line.push_str("  ");
            }
        }
        let line = line.trim_end();
        match self.line {
            Some(columns) => cut(line, columns),
            None => line.to_owned(),
        }
    }
}

/// Takes from the widest columns what the last one needs. Times stay whole.
fn make_room(widths: &mut [usize], line: usize) {
    loop {
        let Some((_, others)) = widths.split_last_mut() else {
            return;
        };
        let taken: usize = others.iter().map(|width| width + 2).sum();
        let widest = others.iter_mut().skip(1).max();
        match widest.filter(|widest| **widest > NARROWEST && taken + ABOUT_AT_LEAST > line) {
            Some(widest) => *widest -= 1,
            None => return,
        }
    }
}

fn get(event: &AuditEvent, name: &str) -> String {
    event.get(name).unwrap_or_default()
}

fn object(event: &AuditEvent) -> String {
    match (get(event, "namespace"), get(event, "name")) {
        (namespace, name) if namespace.is_empty() => name,
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

/// What an event is about, in a line: the condition, the fields that drifted, or what was done and why it failed.
fn about(event: &AuditEvent) -> String {
    let text = |name: &str| event.raw.get(name).and_then(Value::as_str).unwrap_or_default();
    let condition = get(event, "condition");
    if !condition.is_empty() {
        let state = format!("{condition}={} {}", get(event, "status"), get(event, "reason"));
        return joined(&state, text("message"));
    }
    if let Some(drift) = event.raw.get("drift").and_then(Value::as_array) {
        let fields: Vec<String> = drift.iter().map(drifted).collect();
        return fields.join("; ");
    }
    joined(text("summary"), text("error"))
}

fn drifted(drift: &Value) -> String {
    let text = |name: &str| drift.get(name).and_then(Value::as_str).unwrap_or_default();
    format!(
        "{} is {} on the page, declared as {}",
        text("field"),
        text("observed"),
        text("desired")
    )
}

fn joined(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (false, false) => format!("{one}: {other}"),
        _ => format!("{one}{other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::TraitValue;

    fn event(event_type: &str) -> AuditEvent {
        AuditEvent::new(event_type, "2024-03-01T10:00:05.25Z".parse().unwrap())
            .tenant("team")
            .text("name", "web")
    }

    fn printed(table: &mut Table, events: &[AuditEvent]) -> Vec<String> {
        let mut out = Vec::new();
        table.print(&mut out, events).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_says_what_it_is_about() {
        let update = event("component.update")
            .text("outcome", "failed")
            .text("who", "argocd")
            .raw(json!({"summary": "update component \"Web\"", "error": "422:\u{1b}[31m no"}));
        let condition = event("component.condition")
            .text("condition", "Ready")
            .text("status", "False")
            .text("reason", "Rejected")
            .raw(json!({"message": "no such group"}));
        let drift = event("component.drift").raw(json!({"drift": [
            {"field": "description", "desired": "\"a\"", "observed": "\"b\""},
            {"field": "name", "desired": "\"c\"", "observed": "\"d\""},
        ]}));
        let mut table = Table::of(false, None);
        assert_eq!(
            printed(&mut table, &[update.clone(), condition, drift]),
            [
                "TIME                  TYPE                 OBJECT    OUTCOME  WHO     ABOUT",
                "2024-03-01T10:00:05Z  component.update     team/web  failed   argocd  update component \"Web\": 422: [31m no",
                "2024-03-01T10:00:05Z  component.condition  team/web                   Ready=False Rejected: no such group",
                "2024-03-01T10:00:05Z  component.drift      team/web                   description is \"b\" on the page, \
                 declared as \"a\"; name is \"d\" on the page, declared as \"c\"",
            ]
        );
        // One head, and the same columns for what follows.
        assert_eq!(printed(&mut table, std::slice::from_ref(&update)).len(), 1);
        assert!(printed(&mut Table::of(false, None), &[]).is_empty());
        let cut = printed(&mut Table::of(false, Some(70)), std::slice::from_ref(&update));
        assert!(cut[1].ends_with('…') && cut[1].chars().count() <= 70, "{cut:?}");
        let long = event("component_group.condition")
            .tenant("a-namespace-of-a-team")
            .text("who", "kubectl-client-side-apply")
            .raw(json!({"summary": "what was done, in words"}));
        let lines = printed(&mut Table::of(false, Some(100)), std::slice::from_ref(&long));
        assert_eq!(
            lines[1],
            "2024-03-01T10:00:05Z  component_g…  a-namespace…           kubectl-cli…  what was done, in words"
        );
        let wide = update
            .with("duration", TraitValue::Float(0.12345))
            .with("generation", TraitValue::Integer(3))
            .text("page", "team/acme")
            .text("request_id", "req-1");
        let lines = printed(&mut Table::of(true, None), std::slice::from_ref(&wide));
        for word in ["team/acme", "0.123", "req-1", wide.message_id.as_str(), "argocd"] {
            assert!(lines[1].contains(word), "{word}: {lines:?}");
        }
    }
}
