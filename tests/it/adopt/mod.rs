//! Binding declarations to what is on the page already.

mod cluster;
mod directory;
