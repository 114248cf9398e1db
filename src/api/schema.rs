//! Small changes of the generated schema.

/// Takes the description out of the schema of a type, so that the field's own stands: in an optional field kube puts
/// the description of the type in its place, which is the same for every field and says less.
pub(super) fn left_to_the_field(schema: &mut schemars::Schema) {
    schema.remove("description");
}

/// Takes the default out of the schema of a field inside a list; the type still has it. An API server would write it
/// into every item, and `kubectl apply` and Argo CD, which compare lists as a whole, would see a change for ever.
pub(super) fn default_left_to_the_type(schema: &mut schemars::Schema) {
    schema.remove("default");
}
