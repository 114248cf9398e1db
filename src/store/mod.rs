//! Where declarations live: a directory of manifests, or a Kubernetes cluster.

pub mod directory;
pub mod kubernetes;
