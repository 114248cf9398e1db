//! What the specs of all kinds have in common. A kind says in its own file what is particular to it.

use kube::CustomResourceExt;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kind::{with_kind, with_spec};
use super::{CommonSpec, Deletion, DriftPolicy, Kind, LocalReference, ReplacePolicy, SecretReference, Spec};

/// Where a spec names a Secret: the field, and what it says.
pub type SecretField<S> = (&'static str, fn(&S) -> Option<&SecretReference>);

/// The spec of one kind. What a kind does not say is so for most.
pub trait KindSpec: Serialize + DeserializeOwned + 'static {
    /// The custom resource.
    type Object: CustomResourceExt + HasStatus + kube::Resource<DynamicType = ()>;
    /// The kind in a sentence, such as "component group".
    const NOUN: &'static str;
    /// The fields that name Secrets.
    const SECRETS: &'static [SecretField<Self>] = &[];
    /// What is lost with the remote object when it is deleted, in words for a plan.
    const LOST_WITH_IT: Option<&'static str> = None;
    /// Fields of the status that are of this kind alone and must outlive the process.
    const RECORDED: &'static [&'static str] = &[];
    /// The drift policy unless the declaration says another, whatever the page's default; none when that counts.
    const DRIFT_POLICY: Option<DriftPolicy> = None;
    /// True when URLs in what is told of it belong to people.
    const URLS_ARE_PERSONAL: bool = false;

    /// What deletion does where the declaration or its kind decides; none when the page's default counts.
    fn own_deletion(&self) -> Option<Deletion>;
    /// What the spec says about replacing its object; none for kinds that never are.
    fn replace_policy(&self) -> Option<ReplacePolicy> {
        None
    }
    /// The declarations of its namespace that it names, in the order in which they are checked.
    fn references(&self) -> Vec<Reference<'_>> {
        Vec::new()
    }
    /// Names under which people know it on the page and may mistake for `metadata.name`.
    fn shown_names(&self) -> Vec<&str> {
        Vec::new()
    }
    /// By what visitors tell it from others of its kind on the page, if that must not occur twice. `name` is
    /// `metadata.name`.
    fn shown_identity(&self, _name: &str) -> Option<ShownIdentity> {
        None
    }
    /// Texts about people, beside e-mail addresses.
    fn personal(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// One declaration that another one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The kind of what is named.
    pub kind: Kind,
    /// Its `metadata.name`.
    pub name: &'a str,
    /// Where the name is written.
    pub path: SpecPath,
}

/// Where in a spec a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecPath {
    /// In `name` of a field.
    Field(&'static str),
    /// As an item of a list, by its position.
    Item(&'static str, usize),
    /// In a field of an item of a list.
    ItemField(&'static str, usize, &'static str),
    /// As a key of a map.
    Key(&'static str),
}

impl<'a> Reference<'a> {
    /// What a field names.
    pub(super) fn field(kind: Kind, field: &'static str, named: &'a Option<LocalReference>) -> Vec<Self> {
        let named = named.iter().map(|named| named.name.as_str());
        let path = SpecPath::Field(field);
        named.map(|name| Reference { kind, name, path }).collect()
    }

    /// What the items of a list name.
    pub(super) fn items(
        kind: Kind,
        list: &'static str,
        names: impl IntoIterator<Item = &'a String>,
    ) -> impl Iterator<Item = Self> {
        names.into_iter().enumerate().map(move |(index, name)| Reference {
            kind,
            name,
            path: SpecPath::Item(list, index),
        })
    }

    /// The path as a JSON pointer.
    pub fn pointer(&self) -> String {
        match self.path {
            SpecPath::Field(field) => format!("/spec/{field}/name"),
            SpecPath::Item(list, index) => format!("/spec/{list}/{index}"),
            SpecPath::ItemField(list, index, field) => format!("/spec/{list}/{index}/{field}"),
            SpecPath::Key(map) => {
                let escaped = self.name.replace('~', "~0").replace('/', "~1");
                format!("/spec/{map}/{escaped}")
            }
        }
    }
}

/// By what visitors tell a declaration from others of its kind on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownIdentity {
    /// Equal for two that cannot be told apart.
    pub key: String,
    /// What they are, in words that follow "is".
    pub shown: String,
    /// The JSON pointer of the field that says so.
    pub pointer: &'static str,
}

impl ShownIdentity {
    /// A name, else `metadata.name`, that is unique within something: a group, or the whole page.
    pub(super) fn named(shown: Option<&str>, name: &str, within: &str) -> Self {
        let (shown, pointer) = match shown {
            Some(shown) => (shown, "/spec/name"),
            None => (name, "/metadata/name"),
        };
        ShownIdentity {
            key: format!("{within}\n{shown}"),
            shown: format!("named `{}`", shortened(shown)),
            pointer,
        }
    }

    /// An e-mail address; case does not matter.
    pub(super) fn email(email: &str) -> Self {
        ShownIdentity {
            key: format!("email {}", email.to_lowercase()),
            shown: format!("`{email}`"),
            pointer: "/spec/email",
        }
    }
}

impl Spec {
    /// Reads the spec of a kind from JSON; fields that do not fit are an error.
    pub fn from_json(kind: Kind, value: &serde_json::Value) -> Result<Self, serde_json::Error> {
        with_kind!(kind, S => S::deserialize(value).map(Spec::from))
    }

    /// The spec as JSON; null for a removed manifest.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        with_spec!(self, spec => serde_json::to_value(spec), _removed => Ok(serde_json::Value::Null))
    }

    /// The shared part of the spec; none for a page and for a removed manifest.
    pub fn common(&self) -> Option<&CommonSpec> {
        with_spec!(self, spec => Some(&spec.common), _ => None)
    }

    /// The Secrets that the spec names, by field.
    pub fn secret_references(&self) -> Vec<(&'static str, &SecretReference)> {
        fn named<S: KindSpec>(spec: &S) -> Vec<(&'static str, &SecretReference)> {
            let fields = S::SECRETS.iter();
            fields
                .filter_map(|(field, reference)| Some((*field, reference(spec)?)))
                .collect()
        }
        with_spec!(self, spec => named(&**spec), _removed => Vec::new())
    }

    /// The declarations of its namespace that it names.
    pub fn references(&self) -> Vec<Reference<'_>> {
        with_spec!(self, spec => spec.references(), _removed => Vec::new())
    }

    /// What the spec says about replacing its object; none for kinds that never are.
    pub fn replace_policy(&self) -> Option<ReplacePolicy> {
        with_spec!(self, spec => spec.replace_policy(), _removed => None)
    }

    /// What deletion does where the declaration or its kind decides; none when the page's default counts.
    pub fn own_deletion(&self) -> Option<Deletion> {
        with_spec!(self, spec => spec.own_deletion(), deletion => Some(*deletion))
    }

    /// True when URLs in what is told of it belong to people.
    pub fn urls_are_personal(&self) -> bool {
        fn of<S: KindSpec>(_: &S) -> bool {
            S::URLS_ARE_PERSONAL
        }
        with_spec!(self, spec => of(&**spec), _removed => false)
    }

    /// Texts about people, beside e-mail addresses.
    pub fn personal(&self) -> Vec<&str> {
        with_spec!(self, spec => spec.personal(), _removed => Vec::new())
    }
}

/// The beginning of a text, on one line.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut characters = text.chars();
    let head = characters
        .by_ref()
        .take(MOST)
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut head: String = head.collect();
    if characters.next().is_some() {
        head.push('…');
    }
    head
}
