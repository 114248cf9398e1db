//! A declaration as it is named on the command line: `KIND/NAME` or `KIND/NAMESPACE/NAME`.

use std::path::Path;

use super::Failure;
use crate::api::Kind;
use crate::engine::ObjectKey;
use crate::manifest::nearest;

/// What was written.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Name {
    /// Reads what was written.
    pub(super) fn parse(text: &str) -> Result<Name, Failure> {
        let parts: Vec<&str> = text.split('/').collect();
        let (word, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, None, *name),
            [kind, namespace, name] => (*kind, Some((*namespace).to_owned()), *name),
            _ => {
                let message = format!("{text:?} is not a declaration: write KIND/NAME, such as component/api");
                return Err(Failure::Usage(message));
            }
        };
        let kind = kind_named(word).ok_or_else(|| {
            let kinds: Vec<&str> = Kind::ALL.into_iter().skip(1).map(Kind::as_str).collect();
            Failure::Usage(format!("{word:?} is not a kind: use one of {}", kinds.join(", ")))
        })?;
        let name = name.to_owned();
        Ok(Name { kind, namespace, name })
    }

    /// The one of these that is meant; `parts` tells kind, namespace and name of each.
    pub(super) fn find<'a, T>(
        &self,
        all: &'a [T],
        parts: impl Fn(&T) -> (Kind, &str, &str),
        directory: &Path,
    ) -> Result<&'a T, Failure> {
        let of_kind = || all.iter().filter(|one| parts(one).0 == self.kind);
        let is_it = |one: &&T| {
            let (_, namespace, name) = parts(one);
            name == self.name && self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
        };
        let found: Vec<&T> = of_kind().filter(is_it).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let hint = nearest(&self.name, of_kind().map(|one| parts(one).2));
                Err(Failure::Undeclared {
                    what: format!("{} {}", self.kind, self.name),
                    place: directory.display().to_string(),
                    hint: hint.map(|name| format!("; did you mean {name}?")).unwrap_or_default(),
                })
            }
            several => {
                let namespaces: Vec<&str> = several.iter().map(|one| parts(one).1).collect();
                Err(Failure::Usage(format!(
                    "{} {} is declared in several namespaces ({}): write KIND/NAMESPACE/NAME",
                    self.kind,
                    self.name,
                    namespaces.join(", ")
                )))
            }
        }
    }
}

/// Kind, namespace and name.
pub(super) fn parts(key: &ObjectKey) -> (Kind, &str, &str) {
    (key.kind, &key.namespace, &key.name)
}

/// The kind by any name that kubectl takes.
fn kind_named(word: &str) -> Option<Kind> {
    let word = word.to_ascii_lowercase();
    Kind::ALL.into_iter().find(|kind| {
        let names = kind.definition().spec.names;
        let short = names.short_names.unwrap_or_default();
        [names.kind.to_ascii_lowercase(), names.plural].contains(&word)
            || names.singular.as_ref() == Some(&word)
            || short.contains(&word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_for_kubectl() {
        for word in ["component", "Component", "components", "spcomp"] {
            assert_eq!(kind_named(word), Some(Kind::Component), "{word}");
        }
        assert_eq!(kind_named("compnent"), None);
    }

    #[test]
    fn one_of_several_namespaces_has_to_be_said() {
        let key = |namespace: &str| ObjectKey::new(Kind::Component, namespace, "api");
        let keys = [key("one"), key("two")];
        let find = |text: &str| Name::parse(text)?.find(&keys, parts, Path::new("pages")).cloned();
        assert_eq!(find("component/two/api").ok(), Some(key("two")));
        assert!(
            find("component/api")
                .unwrap_err()
                .to_string()
                .contains("several namespaces (one, two)")
        );
        assert!(
            find("component/apii")
                .unwrap_err()
                .to_string()
                .contains("did you mean api?")
        );
    }
}
