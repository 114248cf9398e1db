//! Refusals of the API and the errors of the server itself.

use serde_json::{Value, json};

/// Why the server could not be opened or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database could not be opened, read or written.
    #[error("the server's database failed: {0}")]
    Storage(#[from] sqlx::Error),
    /// Another process has the file open.
    #[error("{0} is in use: stop the other server, or give this one another file")]
    InUse(String),
    /// A stored document is not what this version understands.
    #[error("the database holds a {kind} {id} that this version cannot read: {source}")]
    Document {
        /// Which kind of object.
        kind: String,
        /// Its identifier.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The database was written by a newer version.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: use a newer program or another file"
    )]
    Schema {
        /// The version in the file.
        found: i64,
        /// The newest version that is understood here.
        known: i64,
    },
    /// Identifiers that come again after a restart were asked for in a file that survives it.
    #[error("identifiers from a seed are for data in memory: after a restart the same ones would come again")]
    SeededFile,
    /// An identifier given for a page cannot be used in a path.
    #[error("{0:?} cannot be the id of a page: use letters and digits")]
    PageId(String),
    /// A page was given in another form than `ID=NAME`.
    #[error("{0:?} does not name a page: write ID=NAME, or NAME alone to have an id made")]
    PageArgument(String),
    /// A token that could not travel in a header was given.
    #[error("a token is empty or has characters that cannot travel in a header")]
    Token,
    /// The seed file could not be read.
    #[error("the seed {path} cannot be read: {source}")]
    SeedFile {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The seed file is not valid.
    #[error("the seed {path} is not valid: {reason}")]
    Seed {
        /// The file.
        path: String,
        /// What is wrong, with the place where known.
        reason: String,
    },
}

impl ServerError {
    /// What a document that cannot be read or written becomes.
    pub(super) fn document(kind: &str, id: &str) -> impl FnOnce(serde_json::Error) -> Self {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        move |source| Self::Document { kind, id, source }
    }
}

/// Which key carries the text of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorShape {
    /// `{"error": ...}`, what most clients meet.
    #[default]
    Error,
    /// `{"message": "..."}`, what is documented.
    Message,
}

/// A refusal of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The HTTP status.
    pub(super) status: u16,
    /// One text, or the list of problems of a 422.
    pub(super) texts: Vec<String>,
    /// Seconds for the `Retry-After` header.
    pub(super) retry_after: Option<u64>,
    /// What the `Allow` header of a 405 says.
    pub(super) allow: Option<String>,
}

impl ApiError {
    fn one(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            texts: vec![text.into()],
            retry_after: None,
            allow: None,
        }
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::one(400, text)
    }

    pub(super) fn unauthenticated() -> Self {
        Self::one(401, "Could not authenticate")
    }

    pub(super) fn not_found() -> Self {
        Self::one(404, "Not found")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::one(405, "Method not allowed")
    }

    pub(super) fn timed_out() -> Self {
        Self::one(408, "The request took too long to arrive")
    }

    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self::one(409, text)
    }

    pub(super) fn too_large() -> Self {
        Self::one(413, "Request body is too large")
    }

    pub(super) fn invalid(texts: Vec<String>) -> Self {
        Self {
            status: 422,
            texts,
            retry_after: None,
            allow: None,
        }
    }

    pub(super) fn throttled(status: u16, retry_after: u64) -> Self {
        Self {
            status,
            texts: vec!["Rate limit exceeded".to_owned()],
            retry_after: Some(retry_after),
            allow: None,
        }
    }

    pub(super) fn internal(text: impl Into<String>) -> Self {
        Self::one(500, text)
    }

    /// The body in one of the shapes that clients have to understand.
    pub(super) fn body(&self, shape: ErrorShape) -> Value {
        let joined = self.texts.join(", ");
        match shape {
            ErrorShape::Message => json!({ "message": joined }),
            // Only validation answers with a list; every other refusal is one text.
            ErrorShape::Error if self.status == 422 => json!({ "error": self.texts }),
            ErrorShape::Error => json!({ "error": joined }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let invalid = ApiError::invalid(vec!["Name can't be blank".into(), "Status is bad".into()]);
        assert_eq!(
            invalid.body(ErrorShape::Error),
            json!({"error": ["Name can't be blank", "Status is bad"]})
        );
        assert_eq!(
            invalid.body(ErrorShape::Message),
            json!({"message": "Name can't be blank, Status is bad"})
        );
        assert_eq!(
            ApiError::not_found().body(ErrorShape::Error),
            json!({"error": "Not found"})
        );
    }
}
