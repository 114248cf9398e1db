//! The checks that need all manifests together: duplicates, references and equal identities on the page.

use std::collections::HashMap;

use super::{Declared, Manifest, Manifests, Object, Problem, Source, incidents, suggestion};
use crate::api::{Kind, KindSpec, NamespaceGrant, Reference, ShownIdentity, SpecPath, with_object};

/// Adds what is wrong with the manifests as a set.
pub fn check(manifests: &mut Manifests) {
    let mut problems = duplicates(&manifests.declared);
    problems.extend(same_pages(&manifests.manifests));
    let set = Set::new(manifests);
    for manifest in &manifests.manifests {
        set.check_page(manifest, &mut problems);
        set.check_references(manifest, &mut problems);
    }
    problems.extend(equal_identities(&manifests.manifests));
    problems.extend(incidents::check(&manifests.manifests));
    manifests.problems.extend(problems);
}

/// Declarations of one kind, namespace and name: an apiserver would keep the last one only.
fn duplicates(declared: &[Declared]) -> Vec<Problem> {
    let mut first: HashMap<(Kind, &str, &str), &Declared> = HashMap::new();
    let mut problems = Vec::new();
    for declaration in declared {
        let key = (
            declaration.kind,
            declaration.namespace.as_str(),
            declaration.name.as_str(),
        );
        match first.get(&key) {
            None => {
                first.insert(key, declaration);
            }
            Some(other) => {
                let Declared {
                    kind, namespace, name, ..
                } = declaration;
                let message = format!("{kind} `{name}` is declared twice in namespace {namespace}");
                let problem = Problem::error(declaration.source.clone(), declaration.place.length, message)
                    .with_related(other.source.clone())
                    .with_help("rename or remove one of them");
                problems.push(Problem {
                    confidential: declaration.confidential,
                    ..problem
                });
            }
        }
    }
    problems
}

/// StatusPages that stand for one page: each has the lists of the page read, and both may own a setting.
fn same_pages(manifests: &[Manifest]) -> Vec<Problem> {
    let mut first: HashMap<(Option<&str>, String), &Manifest> = HashMap::new();
    let mut problems = Vec::new();
    for manifest in manifests {
        let Object::StatusPage(page) = &manifest.object else {
            continue;
        };
        let spec = &page.spec;
        let (identity, shown, pointer) = match (&spec.page_id, &spec.subdomain) {
            (Some(id), _) => (format!("id {id}"), format!("pageId {id}"), "/spec/pageId"),
            (None, Some(subdomain)) => {
                let label = subdomain.trim_end_matches(".statuspage.io").to_ascii_lowercase();
                (
                    format!("subdomain {label}"),
                    format!("subdomain {label}"),
                    "/spec/subdomain",
                )
            }
            (None, None) => continue,
        };
        let other = *first.entry((spec.api.url.as_deref(), identity)).or_insert(manifest);
        if std::ptr::eq(other, manifest) || other.name == manifest.name && other.namespace == manifest.namespace {
            continue;
        }
        let help = match other.namespace == manifest.namespace {
            true => format!("let every pageRef name `{}`, and remove this one", other.name),
            false => format!(
                "one is enough: let `{}` allow namespace {} in spec.allowedNamespaces",
                other.name, manifest.namespace
            ),
        };
        let message = format!("StatusPage `{}` is the same page ({shown})", other.name);
        let problem = manifest.warning_at(pointer, message);
        problems.push(problem.with_related(other.source.clone()).with_help(help));
    }
    problems
}

/// All that is declared, for looking things up.
struct Set<'a> {
    declared: HashMap<(Kind, &'a str), Vec<&'a str>>,
    readable: HashMap<(Kind, &'a str, &'a str), &'a Manifest>,
}

