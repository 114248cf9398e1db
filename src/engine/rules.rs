//! What the rules of a kind say: which remote objects there are, how one is recognised, compared, created and changed.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::context::Context;
use super::fields::Field;
use super::outcome::Blocked;
use super::plan::ReadWhat;
use super::pursuit::Unlisted;
use super::request::Request;
use super::table::{self, Row};
use crate::api::Status;
use crate::statuspage::{Collection, CollectionKind, Identified, Listed, ObjectKind, Priority, Search, Snapshot};

/// What is said of an object that is as declared, unless its kind says it otherwise.
pub const IN_SYNC: &str = "the page shows what is declared";

/// Fields to write, by their names in the API.
pub(super) type Body = Map<String, Value>;

/// The rules of one kind.
pub(super) trait Rules: Sized + 'static {
    /// The remote object, as its list shows it.
    type Remote: Listed + 'static;
    /// The fields, in the order in which they are written and told.
    const FIELDS: &'static [Row<Self, Self::Remote>];
    /// The list that holds the remote objects.
    const COLLECTION: CollectionKind = Self::Remote::LIST;
    /// How urgent its writes are.
    const PRIORITY: Priority = Priority::Write;
    /// What it is where it can be read by its id.
    const OBJECT: Option<ObjectKind> = Self::Remote::KIND;

    /// The same where the absence of many at once is a reason to read one by its id before anything is created anew.
    const EXAMINED: Option<ObjectKind> = Self::OBJECT;

    /// When an object that somebody deleted on the page is created again.
    const RECREATION: Recreation = Recreation::ByDriftPolicy;

    /// What is said of an object that is as declared.
    const IN_SYNC: &'static str = IN_SYNC;

    /// Why nothing of this kind can be done on this page, if so.
    fn possible(&self, _context: &Context<'_>) -> Result<(), Blocked> {
        Ok(())
    }
    /// The list, if it was read.
    fn collection(snapshot: &Snapshot) -> Option<&Collection<Self::Remote>> {
        Self::Remote::list(snapshot)
    }
    /// True when an item of the list is of this kind.
    fn belongs(_remote: &Self::Remote) -> bool {
        true
    }
    /// The object with an id, if the list shows it.
    fn shown<'w>(context: &Context<'w>, id: &str) -> Option<&'w Self::Remote> {
        let position = context.index.lookup(context.declaration.key.kind)?.position(id)?;
        Self::collection(context.world.snapshot)?.items.get(position)
    }
    /// The objects of the list that are what this declaration would create.
    fn alike<'w>(&self, context: &Context<'w>) -> Vec<&'w Self::Remote> {
        let snapshot = context.world.snapshot;
        let lookup = context.index.lookup(context.declaration.key.kind);
        let (Some(lookup), Some(list)) = (lookup, Self::collection(snapshot)) else {
            return Vec::new();
        };
        let handles = || {
            let items = list.items.iter().enumerate();
            let items = items.filter(|(_, remote)| Self::belongs(remote));
            items.flat_map(|(position, remote)| Self::handles(remote).into_iter().map(move |handle| (position, handle)))
        };
        let positions = lookup.positions(&self.wanted_handles(context), handles);
        let found = positions.into_iter().filter_map(|position| list.items.get(position));
        found.filter(|remote| self.same_identity(context, remote)).collect()
    }
    /// Id of a remote object.
    fn id(remote: &Self::Remote) -> &str {
        remote.id()
    }
    /// When a remote object was created.
    fn created_at(remote: &Self::Remote) -> Option<Timestamp> {
        remote.created_at()
    }
    /// Texts under which a remote object may be recognised: those that [`Rules::same_identity`] looks at.
    fn handles(remote: &Self::Remote) -> Vec<String>;
    /// The texts under which this declaration's object would be found.
    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String>;
    /// Another list that decisions about this object need.
    fn also_needs(&self) -> Option<CollectionKind> {
        None
    }
    /// What no list has of the remote object and this declaration needs.
    fn unlisted(&self, _context: &Context<'_>, _remote: &Self::Remote) -> Vec<Unlisted> {
        Vec::new()
    }
    /// The name that people see.
    fn title(&self, context: &Context<'_>) -> String;
    /// True when the remote object is what this declaration would create.
    fn same_identity(&self, context: &Context<'_>, remote: &Self::Remote) -> bool;
    /// Searches that together stand in for a list which is cut or cannot be read: they show the object of this
    /// declaration, if it is there.
    fn searches(&self, _context: &Context<'_>) -> Vec<Search> {
        Vec::new()
    }
    /// True when the remote object, which has the same identity, may be adopted without its id being given.
    fn adoptable(&self, _context: &Context<'_>, _remote: &Self::Remote) -> bool {
        true
    }
    /// True when the remote object says that it was created for a declaration of this name.
    fn is_named_by(&self, _context: &Context<'_>, _remote: &Self::Remote) -> bool {
        false
    }
    /// True when the remote object, which has the same identity, is what an earlier attempt of this very declaration
    /// created.
    fn is_attempt(&self, _context: &Context<'_>, _remote: &Self::Remote) -> bool {
        true
    }
    /// The declared fields, beside the remote values where the object exists.
    fn fields(&self, context: &Context<'_>, remote: Option<&Self::Remote>) -> Result<Vec<Field>, Blocked> {
        table::fields(Self::FIELDS, self, context, remote)
    }
    /// The request that creates the object from all declared fields.
    fn create(&self, context: &Context<'_>, body: Body) -> Result<Request, Blocked>;
    /// The request that changes the object.
    fn update(&self, context: &Context<'_>, remote: &Self::Remote, body: Body) -> Result<Request, Blocked>;
    /// The request that deletes the object by its recorded id, if there is one; nothing is declared where the manifest is
    /// gone.
    fn delete(_declared: Option<&Self>, id: String) -> Option<Request> {
        Self::OBJECT.map(|object| Request::Delete(object, id))
    }
    /// What has to have been read a moment before a body is written, because the request repeats what is there: what, and
    /// when it was read.
    fn needs_fresh(
        &self,
        _context: &Context<'_>,
        _remote: &Self::Remote,
        _body: &Body,
    ) -> Option<(ReadWhat, Option<Timestamp>)> {
        None
    }
    /// Why the object must not be deleted and created again, if so: what else would go with it.
    fn replaceable(&self, _context: &Context<'_>, _remote: &Self::Remote) -> Result<(), Blocked> {
        Ok(())
    }
    /// What the remote object is, in the words of the page, for a person. People are not named.
    fn describe(remote: &Self::Remote, snapshot: &Snapshot) -> String;
    /// True for an object that is worth a mention when nobody declares it. What is over, and people, are not: nobody
    /// would declare them.
    fn is_worth_declaring(_remote: &Self::Remote) -> bool {
        false
    }
    /// Puts what the remote object says into the kind's own part of the status.
    fn observe(&self, context: &Context<'_>, remote: &Self::Remote, status: &mut Status);
}

/// When an object that somebody deleted on the page is created again.
pub(super) enum Recreation {
    /// With `driftPolicy: Correct` in force.
    ByDriftPolicy,
    /// When the declaration itself, not the page's default, says `driftPolicy: Correct`.
    WhenAsked,
    /// In any case.
    Always,
}
