//! Field documentation that `kubectl explain` shows.

/// Takes the description out of the schema of a type, so that the field's own stands: in an optional field kube puts
/// the description of the type in its place, which is the same for every field and says less.
pub(super) fn left_to_the_field(schema: &mut schemars::Schema) {
    schema.remove("description");
}
