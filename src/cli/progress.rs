//! What a directory at work prints: a line for each thing that happens, and where each page stands in the end.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::output::counted;
use super::page_result::PageResult;
use super::screen::printing;
use super::tally::Counts;
use crate::api::Reason;
use crate::driver::{Event, EventKind};
use crate::engine::{Finding, ObjectKey, State};
use crate::manifest::{Manifests, Problem};
use crate::store::directory::DirectoryStore;

/// The line about one event.
pub(super) fn event_line(key: &ObjectKey, event: &Event) -> String {
    let (mark, style) = match (event.kind, event.reason.as_str()) {
        (EventKind::Warning, _) => ("!", AnsiColor::Yellow.on_default()),
        (_, "Created" | "Published") => ("+", AnsiColor::Green.on_default()),
        (_, "Deleted") => ("-", AnsiColor::Red.on_default()),
        (_, "Updated") => ("~", AnsiColor::Cyan.on_default()),
        _ => ("·", Style::new()),
    };
    match event.kind {
        EventKind::Warning => format!("{style}{mark}{style:#} {key}: {}: {}", event.reason, event.note),
        EventKind::Normal => format!("{style}{mark}{style:#} {key}: {}", event.note),
    }
}

/// So many objects of which the same is said are named.
const NAMED: usize = 5;

/// The findings that a person has to know of: the page's own first, what is the same of several objects once, and those
/// that only wait for the page as one line.
pub(super) fn finding_lines<'a>(page: &ObjectKey, findings: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let (mut own, mut others, mut waiting) = (Vec::new(), Vec::new(), 0_usize);
    for finding in findings {
        if finding.key == *page {
            own.push(finding);
        } else if finding.reason == Reason::PageNotReady {
            waiting += 1;
        } else {
            others.push(finding);
        }
    }
    let line = |findings: &[&Finding]| {
        let names = names(findings.iter().map(|finding| finding.key.to_string()));
        let said = findings
            .first()
            .map(|finding| format!("{}: {}", finding.reason, finding.message));
        warning_line(&format!("{names}: {}", said.unwrap_or_default()))
    };
    let same = |one: &&Finding, other: &&Finding| one.reason == other.reason && one.message == other.message;
    let mut own: Vec<String> = alike(own, same).iter().map(|findings| line(findings)).collect();
    let mut others: Vec<String> = alike(others, same).iter().map(|findings| line(findings)).collect();
    if waiting > 0 {
        let what = if waiting == 1 {
            "1 declaration waits".to_owned()
        } else {
            format!("{waiting} declarations wait")
        };
        others.push(warning_line(&format!("{what} for {page}")));
    }
    own.extend(others);
    own
}

