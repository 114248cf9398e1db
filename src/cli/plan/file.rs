//! The file of `plan --out`: what was reviewed, for `apply FILE` to do exactly that or nothing.
//!
//! Invariant: it holds no secret, and nothing by which a guess at one could be tested: what is compared is keyed with what
//! follows from the API token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::render::{details, headline};
use super::report::PageReport;
use crate::cli::Failure;
use crate::driver::View;
use crate::driver::preview::Preview;
use crate::engine::{Declaration, Step};
use crate::statuspage::Snapshot;

/// Grows when the meaning of a field changes.
const VERSION: u32 = 2;
/// No plan is larger; a larger file is something else.
const LARGEST: u64 = 256 << 20;

/// What was reviewed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct PlanFile {
    statuspage_plan: u32,
    /// The program that made it: another one may send something else for the same manifests.
    made_by: String,
    /// The manifests, as they were named.
    pub(in crate::cli) directory: PathBuf,
    /// What alone it is about.
    pub(in crate::cli) only: Vec<String>,
    pages: Vec<PlannedPage>,
}

/// One page of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct PlannedPage {
    page: String,
    page_id: Option<String>,
    address: Option<String>,
    /// Digest of what is declared and recorded.
    manifests: String,
    /// Digest of what the page showed.
    shown: String,
    steps: Vec<PlannedStep>,
    /// What the digests are made with, where they were made here.
    #[serde(skip)]
    digester: Digester,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedStep {
    action: String,
    kind: String,
    namespace: String,
    name: String,
    /// What was shown of it.
    says: Vec<String>,
    /// Digest of that: whoever reviewed the file read what the program wrote into it.
    said: String,
    /// Digest of the request.
    request: String,
}

impl PlannedStep {
    /// True when the same is done, whatever is said of it.
    fn is(&self, other: &PlannedStep) -> bool {
        self.request == other.request && self.is_of(other)
    }

    fn is_of(&self, other: &PlannedStep) -> bool {
        let key = |step: &PlannedStep| {
            let parts = (step.action.clone(), step.kind.clone());
            (parts, step.namespace.clone(), step.name.clone())
        };
        key(self) == key(other)
    }

    fn line(&self) -> String {
        let headline = || format!("{} {}/{}", self.kind, self.namespace, self.name);
        self.says.first().cloned().unwrap_or_else(headline)
    }
}

/// Makes digests that say nothing to who does not have the token, and that nobody else can make.
#[derive(Clone, Default)]
struct Digester(Option<[u8; 32]>);

impl std::fmt::Debug for Digester {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Digester")
    }
}

