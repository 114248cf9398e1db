//! Integration tests: one binary, a module per topic.

// The attribute tells the linter that the helpers of the tests are tests too.
#[cfg(test)]
mod server;
