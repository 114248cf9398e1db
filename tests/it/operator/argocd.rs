//! What Argo CD makes of a declaration: the scripts of `integrations/argocd`, by the interpreter that Argo CD has, on what the
//! operator wrote.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use statuspage_operator::api::Kind;

use super::{SOON, Stage, component, components, condition};
use crate::support::binaries;
use crate::support::process::{self, OutputExt};

/// A value as Lua writes it.
fn lua(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        // All escapes of JSON but \u are those of Lua, and a word with one would be refused.
        Value::String(_) => value.to_string(),
        Value::Array(list) => format!("{{{}}}", list.iter().map(lua).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let fields = map.iter().map(|(name, value)| format!("[{name:?}] = {}", lua(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Runs a script on an object, and prints what Lua makes of an expression about its result.
fn run(script: &str, object: &Value, expression: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("integrations/argocd")
        .join(script);
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program.lua");
    let text = format!(
        "obj = {}\nlocal result = dofile({:?})\nprint({expression})\n",
        lua(object),
        path.display().to_string()
    );
    std::fs::write(&program, text).unwrap();
    let mut interpreter = Command::new(binaries::glua().unwrap());
    interpreter.arg(&program);
    process::run(interpreter, b"", SOON)
        .unwrap()
        .succeeded()
        .trim_end()
        .to_owned()
}

fn health(object: &Value) -> String {
    run("health.lua", object, "result.status")
}

#[tokio::test]
async fn argo_cd_judges_and_acts_by_the_scripts() {
    let stage = Stage::set().await;
    stage.operator("operator", &[]).await;
    stage.apply_page().await;
    stage.apply(&components(1)).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    stage.apply(&component("paused", "  suspend: true\n")).await;
    stage
        .apply(&component("waiting", "  groupRef: {name: nowhere}\n"))
        .await;
    stage.reason(Kind::Component, "paused", "Suspended").await;
    let why = stage.reason(Kind::Component, "waiting", "WaitingForReference").await;
    let read = async |name: &str| -> Value {
        let object = stage.api(Kind::Component).get(name).await.unwrap();
        serde_json::to_value(&object).unwrap()
    };
    let (ready, paused, waiting) = (read("c00").await, read("paused").await, read("waiting").await);
    assert_eq!(health(&ready), "Healthy");
    assert_eq!(health(&paused), "Suspended");
    let stalled = condition(&waiting, "Stalled")["status"] == "True";
    assert_eq!(health(&waiting), if stalled { "Degraded" } else { "Progressing" });
    assert_eq!(run("health.lua", &waiting, "result.message ~= \"\""), "true", "{why}");
    // Changed, and not seen yet; and not seen at all.
    let mut changed = ready.clone();
    changed["metadata"]["generation"] = 99.into();
    assert_eq!(health(&changed), "Progressing");
    let mut new = ready.clone();
    new.as_object_mut().unwrap().remove("status");
    assert_eq!(health(&new), "Progressing");
    // The operator has it that somebody has to do something.
    let mut stuck = waiting.clone();
    let conditions = stuck["status"]["conditions"].as_array_mut().unwrap();
    conditions.retain(|condition| condition["type"] != "Stalled");
    conditions.push(serde_json::json!({"type": "Stalled", "status": "True", "message": "Correct it."}));
    assert_eq!(
        run("health.lua", &stuck, "result.status .. \" \" .. result.message"),
        "Degraded Correct it."
    );

    assert_eq!(run("suspend.lua", &ready, "result.spec.suspend"), "true");
    assert_eq!(run("resume.lua", &paused, "result.spec.suspend"), "nil");
    let asked = run(
        "reconcile.lua",
        &ready,
        "result.metadata.annotations[\"statuspage-operator.io/requested-at\"]",
    );
    assert!(asked.ends_with('Z') && asked.contains('T'), "{asked}");
    let offered = "tostring(result.suspend.disabled) .. tostring(result.resume.disabled)";
    assert_eq!(run("discovery.lua", &ready, offered), "falsetrue");
    assert_eq!(run("discovery.lua", &paused, offered), "truefalse");
}