impl Digester {
    fn digest<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        let key = self.0.unwrap_or_default();
        let mut mac = match Hmac::<Sha256>::new_from_slice(&key) {
            Ok(mac) => mac,
            // A key of any length is one.
            Err(_) => Hmac::<Sha256>::new(&Default::default()),
        };
        for part in parts {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a file holds of a page.
pub(super) fn planned_page(view: &View, shown: &Preview, snapshot: &Snapshot, report: &PageReport) -> PlannedPage {
    let access = view.access.as_ref().ok();
    let digester = Digester(access.map(|access| access.token.derived_key("plan files")));
    let steps = shown.steps.iter().zip(&report.steps);
    let planned = |step: &Step, told: &_| {
        let says: Vec<String> = std::iter::once(headline(told)).chain(details(told)).collect();
        PlannedStep {
            action: told.action.to_owned(),
            kind: told.kind.to_owned(),
            namespace: told.namespace.clone(),
            name: told.name.clone(),
            said: digester.digest(says.iter().map(String::as_str)),
            says,
            request: digester.digest(content(view, step).iter().map(String::as_str)),
        }
    };
    PlannedPage {
        page: report.page.clone(),
        page_id: report.page_id.clone(),
        address: access.map(|access| access.base_url.to_string()),
        manifests: digester.digest(declared(view).iter().map(String::as_str)),
        shown: digester.digest(remote(snapshot).iter().map(String::as_str)),
        steps: steps.map(|(step, told)| planned(step, told)).collect(),
        digester,
    }
}

/// What is sent, word for word, secrets included, and what it takes the place of: a text that somebody has written since was not
/// reviewed. What a new declaration is called by this process alone is not part of it.
fn content(view: &View, step: &Step) -> Vec<String> {
    let mut parts = vec![format!("{:?}", step.action.request())];
    let replaced = step
        .changes
        .iter()
        .map(|change| format!("{} {:?}", change.field, change.from));
    parts.extend(replaced);
    if let Some(declaration) = view.get(&step.key) {
        if let Some(text) = parts.first_mut() {
            *text = text.replace(&declaration.uid, "(uid)");
        }
        parts.extend(secrets(declaration));
    }
    parts
}

fn secrets(declaration: &Declaration) -> impl Iterator<Item = String> + '_ {
    declaration.secrets.iter().map(|(field, value)| match value {
        Ok(secret) => format!("{field}={}", secret.expose()),
        Err(why) => format!("{field}: {why}"),
    })
}

fn declared(view: &View) -> Vec<String> {
    let mut parts: Vec<String> = view
        .declarations
        .iter()
        .chain([&view.page])
        .flat_map(|one| {
            let id = one.recorded_id();
            let told = format!(
                "{} {:?} {id:?} {} {:?}",
                one.key, one.id_annotation, one.deleting, one.spec
            );
            std::iter::once(told).chain(secrets(one))
        })
        .collect();
    parts.sort_unstable();
    parts
}

/// What the page shows of what can be declared, without when it was changed.
fn remote(snapshot: &Snapshot) -> Vec<String> {
    fn rows<T: Serialize>(kind: &str, items: impl Iterator<Item = T>) -> Vec<String> {
        let rows = items.filter_map(|item| serde_json::to_value(item).ok());
        rows.map(|mut row| {
            if let Value::Object(fields) = &mut row {
                fields.remove("updated_at");
            }
            format!("{kind} {row}")
        })
        .collect()
    }
    let mut parts = rows("page", snapshot.page.iter());
    parts.extend(rows(
        "component",
        snapshot.components.iter().flat_map(|list| &list.items),
    ));
    parts.extend(rows("incident", snapshot.incidents.iter().flat_map(|list| &list.items)));
    parts.extend(rows("metric", snapshot.metrics.iter().flat_map(|list| &list.items)));
    parts.extend(rows(
        "template",
        snapshot.incident_templates.iter().flat_map(|list| &list.items),
    ));
    parts.sort_unstable();
    parts
}

impl PlanFile {
    /// What was reviewed, as a file.
    pub(super) fn new(directory: &Path, only: &[String], pages: Vec<PlannedPage>) -> Self {
        PlanFile {
            statuspage_plan: VERSION,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            directory: directory.to_owned(),
            only: only.to_vec(),
            pages,
        }
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::Serialize {
            what: "the plan",
            message: error.to_string(),
        })?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let failed = |source| Failure::Write {
            path: path.to_owned(),
            source,
        };
        std::fs::write(&beside, text + "\n").map_err(failed)?;
        std::fs::rename(&beside, path).map_err(|source| {
            // Nothing is left of what nobody can use.
            let _ = std::fs::remove_file(&beside);
            failed(source)
        })
    }

    /// Reads a file, if it is one of these: anything else is manifests.
    pub(in crate::cli) fn read(path: &Path) -> Result<Option<PlanFile>, Failure> {
        let is_candidate = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
        let Some(text) = is_candidate.then(|| std::fs::read_to_string(path).ok()).flatten() else {
            return Ok(None);
        };
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            return Ok(None);
        };
        let Some(version) = value.get("statuspage_plan") else {
            return Ok(None);
        };
        let refused = |why: String| Failure::PlanFile {
            path: path.to_owned(),
            why,
        };
        if *version != VERSION {
            return Err(refused(format!(
                "it has version {version} and this program reads {VERSION}: plan again"
            )));
        }
        let file: PlanFile =
            serde_json::from_value(value).map_err(|error| refused(format!("it cannot be read: {error}")))?;
        if file.made_by != env!("CARGO_PKG_VERSION") {
            let why = format!(
                "version {} of this program made it, and this one may send something else: plan again",
                file.made_by
            );
            return Err(refused(why));
        }
        Ok(Some(file))
    }

    /// In what a plan of now is another one; nothing when it is the same.
    pub(in crate::cli) fn differences(&self, now: &[PlannedPage]) -> Vec<String> {
        differences(&self.pages, now)
    }
}

