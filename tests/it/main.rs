//! Integration tests: one binary, a module per topic.

// Marked as test code so that the lints which forbid panics let helpers of tests panic too.
#[cfg(test)]
mod client;
