//! `statuspage export`: a page that people made by hand becomes manifests.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::session::block_on;
use super::{Connection, Failure, Outcome};
use crate::api::Kind;
use crate::manifest::{ExportOptions, export};
use crate::statuspage::{BaseUrl, Client, CollectionKind, Snapshot};

/// Options of `export`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Id of the page.
    #[arg(long, value_name = "ID")]
    pub page: String,
    /// Directory to write one file per kind into; without it everything is printed.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Namespace to write into the manifests.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Name of the Secret with the API token that the StatusPage will name.
    #[arg(long, value_name = "NAME", default_value = "statuspage-token")]
    pub secret: String,
    /// Exports subscribers too. Their addresses are personal data: think before you commit them.
    #[arg(long)]
    pub subscribers: bool,
    /// Exports incidents that are over too, as far as the newest 100 reach.
    #[arg(long)]
    pub closed_incidents: bool,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
}

/// Reads a page and writes it down. Applying the result changes nothing.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let token = arguments.connection.token()?.ok_or(Failure::NoToken)?;
    let base_url = match arguments.connection.base_url()? {
        Some(base_url) => base_url,
        None => BaseUrl::parse(BaseUrl::DEFAULT, false).map_err(Failure::Statuspage)?,
    };
    let options = ExportOptions {
        namespace: arguments.namespace.clone(),
        secret: arguments.secret.clone(),
        api_url: Some(base_url.to_string()).filter(|address| address != BaseUrl::DEFAULT),
        subscribers: arguments.subscribers,
        closed_incidents: arguments.closed_incidents,
    };
    let snapshot = block_on(async {
        let budget = arguments.connection.budgets().budget(&token, &base_url);
        let client = Client::builder(base_url, token)
            .budget(budget)
            .build()
            .map_err(Failure::Statuspage)?;
        read(&client, arguments).await.map_err(Failure::Statuspage)
    })?;
    let Some(page) = &snapshot.page else {
        return Err(Failure::UnknownPage(arguments.page.clone()));
    };
    let exported = export(page, &snapshot, &options);
    match &arguments.directory {
        None => {
            for object in exported.values().flatten() {
                write!(out, "---\n{}", yaml(object)?).map_err(Failure::Output)?;
            }
        }
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|source| Failure::Write {
                path: directory.clone(),
                source,
            })?;
            for (kind, objects) in &exported {
                let path = write_kind(directory, *kind, objects)?;
                writeln!(out, "{}: {}", path.display(), objects.len()).map_err(Failure::Output)?;
            }
        }
    }
    Ok(Outcome::Success)
}

async fn read(client: &Client, arguments: &Arguments) -> Result<Snapshot, crate::statuspage::Error> {
    let page = client.page(&arguments.page);
    let mut snapshot = Snapshot::default();
    for kind in CollectionKind::ALL {
        // Only what is written to manifests, and subscribers only when they are asked for.
        let wanted = kind.is_on_every_page() && (kind != CollectionKind::Subscribers || arguments.subscribers);
        if wanted {
            snapshot.store(page.read(kind).await?);
        }
    }
    snapshot.merge_incidents(page.read_open_incidents().await?);
    Ok(snapshot)
}

/// One file of a kind. An existing file is not overwritten: it may be somebody's work.
fn write_kind(directory: &Path, kind: Kind, objects: &[Value]) -> Result<PathBuf, Failure> {
    let path = directory.join(format!("{}.yaml", kind.definition().spec.names.plural));
    let failed = |source| Failure::Write {
        path: path.clone(),
        source,
    };
    let mut file = std::fs::File::create_new(&path).map_err(failed)?;
    for object in objects {
        write!(file, "---\n{}", yaml(object)?).map_err(failed)?;
    }
    Ok(path)
}

fn yaml(object: &Value) -> Result<String, Failure> {
    serde_yaml::to_string(object).map_err(|error| Failure::Serialize {
        what: "a manifest",
        message: error.to_string(),
    })
}