/// Puts together what is alike, in the order of the first of each.
pub(super) fn alike<T>(all: impl IntoIterator<Item = T>, same: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| same(first, &one)))
        {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// The names of objects of which the same is said: a few of many, with their number.
pub(super) fn names(all: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = all.into_iter().collect();
    match all.get(NAMED..) {
        None | Some([]) => all.join(", "),
        Some(more) => format!(
            "{} objects ({} and {} more)",
            all.len(),
            all[..NAMED].join(", "),
            more.len()
        ),
    }
}

/// Why a page waits, and how long. What the line before has said is not repeated.
pub(super) fn waiting_line(result: &PageResult, pause: Duration, told: &mut String) -> String {
    let seconds = pause.as_secs_f64().ceil();
    // The page's own trouble stops everything; else the first object that time can help.
    let cause = result
        .open()
        .filter(|finding| matches!(finding.state, State::Progressing | State::Unknown))
        .max_by_key(|finding| finding.key == result.key);
    let next = match cause {
        _ if result.unrecorded.is_some() => format!("retrying in {seconds} s"),
        Some(finding) if finding.reason == Reason::Unreachable => format!("retrying in {seconds} s"),
        _ => format!("checking again in {seconds} s"),
    };
    let cause = match cause {
        _ if let Some(why) = &result.unrecorded => format!("nothing can be recorded, so nothing more is sent: {why}"),
        Some(finding) => format!("{}: {}", finding.key, finding.message),
        None => result.key.to_string(),
    };
    let line = match *told == cause {
        true => format!("· {}: {next}", result.key),
        false => format!("· {cause}; {next}"),
    };
    *told = cause;
    line
}

/// One line about how a page stands after what was done: `counts` and `requests`.
pub(super) fn summary(result: &PageResult, counts: Counts, requests: u64, public: bool) -> String {
    let total = result.findings.len();
    let settled = |finding: &&Finding| finding.state == State::InSync;
    let ready = result.findings.iter().filter(settled).count();
    let address = result
        .address
        .as_deref()
        .filter(|_| public)
        .map(|address| format!(" ({address})"))
        .unwrap_or_default();
    let open = result.open().next().is_some();
    let (style, done) = match counts.words() {
        Some(words) => (AnsiColor::Green.on_default(), words),
        None if open || result.stopped => (Style::new(), "nothing was changed".to_owned()),
        None => (AnsiColor::Green.on_default(), "nothing to do".to_owned()),
    };
    let style = if open || result.stopped {
        AnsiColor::Yellow.on_default()
    } else {
        style
    };
    let requests = counted(requests, "request");
    format!(
        "{style}{}{style:#}{address}: {done}; {ready} of {total} as declared; {requests}",
        result.key
    )
}

/// What is said about recorded objects whose page is no longer declared.
pub(super) fn stranded_lines(stranded: &BTreeMap<String, usize>) -> Vec<String> {
    stranded
        .iter()
        .map(|(page, count)| {
            let objects = match count {
                1 => "1 recorded object stays as it is".to_owned(),
                more => format!("{more} recorded objects stay as they are"),
            };
            warning_line(&format!(
                "StatusPage {page} is no longer declared: its {objects}, nothing is deleted; declare the page again to resume"
            ))
        })
        .collect()
}

/// What is said when nothing is on record of objects that are on the page already, and how many there are. Nothing when
/// that is not so.
pub(super) fn unrecorded(store: &DirectoryStore, already_there: usize) -> Option<String> {
    if already_there == 0 || !store.was_blank() {
        return None;
    }
    let path = store.lock_path().display();
    let objects = match already_there {
        1 => "1 declared object is on the page already".to_owned(),
        more => format!("{more} declared objects are on the page already"),
    };
    Some(format!(
        "{path} has no object on record, and {objects}: nothing is created twice, and what is there is left alone. If the lock \
         file was lost, restore it (git log -- {path}). If it is gone for good, or there never was one, adopt what is \
         there: adoptionPolicy: ByName in spec.defaults of the StatusPage, or `statuspage adopt` for one object"
    ))
}

/// A line of what somebody should look at.
pub(super) fn warning_line(text: &str) -> String {
    let style = AnsiColor::Yellow.on_default();
    format!("{style}!{style:#} {text}")
}

/// What manifests with errors mean for the others.
pub(super) fn left_out(errors: usize) -> String {
    let errors = counted(errors as u64, "error");
    format!("{errors} in the manifests: those are left out, and nothing is deleted until they are fixed.")
}

/// Prints the problems of manifests on standard error. What is said in the same words about several places is explained
/// once.
pub(super) fn print_problems(manifests: &Manifests) {
    let _printing = printing();
    let mut to = anstream::AutoStream::auto(std::io::stderr()).lock();
    let mut told: Vec<&str> = Vec::new();
    for problem in &manifests.problems {
        if told.contains(&problem.message.as_str()) {
            continue;
        }
        told.push(&problem.message);
        // Always with colours: the stream takes them out where they are not wanted.
        let _ = writeln!(to, "{}", problem.render(manifests.text(&problem.file), true));
        let again: Vec<&Problem> = manifests
            .problems
            .iter()
            .filter(|other| other.message == problem.message)
            .skip(1)
            .collect();
        for place in again.iter().take(PLACES) {
            let _ = writeln!(
                to,
                "   also at {}:{}:{}",
                place.file.display(),
                place.line,
                place.column
            );
        }
        if again.len() > PLACES {
            let _ = writeln!(to, "   and at {} other places", again.len() - PLACES);
        }
        let _ = writeln!(to);
    }
}

/// So many further places of one problem are listed.
const PLACES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    fn finding(kind: Kind, name: &str, reason: Reason, message: &str) -> Finding {
        Finding {
            key: ObjectKey::new(kind, "default", name),
            state: State::Stalled,
            reason,
            message: message.to_owned(),
        }
    }

    #[test]
    fn what_is_said_of_many_objects_is_said_once() {
        let page = ObjectKey::new(Kind::StatusPage, "default", "acme");
        let mut findings = vec![finding(Kind::Component, "odd", Reason::Rejected, "no")];
        for number in 0..50 {
            findings.push(finding(
                Kind::Component,
                &format!("c{number}"),
                Reason::DeletionCapped,
                "not deleted",
            ));
        }
        findings.push(finding(
            Kind::StatusPage,
            "acme",
            Reason::DeletionCapped,
            "50 deletions are pending",
        ));
        let lines: Vec<String> = finding_lines(&page, findings.iter())
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(
            lines,
            [
                "! StatusPage default/acme: DeletionCapped: 50 deletions are pending",
                "! Component default/odd: Rejected: no",
                "! 50 objects (Component default/c0, Component default/c1, Component default/c2, Component default/c3, \
                 Component default/c4 and 45 more): DeletionCapped: not deleted",
            ]
        );
        assert_eq!(names(["a".to_owned(), "b".to_owned()]), "a, b");
    }

    #[test]
    fn a_wait_is_explained_once() {
        let mut told = String::new();
        let mut away = finding(Kind::StatusPage, "acme", Reason::Unreachable, "list pages: no reply");
        away.state = State::Progressing;
        let result = PageResult {
            key: away.key.clone(),
            address: None,
            findings: vec![away],
            totals: Default::default(),
            stopped: false,
            unrecorded: None,
            view: None,
            statuses: Vec::new(),
        };
        let mut line = |seconds| waiting_line(&result, Duration::from_millis(seconds), &mut told);
        assert_eq!(
            line(2500),
            "· StatusPage default/acme: list pages: no reply; retrying in 3 s"
        );
        assert_eq!(line(5000), "· StatusPage default/acme: retrying in 5 s");
    }
}
