//! Options that say how Statuspage is reached; shared by all commands that talk to it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;

use super::Failure;
use crate::clock::Clock;
use crate::driver::Access;
use crate::statuspage::{BaseUrl, BudgetRegistry, FileLedger, Token};

/// Where the values of Secrets come from in a directory; for the help of the commands.
pub(super) const SECRETS_HELP: &str = "\
Secrets:
  A directory has no Secrets. The API token is in STATUSPAGE_TOKEN or in
  --token-file. For other values an environment variable stands in for each key
  of a Secret: STATUSPAGE_SECRET_<NAME>_<KEY> in capitals, with an underscore
  for every other character. For
    passwordSecretRef: {name: pingdom-login, key: password}
  set STATUSPAGE_SECRET_PINGDOM_LOGIN_PASSWORD. Where the pages of a directory
  have different tokens, set the variable of each tokenSecretRef instead.

Files:
  statuspage.lock.json  ids and hashes of what was applied, beside the
                        manifests: commit it
  .statuspage/          how the objects stand, what was sent in the last minute,
                        ids at other servers (--api-url) and data of `dev`: do
                        not commit it";

/// How Statuspage is reached.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// File with the API token, in place of STATUSPAGE_TOKEN. Both stand in for the Secret that the StatusPage names.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Address of the API, in place of the one of the StatusPage. Ids are kept per address: in statuspage.lock.json
    /// for Statuspage itself, below .statuspage/ for any other.
    #[arg(long, env = "STATUSPAGE_API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    /// Requests that may be sent with one token in any 60 seconds; 0 is no limit.
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    pub requests_per_minute: usize,
}

impl Connection {
    /// The token of the file or of STATUSPAGE_TOKEN, if either is given.
    pub fn token(&self) -> Result<Option<Token>, Failure> {
        let (place, text) = match &self.token_file {
            Some(path) => {
                let failed = |source| Failure::TokenFile {
                    path: path.clone(),
                    source,
                };
                (
                    path.display().to_string(),
                    std::fs::read_to_string(path).map_err(failed)?,
                )
            }
            None => match std::env::var("STATUSPAGE_TOKEN") {
                Ok(token) if !token.trim().is_empty() => ("STATUSPAGE_TOKEN".to_owned(), token),
                _ => return Ok(None),
            },
        };
        let token = Token::new(SecretString::from(text)).map_err(|error| Failure::Token {
            place,
            error: Box::new(error),
        })?;
        Ok(Some(token))
    }

    /// The address, if one is given.
    pub fn base_url(&self) -> Result<Option<BaseUrl>, Failure> {
        self.api_url
            .as_deref()
            .filter(|address| !address.is_empty())
            .map(|address| BaseUrl::parse(address, false).map_err(Failure::Statuspage))
            .transpose()
    }

    /// The token, which must be given, and the address, or that of Statuspage itself.
    pub fn access(&self) -> Result<Access, Failure> {
        Ok(Access {
            token: self.token()?.ok_or(Failure::NoToken)?,
            base_url: match self.base_url()? {
                Some(base_url) => base_url,
                None => BaseUrl::parse(BaseUrl::DEFAULT, false)?,
            },
        })
    }

    /// True when the pages are those of Statuspage itself, as far as the options tell.
    pub fn is_public(&self) -> Result<bool, Failure> {
        let address = self.base_url()?;
        Ok(address.is_none_or(|address| address.to_string() == BaseUrl::DEFAULT))
    }

    /// The budgets of all tokens.
    pub fn budgets(&self) -> Arc<BudgetRegistry> {
        Arc::new(BudgetRegistry::new(self.requests_per_minute))
    }

    /// The same, on record in a directory: the next command goes on with what is left of the minute, however this one
    /// ends.
    pub fn budgets_recorded_in(&self, directory: impl Into<PathBuf>) -> Arc<BudgetRegistry> {
        let ledger = Arc::new(FileLedger::new(directory));
        Arc::new(BudgetRegistry::new(self.requests_per_minute).recorded_in(ledger, Clock::System))
    }
}