/// In what two plans differ, in lines; nothing when both send the same.
pub(in crate::cli) fn differences(then: &[PlannedPage], now: &[PlannedPage]) -> Vec<String> {
    let by_name = |pages: &[PlannedPage]| -> BTreeMap<String, PlannedPage> {
        pages.iter().map(|page| (page.page.clone(), page.clone())).collect()
    };
    let (then, now) = (by_name(then), by_name(now));
    let mut lines = Vec::new();
    for (name, before) in &then {
        match now.get(name) {
            Some(after) => lines.extend(page_differences(before, after)),
            None => lines.push(format!("StatusPage {name} is no longer part of it")),
        }
    }
    let new = now.keys().filter(|name| !then.contains_key(*name));
    lines.extend(new.map(|name| format!("StatusPage {name} was not part of it")));
    lines
}

fn page_differences(before: &PlannedPage, after: &PlannedPage) -> Vec<String> {
    let mut lines = Vec::new();
    if (&before.address, &before.page_id) != (&after.address, &after.page_id) {
        let place = |page: &PlannedPage| {
            let unknown = || "unknown".to_owned();
            let id = page.page_id.clone().unwrap_or_else(unknown);
            format!("page {id} at {}", page.address.clone().unwrap_or_else(unknown))
        };
        lines.push(format!(
            "it was made for {}, and this is {}",
            place(before),
            place(after)
        ));
    }
    let is_edited = |step: &&PlannedStep| after.digester.digest(step.says.iter().map(String::as_str)) != step.said;
    let edited: Vec<String> = before
        .steps
        .iter()
        .filter(is_edited)
        .map(|step| {
            format!(
                "{}: this is not what was planned, somebody has edited the file",
                step.line()
            )
        })
        .collect();
    if !edited.is_empty() {
        lines.extend(edited);
        return lines;
    }
    let same = before.steps.len() == after.steps.len()
        && before.steps.iter().zip(&after.steps).all(|(one, other)| one.is(other));
    if same {
        return lines;
    }
    match (before.manifests != after.manifests, before.shown != after.shown) {
        (true, true) => lines.push("the manifests (or the lock file) and the page have changed since".to_owned()),
        (true, false) => lines.push("the manifests, the lock file or a Secret have changed since".to_owned()),
        (false, true) => lines.push("the page has changed since".to_owned()),
        (false, false) => lines.push("details of the page (beyond its lists) have changed since".to_owned()),
    }
    let count = lines.len();
    let unmatched = |these: &[PlannedStep], others: &[PlannedStep]| -> Vec<PlannedStep> {
        let lacks = |step: &&PlannedStep| !others.iter().any(|other| other.is(step));
        these.iter().filter(lacks).cloned().collect()
    };
    let (gone, new) = (
        unmatched(&before.steps, &after.steps),
        unmatched(&after.steps, &before.steps),
    );
    for step in &gone {
        match new.iter().any(|other| other.is_of(step)) {
            true => lines.push(format!("~ {}: would send something else now", step.line())),
            false => lines.push(format!("- {}: would not be done now", step.line())),
        }
    }
    for step in new.iter().filter(|step| !gone.iter().any(|other| other.is_of(step))) {
        lines.push(format!("+ {}: was not reviewed", step.line()));
    }
    if lines.len() == count {
        lines.push("the same in another order, or another number of times".to_owned());
    }
    lines
}
