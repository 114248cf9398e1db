//! Reads YAML manifests with positions and says everything that is wrong with them, offline.
//!
//! [`read_directory`] is the front door; [`Manifests::from_texts`] does the same for texts at hand and touches no file.
//! What passes here passes an apiserver: fields are compared with the schema of the CustomResourceDefinition and with
//! its rules. On top of that come the checks that need all manifests together: duplicates and references.
//!
//! Invariants:
//! - a broken document never hides the others, and all problems of a document are reported at once;
//! - no clock: what depends on the time is in [`Manifests::check_times`], which is given it;
//! - the text of a document that may hold a Secret is never shown.

mod calendar;
mod directory;
mod document;
mod edit;
mod editor_schema;
mod export;
mod incidents;
mod object;
mod place;
mod problem;
mod reader;
mod references;
mod schema;
mod suggestion;
mod syntax;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

pub use directory::{LOCK_FILE, ReadError, read_directory};
pub use document::Positions;
pub use edit::{Edit, EditError, edit, spec_field};
pub use editor_schema::{SCHEMA_FILE, editor_schema, modeline};
pub use export::{AlreadyDeclared, Export, ExportOptions, export, slug};
pub use place::Place;
pub use problem::{Problem, Severity, Source};
pub use reader::page_id_in;
pub use suggestion::nearest;
pub use write::to_yaml;

pub use crate::api::Object;
use crate::api::{Kind, PublishedUpdate, parse_duration};

/// One declaration as it is written in a file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Where it begins.
    pub source: Source,
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, `default` when the manifest has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The declaration.
    pub object: Object,
    /// Where its fields are written, by JSON pointer (`/spec/pageRef/name`).
    pub positions: Positions,
    /// True when its document may hold secret values too.
    confidential: bool,
}

impl Manifest {
    /// Namespace and name of the StatusPage that it names.
    pub(crate) fn page(&self) -> Option<(&str, &str)> {
        let page = &self.object.common()?.page_ref;
        Some((page.namespace.as_deref().unwrap_or(&self.namespace), &page.name))
    }

    /// Place of the value of the field at a JSON pointer, or of the nearest field around it.
    pub fn position(&self, pointer: &str) -> Source {
        let place = self.positions.value(pointer);
        Source {
            file: self.source.file.clone(),
            line: place.line,
            column: place.column,
        }
    }

    /// An error about the field at a JSON pointer.
    pub fn error_at(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Error, self.positions.value(pointer), message)
    }

    /// A warning about the field at a JSON pointer.
    pub fn warning_at(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Warning, self.positions.value(pointer), message)
    }

    /// What an apiserver refuses when `old` is replaced by this manifest: changes that the rules forbid.
    pub fn check_change(&self, old: &Manifest) -> Vec<Problem> {
        let (Ok(new), Ok(old)) = (serde_json::to_value(&self.object), serde_json::to_value(&old.object)) else {
            return Vec::new();
        };
        reader::schema_of(self.kind)
            .check_rules(&new, Some(&old))
            .into_iter()
            .map(|finding| {
                let place = reader::place_of(&self.positions, &finding);
                self.problem(Severity::Error, place, finding.message)
            })
            .collect()
    }

    fn problem(&self, severity: Severity, place: Place, message: impl Into<String>) -> Problem {
        let source = Source {
            file: self.source.file.clone(),
            line: place.line,
            column: place.column,
        };
        let problem = match severity {
            Severity::Error => Problem::error(source, place.length, message),
            Severity::Warning => Problem::warning(source, place.length, message),
        };
        Problem {
            confidential: self.confidential,
            ..problem
        }
    }
}

/// An object that is none of ours, such as a Secret or a Deployment. It is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Where it begins.
    pub source: Source,
    /// Its apiVersion.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name, when it has one.
    pub name: Option<String>,
}

