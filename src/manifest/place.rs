//! Parts of files and places in them.

/// A part of a file between two `---` lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its text, with the `---` line that began it.
    pub text: &'a str,
    /// Line of the file where it begins, from 1.
    pub line: usize,
}

/// A place inside a file and how many characters of its line belong to it (0: the rest of the line).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters.
    pub length: usize,
}
