//! A declaration of any kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::api::{CommonSpec, Kind, KindSpec, Object, Spec, with_kind, with_object};

impl Object {
    /// Reads a declaration of a kind; the error has the path of the field.
    pub fn from_value(kind: Kind, value: Value) -> Result<Object, serde_path_to_error::Error<serde_json::Error>> {
        with_kind!(kind, S => serde_path_to_error::deserialize::<_, <S as KindSpec>::Object>(value).map(Object::from))
    }

    /// The metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        with_object!(self, object => &object.metadata)
    }

    /// The metadata, to change it.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        with_object!(self, object => &mut object.metadata)
    }

    /// A copy of what is declared.
    pub fn spec(&self) -> Spec {
        with_object!(self, object => object.spec.clone().into())
    }

    /// The fields that all declarations of a page share; none for a page itself.
    pub fn common(&self) -> Option<&CommonSpec> {
        with_object!(self, object => Some(&object.spec.common), _ => None)
    }
}
