//! Holds the schema in `docs/` against the events.

use std::fs;
use std::path::Path;

use metallic_instrumentation::{Event, EventKind};
use serde_json::{Map, Value, json};

use crate::samples::one_of_each;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Says what is wrong with `value`. Knows the keywords that the schema uses, and no others.
fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match &**keyword {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| has_type(name, value)),
                name => has_type(name, value),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_u64().is_none_or(|number| number >= rule.as_u64().unwrap()),
            "maximum" => value.as_u64().is_none_or(|number| number <= rule.as_u64().unwrap()),
            "required" => {
                rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, rule, value).map_err(|error| format!("{name}: {error}"))?;
                    }
                }
                true
            }
            "items" => {
                value.as_array().is_none_or(|items| items.iter().all(|item| check(root, rule, item).is_ok()))
            }
            "oneOf" => {
                let fits = |rule: &&Value| check(root, rule, value).is_ok();
                rule.as_array().unwrap().iter().filter(fits).count() == 1
            }
            _ => panic!("a keyword that this test does not know: {keyword}"),
        };
        if !holds {
            return Err(format!("{keyword}: {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

fn has_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("a type that this test does not know: {name}"),
    }
}

/// The events as JSON, with all their fields.
fn as_json() -> Vec<Value> {
    one_of_each().iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

fn data(event: &mut Value) -> &mut Map<String, Value> {
    event["data"].as_object_mut().unwrap()
}

#[test]
fn every_kind_of_event_fits_the_schema_and_has_all_its_fields() {
    let schema = schema();
    let kinds: Vec<&str> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|case| case["properties"]["type"]["const"].as_str())
        .collect();
    assert!(kinds.iter().copied().eq(EventKind::ALL.iter().map(|kind| kind.name())));
    for mut event in as_json() {
        check(&schema, &schema, &event).unwrap_or_else(|error| panic!("{event}: {error}"));
        // A field that the type gained and the schema did not, or the other way round.
        let defined = &schema["$defs"][event["type"].as_str().unwrap()]["properties"];
        let defined: Vec<&String> = defined.as_object().unwrap().keys().collect();
        assert_eq!(data(&mut event).keys().collect::<Vec<_>>(), defined);
    }
}

#[test]
fn what_the_schema_requires_is_what_a_reader_requires() {
    let schema = schema();
    for whole in as_json() {
        for field in data(&mut whole.clone()).keys() {
            let mut event = whole.clone();
            data(&mut event).remove(field);
            let fits = check(&schema, &schema, &event).is_ok();
            // Such a field is always there, if only as `null`. The reader is content without it.
            let nullable = is_nullable(&schema, &whole, field);
            let read = serde_json::from_value::<Event>(event).is_ok();
            assert_eq!(fits, read && !nullable, "{field} of {whole}");
        }
    }
}

fn is_nullable(schema: &Value, event: &Value, field: &str) -> bool {
    let of_field = &schema["$defs"][event["type"].as_str().unwrap()]["properties"][field]["type"];
    of_field.as_array().is_some_and(|types| types.contains(&json!("null")))
}

#[test]
fn values_of_another_type_do_not_fit_the_schema() {
    let schema = schema();
    for whole in as_json() {
        for field in data(&mut whole.clone()).keys() {
            let mut event = whole.clone();
            data(&mut event)[field] = json!({});
            assert!(check(&schema, &schema, &event).is_err(), "{event}");
        }
        for field in ["timestamp", "registry"] {
            let mut event = whole.clone();
            event[field] = json!("noon");
            assert!(check(&schema, &schema, &event).is_err(), "{event}");
        }
    }
    let unknown = json!({"type": "SomethingNewer", "data": {}});
    assert!(check(&schema, &schema, &unknown).is_err());
}
