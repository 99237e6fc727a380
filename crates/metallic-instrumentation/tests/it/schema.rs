//! Holds the schema in `docs/` against the events.

use std::fs;
use std::path::Path;

use metallic_instrumentation::{Event, EventKind};
use serde_json::{Map, Value, json};

use crate::json_schema::Schema;
use crate::samples::one_of_each;

fn schema() -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.schema.json");
    let root = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    Schema { root, is_closed: false }
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
    let kinds: Vec<&str> = schema.root["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|case| case["properties"]["type"]["const"].as_str())
        .collect();
    assert!(kinds.iter().copied().eq(EventKind::ALL.iter().map(|kind| kind.name())));
    for mut event in as_json() {
        schema.check(&event).unwrap_or_else(|error| panic!("{event}: {error}"));
        // A field that the type gained and the schema did not, or the other way round.
        let defined = &schema.root["$defs"][event["type"].as_str().unwrap()]["properties"];
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
            let fits = schema.check(&event).is_ok();
            // Such a field is always there, if only as `null`. The reader is content without it.
            let nullable = is_nullable(&schema, &whole, field);
            let read = serde_json::from_value::<Event>(event).is_ok();
            assert_eq!(fits, read && !nullable, "{field} of {whole}");
        }
    }
}

fn is_nullable(schema: &Schema, event: &Value, field: &str) -> bool {
    let of_field = &schema.root["$defs"][event["type"].as_str().unwrap()]["properties"][field]["type"];
    of_field.as_array().is_some_and(|types| types.contains(&json!("null")))
}

#[test]
fn values_of_another_type_do_not_fit_the_schema() {
    let schema = schema();
    for whole in as_json() {
        for field in data(&mut whole.clone()).keys() {
            let mut event = whole.clone();
            data(&mut event)[field] = json!({});
            assert!(schema.check(&event).is_err(), "{event}");
        }
        for field in ["timestamp", "registry"] {
            let mut event = whole.clone();
            event[field] = json!("noon");
            assert!(schema.check(&event).is_err(), "{event}");
        }
    }
    let unknown = json!({"type": "SomethingNewer", "data": {}});
    assert!(schema.check(&unknown).is_err());
}
