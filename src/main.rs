//! The `statuspage` binary.
fn main() {
    for kind in statuspage_operator::api::Kind::ALL {
        println!("---\n{}", serde_yaml::to_string(&kind.definition()).unwrap_or_default());
    }
}
