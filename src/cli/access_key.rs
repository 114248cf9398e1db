//! `statuspage access-key`: who may ask the HTTP API.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, Outcome};
use crate::admin::caller::Scope;
use crate::admin::identity::access_keys::{AccessKeyError, AccessKeys, NewKey, StoredKey};
use crate::api::parse_duration;

/// Options of `access-key`.
#[derive(Clone, Debug, Args)]
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
    /// Takes a key out of the file; a running server refuses it at once.
    Revoke(Revoke),
}

/// The file of keys.
#[derive(Clone, Debug, Args)]
pub struct KeyFile {
    /// File of access keys; made when absent, readable by its owner alone.
    #[arg(long, env = "STATUSPAGE_ACCESS_KEYS", value_name = "FILE")]
    pub file: PathBuf,
}

/// Options of `create`.
#[derive(Clone, Debug, Args)]
pub struct Create {
    /// The file.
    #[command(flatten)]
    pub file: KeyFile,
    /// Who uses the key; the user in logs.
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// Namespace that the key sees; may be repeated.
    #[arg(
        long = "namespace",
        value_name = "NAMESPACE",
        required_unless_present = "all_namespaces",
        conflicts_with = "all_namespaces"
    )]
    pub namespaces: Vec<String>,
    /// Lets the key see every namespace.
    #[arg(long)]
    pub all_namespaces: bool,
    /// Lets the key ask for what belongs to the administrators of its namespaces: types and traits of events.
    #[arg(long)]
    pub admin: bool,
    /// How long the key is valid: days, or hours, minutes and seconds, such as 90d or 12h.
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = lifetime)]
    pub expires_in: Duration,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

/// Options of `list`.
#[derive(Clone, Debug, Args)]
pub struct List {
    /// The file.
    #[command(flatten)]
    pub file: KeyFile,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

/// Options of `revoke`.
#[derive(Clone, Debug, Args)]
pub struct Revoke {
    /// The file.
    #[command(flatten)]
    pub file: KeyFile,
    /// Id of the key.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON.
    Json,
}

/// Makes, lists or revokes keys.
pub fn run(arguments: Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match arguments.command {
        Command::Create(create) => make(create, out),
        Command::List(list) => show(&list, out),
        Command::Revoke(revoke) => {
            AccessKeys::of(&revoke.file.file).revoke(&revoke.id)?;
            writeln!(out, "revoked {}", revoke.id).map_err(Failure::Output)
        }
    }?;
    Ok(Outcome::Success)
}

fn make(create: Create, out: &mut dyn Write) -> Result<(), Failure> {
    let expires = Timestamp::now()
        .checked_add(create.expires_in)
        .map_err(|_| AccessKeyError::Expiry)?;
    let namespaces = if create.all_namespaces {
        Scope::All
    } else {
        Scope::Only(create.namespaces.into_iter().collect())
    };
    let key = AccessKeys::of(&create.file.file).create(NewKey {
        user: create.user,
        admin: create.admin,
        namespaces,
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
    let keys = AccessKeys::of(&list.file.file).list()?;
    let now = Timestamp::now();
    let scope = |key: &StoredKey| match &key.namespaces {
        None => "*".to_owned(),
        Some(namespaces) => namespaces.iter().cloned().collect::<Vec<_>>().join(","),
    };
    let write = |out: &mut dyn Write| match list.output {
        Format::Text => {
            writeln!(
                out,
                "{:<36}  {:<16}  {:<5}  {:<24}  {:<20}  NAMESPACES",
                "KEY", "USER", "ADMIN", "EXPIRES", "STATE"
            )?;
            keys.iter().try_for_each(|key| {
                let state = if key.expires <= now { "expired" } else { "valid" };
                writeln!(
                    out,
                    "{:<36}  {:<16}  {:<5}  {:<24}  {state:<20}  {}",
                    key.id,
                    key.user,
                    key.admin,
                    format!("{:.0}", key.expires),
                    scope(key)
                )
            })
        }
        Format::Json => {
            let keys: Vec<_> = keys
                .iter()
                .map(|key| {
                    json!({"key": key.id, "user": key.user, "admin": key.admin, "namespaces": key.namespaces,
                           "created": key.created, "expires": key.expires, "expired": key.expires <= now})
                })
                .collect();
            writeln!(out, "{}", json!(keys))
        }
    };
    write(out).map_err(Failure::Output)
}

/// Days, or what manifests take for a duration.
fn lifetime(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let found = match days {
        Some(days) if days <= 36_500 => Some(Duration::from_secs(days * 24 * 3600)),
        Some(_) => None,
        None => parse_duration(text),
    };
    found
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a duration is days or hours, minutes and seconds, such as 90d or 12h".to_owned())
}
