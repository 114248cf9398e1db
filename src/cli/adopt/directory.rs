//! Binding a declaration of a directory: the id goes into the lock file.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{Arguments, Wanted, is_to_record, show_end};
use crate::api::ID;
use crate::cli::progress::print_problems;
use crate::cli::session::Session;
use crate::cli::{Failure, Outcome};
use crate::driver::binding::propose;
use crate::driver::{Store, StoreChange};
use crate::engine::{ObjectKey, Status};

pub(super) async fn adopt(
    arguments: &Arguments,
    directory: &Path,
    wanted: Wanted,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let session = if arguments.dry_run {
        Session::read_only(directory, &arguments.connection)?
    } else {
        Session::open(directory, &arguments.connection, None)?
    };
    print_problems(&session.manifests);
    let manifest = wanted.object.find(
        &session.manifests.manifests,
        |one| (one.kind, &one.namespace, &one.name),
        directory,
    )?;
    let key = ObjectKey::new(manifest.kind, manifest.namespace.clone(), manifest.name.clone());
    let store = Arc::clone(&session.store);
    let page = store.page_of(&key).unwrap_or_else(|| key.clone());
    let proposed = propose(
        Arc::clone(&store),
        &page,
        &key,
        wanted.id.as_deref(),
        None,
        session.options.clone(),
    );
    let binding = proposed.await;
    session.close_record().await;
    let binding = binding?;
    // What the manifest says wins over the lock file.
    let annotations = manifest.object.metadata().annotations.as_ref();
    if let Some(annotated) = annotations.and_then(|annotations| annotations.get(ID))
        && *annotated != binding.id
    {
        let pointer = format!("/metadata/annotations/{}", ID.replace('/', "~1"));
        return Err(Failure::Annotated {
            place: manifest.position(&pointer).to_string(),
            annotated: annotated.clone(),
            id: binding.id,
        });
    }
    if !is_to_record(&binding, "The next apply", arguments, out).map_err(Failure::Output)? {
        return Ok(Outcome::Success);
    }
    let mut status = Status::empty(key.kind);
    let object = status.object_mut();
    object.id = Some(binding.id.clone());
    object.page_id.clone_from(&binding.page_id);
    object.adopted = true;
    let declaration = &binding.declaration;
    // The id last: with it the entry is written to the disk.
    let written = async {
        store.write(declaration, StoreChange::Status(Arc::new(status))).await?;
        store
            .write(declaration, StoreChange::RecordId(binding.id.clone()))
            .await
    };
    written.await.map_err(Failure::Store)?;
    store.record()?;
    writeln!(
        out,
        "Recorded in {}; nothing was written to the page.",
        store.lock_path().display()
    )
    .and_then(|()| show_end(&binding, out))
    .map_err(Failure::Output)?;
    Ok(Outcome::Success)
}
