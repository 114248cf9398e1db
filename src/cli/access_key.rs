//! `statuspage access-key`: who may ask the HTTP API.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;

use super::access_key_secret::{KeySecret, SecretName};
use super::output::Format;
use super::session::block_on;
use super::{Failure, Outcome, quantity};
use crate::admin::caller::{Scope, Verb};
use crate::admin::identity::access_keys::{AccessKeyError, AccessKeys};
use crate::admin::identity::key_ring::{IssuedKey, KeyRingError, NewKey, StoredKey};

const EXAMPLES: &str = "\
Examples:
  statuspage access-key create --file keys.json --user ann --namespace team-a
  statuspage access-key list --file keys.json
  statuspage access-key revoke --file keys.json 3f9a1c2b";

/// Options of `access-key`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with access keys.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes a key and prints its token, which is stored nowhere.
    Create(Create),
    /// Lists the keys.
    List(List),
    /// Takes a key out; a running server refuses it at once, in a Secret once the kubelet has replaced the file.
    Revoke(Revoke),
}

/// Where the keys are.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// File of access keys; made when absent, readable by its owner alone.
    #[arg(
        long,
        env = "STATUSPAGE_ACCESS_KEYS",
        value_name = "FILE",
        required_unless_present = "secret"
    )]
    pub file: Option<PathBuf>,
    /// Secret of a cluster in place of a file; made when absent. The operator reads its mount: --access-keys.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub secret: Option<SecretName>,
    /// Kubeconfig for the Secret [default: KUBECONFIG, ~/.kube/config, or the service account of the Pod].
    #[arg(long, value_name = "FILE", requires = "secret")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME", requires = "secret")]
    pub context: Option<String>,
}

impl Place {
    /// All keys.
    fn read(&self) -> Result<Vec<StoredKey>, Failure> {
        match self.kept()? {
            Kept::File(keys) => Ok(keys.list()?),
            Kept::Secret(secret) => block_on(async { Ok(secret.read().await?.keys().to_vec()) }),
        }
    }

    fn create(&self, key: &NewKey) -> Result<IssuedKey, Failure> {
        match self.kept()? {
            Kept::File(keys) => Ok(keys.create(key.clone())?),
            Kept::Secret(secret) => block_on(secret.change(|ring| ring.create(key.clone()))),
        }
    }

    fn revoke(&self, id: &str) -> Result<(), Failure> {
        match self.kept()? {
            Kept::File(keys) => Ok(keys.revoke(id)?),
            Kept::Secret(secret) => block_on(secret.change(|ring| ring.revoke(id))),
        }
    }

    fn kept(&self) -> Result<Kept, Failure> {
        match (&self.secret, &self.file) {
            (Some(name), _) => Ok(Kept::Secret(KeySecret {
                name: name.clone(),
                kubeconfig: self.kubeconfig.clone(),
                context: self.context.clone(),
            })),
            (None, Some(file)) => Ok(Kept::File(AccessKeys::of(file))),
            // clap has asked for one of them.
            (None, None) => Err(Failure::NoKeys),
        }
    }
}

enum Kept {
    File(AccessKeys),
    Secret(KeySecret),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  statuspage access-key create --file keys.json --user ann --namespace team-a
  statuspage access-key create --file keys.json --user ci --all-namespaces
  statuspage access-key create --secret status/keys --user ann --namespace a";

/// Options of `create`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct Create {
    /// Where the keys are.
    #[command(flatten)]
    pub place: Place,
    /// Who uses the key; the user in logs.
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// Namespace that the key sees; may be repeated.
    #[arg(
        long = "namespace",
        value_name = "NAMESPACE",
        required_unless_present_any = ["all_namespaces", "pages"],
        conflicts_with = "all_namespaces"
    )]
    pub namespaces: Vec<String>,
    /// StatusPage that the key is limited to; may be repeated. Its namespace is one of the key's by that.
    #[arg(long = "page", value_name = "NAMESPACE/NAME")]
    pub pages: Vec<String>,
    /// What the key is good for: read (status and declarations), events, alerts, approve; may be repeated. Nothing takes
    /// alerts and approvals yet.
    #[arg(long = "verb", value_name = "VERB", default_values = ["read", "events"])]
    pub verbs: Vec<Verb>,
    /// Lets the key see every namespace.
    #[arg(long)]
    pub all_namespaces: bool,
    /// Makes its user an administrator of these namespaces, who sees types and traits of events too.
    #[arg(long)]
    pub admin: bool,
    /// How long the key is valid: days, or hours, minutes and seconds, such as 90d or 12h.
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = quantity::duration)]
    pub expires_in: Duration,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

