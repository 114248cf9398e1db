//! Why the lock file of a directory cannot be used, and what to do then.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::LOCAL_STATE;
use super::lock::VERSION;

/// A place in the lock file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Why the lock file cannot be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read.
    #[error("cannot read the lock file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be written, which is found out before anything is sent.
    #[error(
        "cannot write the lock file {}, and nothing is sent that cannot be recorded (`statuspage plan` writes nothing)",
        path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written, or the journal beside it.
    #[error("cannot write the lock file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A merge has left its conflict in it.
    #[error(
        "{place}: a merge conflict is not resolved (`{marker}`); nothing was sent. Each line is one object: keep the lines of both sides and delete the lines with the markers; where both sides have a line for the same object, keep that of the branch that was applied last. Then look with `statuspage plan`"
    )]
    Conflict {
        /// The first marker.
        place: Place,
        /// Its line.
        marker: String,
    },
    /// It is not what this program writes.
    #[error("{place}: the lock file {what}; nothing was sent. {}", way_back(&place.path))]
    Format {
        /// Where.
        place: Place,
        /// What is wrong with it.
        what: String,
    },
    /// Two lines say different things of one object.
    #[error(
        "{place}: {object} is recorded twice, here and in line {first}, with {difference}; nothing was sent. {}",
        which_line(difference)
    )]
    Twice {
        /// The second line.
        place: Place,
        /// `namespace/Kind/name`.
        object: String,
        /// Number of the first line.
        first: usize,
        /// In what they differ.
        difference: Difference,
    },
    /// It was written by a newer program.
    #[error(
        "the lock file {} was written by a newer statuspage (format {found}, this one reads up to {VERSION}): use that version; nothing was sent",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// Another process works on the directory.
    #[error("another statuspage works on {}: wait until it has ended, or stop it", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
}

/// In what two lines about one object differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They name two objects of the page.
    Ids(String, String),
    /// They name the same object, or one of them names none.
    Contents,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Ids(first, second) => write!(formatter, "two ids, {first} there and {second} here"),
            Difference::Contents => write!(formatter, "different contents"),
        }
    }
}

fn which_line(difference: &Difference) -> &'static str {
    match difference {
        Difference::Ids(..) => {
            "Keep the line of the object that is to stay, and delete the other object on the page, where it is shown twice"
        }
        Difference::Contents => "Keep the line of the branch that was applied last, and look with `statuspage plan`",
    }
}

/// How a damaged lock file is put right.
fn way_back(path: &Path) -> String {
    if path.components().any(|part| part.as_os_str() == LOCAL_STATE) {
        "It is not in Git: delete it, and adopt what is there with adoptionPolicy: ByName".to_owned()
    } else {
        format!(
            "Take the last committed version of it (`git checkout -- {}`), two minutes or more after the last apply: what was created since says AlreadyExists then, and is not created twice",
            path.display()
        )
    }
}
