//! `statuspage dev`: a directory and the local server in one process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::record::Record;
use super::screen::lines;
use super::serve::{listen, location};
use super::session::{Session, block_on};
use super::signal::asked_to_end;
use super::sync::watch;
use super::{Connection, Failure, HttpApi, Outcome};
use crate::manifest::{Manifests, Object, read_directory};
use crate::server::{DataLocation, PageSeed, Server, ServerOptions};
use crate::store::directory::LOCAL_STATE;

const EXAMPLES: &str = "\
Examples:
  statuspage dev pages/
  statuspage dev pages/ --listen 127.0.0.1:9000 --data :memory:";

/// Options of `dev`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Directory with the manifests.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Address of the local server; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// File with the data of the local server [default: .statuspage/dev.db in the directory]; `:memory:` keeps nothing.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Requests of one token in any 60 seconds, as the local server counts them; 0 is no limit.
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    pub rate_limit: u32,
    /// Where what is done is recorded [default: .statuspage/events.db in the directory].
    #[command(flatten)]
    pub record: Record,
    /// The HTTP API. On a loopback address it lets this machine in without credentials.
    #[command(flatten)]
    pub http: HttpApi,
}

/// The token of the local server. It opens nothing else.
const TOKEN: &str = "local-development";

/// Applies a directory to a local server and watches it.
pub fn run(arguments: &Arguments, _out: &mut dyn Write) -> Result<Outcome, Failure> {
    let manifests = read_directory(&arguments.directory)?;
    let local_state = arguments.directory.join(LOCAL_STATE);
    let data = arguments.data.clone().unwrap_or_else(|| local_state.join("dev.db"));
    if let Some(parent) = data.parent() {
        std::fs::create_dir_all(parent).map_err(|source| Failure::Write {
            path: parent.to_owned(),
            source,
        })?;
    }
    let print = lines();
    block_on(async {
        let (listener, address) = listen(&arguments.listen).await?;
        let server = Server::open(ServerOptions {
            data: location(&data),
            tokens: vec![TOKEN.to_owned()],
            pages: pages(&manifests),
            organization: organization(&manifests),
            rate_limit: arguments.rate_limit,
            ..Default::default()
        })
        .await?;
        let api_url = format!("http://{address}/v1");
        let connection = Connection {
            token_file: None,
            api_url: Some(api_url.clone()),
            requests_per_minute: usize::try_from(arguments.rate_limit).unwrap_or(60),
        };
        let session = Session::open_with_token(&arguments.directory, &connection, TOKEN, Some(Arc::clone(&print)))?;
        print(&format!("Local Statuspage at {api_url}, data in {}", data.display()));
        for page in server.pages() {
            print(&format!("  page {}  {}", page.id, page.name));
        }
        print("");
        let record = Record {
            events: arguments.record.events.clone().or_else(|| default_log(&data)),
            ..arguments.record.clone()
        };
        session.record(&record).await?;
        let directory = arguments.directory.display();
        let mut hint = vec![
            String::new(),
            "In another terminal:".to_owned(),
            format!("  export STATUSPAGE_API_URL={api_url} STATUSPAGE_TOKEN={TOKEN}"),
            format!("  statuspage plan {directory}"),
        ];
        // A URL may hold a password.
        hint.extend(
            record
                .events
                .filter(|place| !place.contains("://"))
                .map(|place| format!("  statuspage events --from {place}")),
        );
        hint.extend(server.pages().first().map(|page| {
            format!(
                "  curl -H 'Authorization: OAuth {TOKEN}' {api_url}/pages/{}/components",
                page.id
            )
        }));
        hint.push(format!(
            "Watching {directory}: edit a file to see what happens. Ctrl-C stops."
        ));
        hint.push(String::new());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.clone().serve(listener, async {
            // The sender is dropped or used when the work is done: both mean the end.
            let _ = stopped.await;
        }));
        let api = arguments.http.serve(&session, &print, true).await?;
        let worked = watch(&session, &arguments.directory, &print, hint, asked_to_end()).await;
        session.end(api).await;
        drop(stop);
        let _ = serving.await;
        server.close().await;
        Ok(worked?.of_service())
    })
}

/// The event log beside the data; none beside data that are not kept.
fn default_log(data: &Path) -> Option<String> {
    match location(data) {
        DataLocation::Memory => None,
        DataLocation::File(file) => Some(file.with_file_name("events.db").to_string_lossy().into_owned()),
    }
}

/// The pages that the manifests mean.
fn pages(manifests: &Manifests) -> Vec<PageSeed> {
    manifests
        .manifests
        .iter()
        .filter_map(|manifest| match &manifest.object {
            Object::StatusPage(page) => {
                let name = page.spec.settings.as_ref().and_then(|settings| settings.name.clone());
                Some(PageSeed {
                    id: page.spec.page_id.clone(),
                    name: name
                        .or_else(|| page.spec.subdomain.clone())
                        .unwrap_or_else(|| manifest.name.clone()),
                })
            }
            _ => None,
        })
        .collect()
}

/// The organization that the manifests name: the members of an organization are under its id.
fn organization(manifests: &Manifests) -> Option<String> {
    manifests.manifests.iter().find_map(|manifest| match &manifest.object {
        Object::StatusPage(page) => page.spec.organization_id.clone(),
        _ => None,
    })
}