/// Something that a file declares, readable or not: enough to look for duplicates and references.
#[derive(Clone, Debug)]
struct Declared {
    kind: Kind,
    namespace: String,
    name: String,
    place: Place,
    source: Source,
    confidential: bool,
}

/// All manifests of a directory.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The declarations that can be read, in the order of the files.
    pub manifests: Vec<Manifest>,
    /// Objects of other API groups.
    pub other: Vec<Other>,
    /// What is wrong, in the order of the files.
    pub problems: Vec<Problem>,
    texts: BTreeMap<PathBuf, String>,
    declared: Vec<Declared>,
}

impl Manifests {
    /// Reads texts that are already at hand. The paths are used in problems only.
    pub fn from_texts(texts: impl IntoIterator<Item = (PathBuf, String)>) -> Manifests {
        let mut manifests = Manifests::default();
        for (file, text) in texts {
            reader::read_file(&file, &text, &mut manifests);
            manifests.texts.insert(file, text);
        }
        references::check(&mut manifests);
        manifests.sort_problems();
        manifests
    }

    /// Adds the problems that depend on the time: data that Statuspage no longer takes.
    pub fn check_times(&mut self, now: Timestamp) {
        for manifest in &self.manifests {
            self.problems.extend(old_data(manifest, now));
        }
        self.sort_problems();
    }

    /// Adds the updates of incidents that cannot be those which are on record as published, by namespace and name.
    pub fn check_published(&mut self, published: &BTreeMap<(String, String), Vec<PublishedUpdate>>) {
        for manifest in &self.manifests {
            let known = published.get(&(manifest.namespace.clone(), manifest.name.clone()));
            self.problems
                .extend(known.and_then(|known| incidents::misplaced(manifest, known)));
        }
        self.sort_problems();
    }

    /// True when a declaration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.texts.keys().map(PathBuf::as_path)
    }

    /// The text of a file that was read.
    pub fn text(&self, file: &Path) -> Option<&str> {
        self.texts.get(file).map(String::as_str)
    }

    /// The same with a file as it will be.
    #[must_use]
    pub fn with_text(&self, file: &Path, text: &str) -> Manifests {
        let mut texts = self.texts.clone();
        texts.insert(file.to_owned(), text.trim_start_matches('\u{feff}').to_owned());
        let mut manifests = Manifests::from_texts(texts);
        // What could not be read still cannot.
        let unread = |problem: &&Problem| !self.texts.contains_key(&problem.file) && problem.file != file;
        manifests.problems.extend(self.problems.iter().filter(unread).cloned());
        manifests.sort_problems();
        manifests
    }

    fn sort_problems(&mut self) {
        self.problems.sort_by(|left, right| {
            (&left.file, left.line, left.column, left.severity).cmp(&(
                &right.file,
                right.line,
                right.column,
                right.severity,
            ))
        });
    }
}

/// A warning when a metric has values that are too old for Statuspage.
fn old_data(manifest: &Manifest, now: Timestamp) -> Option<Problem> {
    const KEPT: SignedDuration = SignedDuration::from_hours(28 * 24);
    let Object::Metric(metric) = &manifest.object else {
        return None;
    };
    let too_old = |point: &crate::api::DataPoint| match (&point.at, &point.ago) {
        (Some(at), _) => now.duration_since(at.0) > KEPT,
        (None, Some(ago)) => parse_duration(ago).is_some_and(|age| age > KEPT.unsigned_abs()),
        (None, None) => false,
    };
    let mut old = metric
        .spec
        .data
        .iter()
        .enumerate()
        .filter(|(_, point)| too_old(point))
        .map(|(index, _)| index);
    let first = old.next()?;
    let message = match old.count() {
        0 => "a data point is older than 28 days: Statuspage does not keep it".to_owned(),
        more => format!(
            "{} data points are older than 28 days: Statuspage does not keep them",
            more + 1
        ),
    };
    Some(
        manifest
            .warning_at(&format!("/spec/data/{first}"), message)
            .with_help("remove them"),
    )
}