const LIST_EXAMPLES: &str = "\
Examples:
  statuspage access-key list --file keys.json
  statuspage access-key list --secret status/keys --output json";

/// Options of `list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct List {
    /// Where the keys are.
    #[command(flatten)]
    pub place: Place,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

const REVOKE_EXAMPLES: &str = "\
Examples:
  statuspage access-key revoke --file keys.json 3f9a1c2b";

/// Options of `revoke`.
#[derive(Clone, Debug, Args)]
#[command(after_help = REVOKE_EXAMPLES)]
pub struct Revoke {
    /// Where the keys are.
    #[command(flatten)]
    pub place: Place,
    /// Id of the key.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Makes, lists or revokes keys.
pub fn run(arguments: Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match arguments.command {
        Command::Create(create) => make(create, out),
        Command::List(list) => show(&list, out),
        Command::Revoke(revoke) => {
            revoke.place.revoke(&revoke.id)?;
            say!(out, "revoked {}", revoke.id)
        }
    }?;
    Ok(Outcome::Success)
}

fn make(create: Create, out: &mut dyn Write) -> Result<(), Failure> {
    let expires = Timestamp::now()
        .checked_add(create.expires_in)
        .map_err(|_| AccessKeyError::Keys(KeyRingError::Expiry))?;
    let namespaces = if create.all_namespaces {
        Scope::All
    } else {
        let of_pages = create.pages.iter().filter_map(|page| page.split_once('/'));
        let of_pages: Vec<String> = of_pages.map(|(namespace, _)| namespace.to_owned()).collect();
        Scope::Only(create.namespaces.into_iter().chain(of_pages).collect())
    };
    let key = create.place.create(&NewKey {
        user: create.user,
        admin: create.admin,
        namespaces,
        pages: (!create.pages.is_empty()).then(|| create.pages.into_iter().collect()),
        verbs: create.verbs.into_iter().collect(),
        expires,
    })?;
    let token = key.token.expose_secret();
    match create.output {
        Format::Text => writeln!(
            out,
            "X-Key: {}\nX-Access-Token: {token}\n\nThe token is shown once; it ends at {expires:.0}.",
            key.id
        ),
        Format::Json => writeln!(
            out,
            "{}",
            json!({"key": key.id, "accessToken": token, "expires": expires})
        ),
    }
    .map_err(Failure::Output)
}

fn show(list: &List, out: &mut dyn Write) -> Result<(), Failure> {
    let keys = list.place.read()?;
    let now = Timestamp::now();
    let names = |names: &Option<BTreeSet<String>>| match names {
        None => "*".to_owned(),
        Some(names) => names.iter().cloned().collect::<Vec<_>>().join(","),
    };
    let verbs = |key: &StoredKey| key.verbs.iter().map(Verb::to_string).collect::<Vec<_>>().join(",");
    let write = |out: &mut dyn Write| match list.output {
        Format::Text => {
            writeln!(
                out,
                "{:<36}  {:<16}  {:<5}  {:<20}  {:<7}  {:<12}  {:<24}  PAGES",
                "KEY", "USER", "ADMIN", "EXPIRES", "STATE", "VERBS", "NAMESPACES"
            )?;
            keys.iter().try_for_each(|key| {
                let state = if key.expires <= now { "expired" } else { "valid" };
                writeln!(
                    out,
                    "{:<36}  {:<16}  {:<5}  {:<20}  {state:<7}  {:<12}  {:<24}  {}",
                    key.id,
                    key.user,
                    key.admin,
                    format!("{:.0}", key.expires),
                    verbs(key),
                    names(&key.namespaces),
                    names(&key.pages)
                )
            })
        }
        Format::Json => {
            let keys: Vec<_> = keys
                .iter()
                .map(|key| {
                    json!({"key": key.id, "user": key.user, "admin": key.admin, "namespaces": key.namespaces,
                           "pages": key.pages, "verbs": key.verbs, "created": key.created, "expires": key.expires, "expired": key.expires <= now})
                })
                .collect();
            writeln!(out, "{}", json!(keys))
        }
    };
    write(out).map_err(Failure::Output)
}
