//! Operations on incident templates.

use super::super::types::{IncidentTemplate, IncidentTemplateWrite};
use super::resources::operations;
use super::{Creatable, Operations, Resource};

impl Resource for IncidentTemplate {
    type Write = IncidentTemplateWrite;
    const OPERATIONS: Operations = operations!("incident template");
    const PATH: &'static str = "incident_templates";
    const ENVELOPE: &'static str = "template";
}

impl Creatable for IncidentTemplate {}