impl<'a> Set<'a> {
    fn new(manifests: &'a Manifests) -> Set<'a> {
        let mut declared: HashMap<_, Vec<&str>> = HashMap::new();
        for declaration in &manifests.declared {
            declared
                .entry((declaration.kind, declaration.namespace.as_str()))
                .or_default()
                .push(&declaration.name);
        }
        let readable = manifests
            .manifests
            .iter()
            .map(|manifest| {
                (
                    (manifest.kind, manifest.namespace.as_str(), manifest.name.as_str()),
                    manifest,
                )
            })
            .collect();
        Set { declared, readable }
    }

    fn names<'b>(&'b self, kind: Kind, namespace: &'b str) -> &'b [&'b str] {
        self.declared.get(&(kind, namespace)).map_or(&[], Vec::as_slice)
    }

    /// The page of a declaration exists and allows its namespace.
    fn check_page(&self, manifest: &Manifest, problems: &mut Vec<Problem>) {
        let Some((namespace, name)) = manifest.page() else {
            return;
        };
        let names = self.names(Kind::StatusPage, namespace);
        if !names.contains(&name) {
            let mut problem = manifest.error_at(
                "/spec/pageRef/name",
                format!("no StatusPage `{name}` is declared in namespace {namespace}"),
            );
            problem.help = self.page_elsewhere(name, namespace).or_else(|| match names {
                [] => Some("declare it, with its pageId and the Secret with its token, or correct pageRef".to_owned()),
                names => suggestion::advice(name, names.iter().copied()),
            });
            problems.push(problem);
            return;
        }
        if namespace == manifest.namespace {
            return;
        }
        let Some(Object::StatusPage(page)) = self
            .readable
            .get(&(Kind::StatusPage, namespace, name))
            .map(|page| &page.object)
        else {
            return;
        };
        let grant = page
            .spec
            .allowed_namespaces
            .as_ref()
            .map(|allowed| allowed.from)
            .unwrap_or_default();
        let own = &manifest.namespace;
        match grant {
            NamespaceGrant::All => {}
            NamespaceGrant::Same => problems.push(
                manifest
                    .error_at("/spec/pageRef", format!("StatusPage `{name}` does not allow declarations in namespace {own}"))
                    .with_help(format!(
                        "move the declaration to namespace {namespace}, or allow others in the page's spec.allowedNamespaces"
                    )),
            ),
            NamespaceGrant::Selector => problems.push(
                manifest
                    .warning_at(
                        "/spec/pageRef",
                        format!("whether StatusPage `{name}` allows namespace {own} depends on the labels of that namespace"),
                    )
                    .with_help("only the cluster knows the labels"),
            ),
        }
    }

    /// Advice when the page is declared in another namespace.
    fn page_elsewhere(&self, name: &str, namespace: &str) -> Option<String> {
        let mut others: Vec<&str> = self
            .declared
            .iter()
            .filter(|((kind, other), names)| *kind == Kind::StatusPage && *other != namespace && names.contains(&name))
            .map(|((_, other), _)| *other)
            .collect();
        others.sort_unstable();
        others
            .first()
            .map(|other| format!("it is declared in namespace {other}: set pageRef.namespace"))
    }

    /// What a declaration names is declared for the same page.
    fn check_references(&self, manifest: &Manifest, problems: &mut Vec<Problem>) {
        for reference in with_object!(&manifest.object, object => object.spec.references()) {
            problems.extend(self.reference(manifest, &reference));
        }
    }

    fn reference(&self, manifest: &Manifest, reference: &Reference<'_>) -> Option<Problem> {
        let Reference { kind, name, .. } = *reference;
        let namespace = manifest.namespace.as_str();
        let names = self.names(kind, namespace);
        let place = match reference.path {
            SpecPath::Key(_) => manifest.positions.key(&reference.pointer()),
            _ => manifest.positions.value(&reference.pointer()),
        };
        if !names.contains(&name) {
            let message = format!("no {kind} `{name}` is declared in namespace {namespace}");
            let mut problem = manifest.problem(super::Severity::Error, place, message);
            problem.help = self.visible_name(kind, namespace, name).or_else(|| {
                let same_page = names.iter().copied().filter(|other| {
                    self.readable
                        .get(&(kind, namespace, *other))
                        .is_none_or(|other| other.page() == manifest.page())
                });
                suggestion::advice(name, same_page)
            });
            return Some(problem);
        }
        let other = self.readable.get(&(kind, namespace, name))?;
        let (_, page) = other.page().filter(|page| Some(*page) != manifest.page())?;
        let message = format!("{kind} `{name}` belongs to another page, `{page}`");
        Some(
            manifest
                .problem(super::Severity::Error, place, message)
                .with_related(other.source.clone()),
        )
    }

    /// Advice when the reference has the name that people see instead of metadata.name.
    fn visible_name(&self, kind: Kind, namespace: &str, name: &str) -> Option<String> {
        let shown =
            |manifest: &Manifest| with_object!(&manifest.object, object => object.spec.shown_names().contains(&name));
        let names = self.names(kind, namespace);
        let found = names
            .iter()
            .find(|other| self.readable.get(&(kind, namespace, **other)).is_some_and(|m| shown(m)))?;
        Some(format!("use metadata.name: `{found}`"))
    }
}

/// What people would see twice on the page.
fn equal_identities(manifests: &[Manifest]) -> Vec<Problem> {
    let mut first: HashMap<(Kind, (&str, &str), String), &Manifest> = HashMap::new();
    let mut problems = Vec::new();
    for manifest in manifests {
        let identity = with_object!(&manifest.object, object => object.spec.shown_identity(&manifest.name));
        let (Some(page), Some(identity)) = (manifest.page(), identity) else {
            continue;
        };
        let ShownIdentity { key, shown, pointer } = identity;
        let other = *first.entry((manifest.kind, page, key)).or_insert(manifest);
        if std::ptr::eq(other, manifest) || other.name == manifest.name && other.namespace == manifest.namespace {
            continue;
        }
        let source = |manifest: &Manifest| -> Source { manifest.source.clone() };
        let noun = manifest.kind.noun();
        let problem = manifest
            .warning_at(
                pointer,
                format!("another {noun} of this page is {shown} too: `{}`", other.name),
            )
            .with_related(source(other))
            .with_help("visitors cannot tell them apart: change one of them");
        problems.push(problem);
    }
    problems
}
