//! `-f key=value`: a JSON body, put together from fields.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::Failure;

/// A field as it was given: where it goes, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Names from the outside in; the empty one is the next place of a list.
    keys: Vec<String>,
    value: String,
}

/// Reads `component[name]=API`, `incident[component_ids][]=abc`, `name=value`.
pub(super) fn field(text: &str) -> Result<Field, String> {
    let odd = || "a field is key=value, such as component[name]=API or incident[component_ids][]=ID".to_owned();
    let (key, value) = text.split_once('=').ok_or_else(odd)?;
    let (first, rest) = match key.find('[') {
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    let mut keys = vec![first.to_owned()];
    let mut rest = rest;
    while !rest.is_empty() {
        let inner = rest.strip_prefix('[').ok_or_else(odd)?;
        let (name, after) = inner.split_once(']').ok_or_else(odd)?;
        keys.push(name.to_owned());
        rest = after;
    }
    let nameless = first.is_empty() || keys.iter().any(|key| key.contains(['[', ']']));
    match nameless {
        true => Err(odd()),
        false => Ok(Field {
            keys,
            value: value.to_owned(),
        }),
    }
}

/// A body of fields whose values are texts, and of fields whose values are what they look like.
pub(super) fn body(texts: &[Field], typed: &[Field]) -> Result<Value, Failure> {
    let mut body = Value::Object(Map::new());
    for field in texts {
        put(&mut body, field, Value::from(field.value.as_str()))?;
    }
    for field in typed {
        put(&mut body, field, typed_value(&field.value)?)?;
    }
    Ok(body)
}

/// `true`, `false`, `null` and numbers are what they say; `@FILE` is the text of a file, `@-` that of standard input;
/// anything else is a text.
fn typed_value(text: &str) -> Result<Value, Failure> {
    if let Some(path) = text.strip_prefix('@') {
        return read(Path::new(path)).map(Value::from);
    }
    Ok(match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ => match serde_json::from_str(text) {
            Ok(Value::Number(number)) => Value::Number(number),
            _ => Value::from(text),
        },
    })
}

/// The text of a file; that of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text).map(|_| text),
        false => std::fs::read_to_string(path),
    };
    read.map_err(|source| Failure::Input {
        path: path.to_owned(),
        source,
    })
}

fn put(body: &mut Value, field: &Field, value: Value) -> Result<(), Failure> {
    let keys: Vec<&str> = field.keys.iter().map(String::as_str).collect();
    insert(body, &keys, value).map_err(|why| {
        let key = field.keys.join("][").replacen("][", "[", 1);
        let key = if field.keys.len() > 1 { format!("{key}]") } else { key };
        Failure::Usage(format!("the field {key} {why}"))
    })
}

fn insert(at: &mut Value, keys: &[&str], value: Value) -> Result<(), &'static str> {
    match keys {
        [] if at.is_null() => *at = value,
        [] => return Err("is given twice"),
        ["", rest @ ..] => {
            if at.is_null() {
                *at = Value::Array(Vec::new());
            }
            let Value::Array(list) = at else {
                return Err("is a list here and something else there");
            };
            match list.last_mut() {
                // `a[][x]=1 a[][y]=2` is one object, `a[][x]=1 a[][x]=2` are two.
                Some(last) if takes(last, rest) => insert(last, rest, value)?,
                _ => {
                    let mut next = Value::Null;
                    insert(&mut next, rest, value)?;
                    list.push(next);
                }
            }
        }
        [name, rest @ ..] => {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(object) = at else {
                return Err("has parts here and is something else there");
            };
            insert(object.entry(*name).or_insert(Value::Null), rest, value)?;
        }
    }
    Ok(())
}

/// Whether the last place of a list has room for one more field.
fn takes(last: &Value, rest: &[&str]) -> bool {
    match (last, rest) {
        (Value::Object(object), [name]) => !object.contains_key(*name),
        (Value::Object(_), [_, _, ..]) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(texts: &[&str], typed: &[&str]) -> Result<Value, String> {
        let fields = |texts: &[&str]| texts.iter().map(|text| field(text)).collect::<Result<Vec<_>, _>>();
        body(&fields(texts)?, &fields(typed)?).map_err(|failure| failure.to_string())
    }

    #[test]
    fn keys_with_brackets_are_nested() {
        assert_eq!(
            made(
                &[
                    "component[name]=API",
                    "component[description]=a=b [c]",
                    "incident[component_ids][]=x",
                    "incident[component_ids][]=y",
                    "rows[][a]=1",
                    "rows[][b]=2",
                    "rows[][a]=3",
                    "empty=",
                ],
                &[]
            ),
            Ok(json!({
                "component": {"name": "API", "description": "a=b [c]"},
                "incident": {"component_ids": ["x", "y"]},
                "rows": [{"a": "1", "b": "2"}, {"a": "3"}],
                "empty": "",
            }))
        );
    }

    #[test]
    fn typed_values_are_what_they_look_like() {
        let typed = [
            "a=true", "b=false", "c=null", "d=17", "e=-1.5", "f=01", "g=True", "h=", "i=[1]",
        ];
        assert_eq!(
            made(&["a2=true"], &typed),
            Ok(json!({
                "a2": "true", "a": true, "b": false, "c": null, "d": 17, "e": -1.5, "f": "01", "g": "True", "h": "", "i": "[1]",
            }))
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("body.txt");
        std::fs::write(&path, "two\nlines").unwrap();
        assert_eq!(
            made(&[], &[&format!("body=@{}", path.display())]),
            Ok(json!({"body": "two\nlines"}))
        );
        assert!(made(&[], &["body=@no/such/file"]).unwrap_err().contains("no/such/file"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["name", "=x", "[a]=x", "a[b=x", "a]b=x", "a[b]c=x", "a[[b]]=x"] {
            assert!(field(text).is_err(), "{text}");
        }
        for (fields, said) in [
            (["a=1", "a=2"], "the field a is given twice"),
            (["a=1", "a[b]=2"], "the field a[b] has parts here"),
            (["a[b]=1", "a[]=2"], "the field a[] is a list here"),
            (["a[b][c]=1", "a[b]=2"], "the field a[b] is given twice"),
        ] {
            let error = made(&fields, &[]).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
