//! JSON Schemas, held against documents. Knows the keywords that the schemas of this project use, and no others. The tests of the
//! program have this file, too.

use serde_json::Value;

/// A schema.
pub(crate) struct Schema {
    pub(crate) root: Value,
    /// `true` if an object must have no members but those that are described.
    pub(crate) is_closed: bool,
}

impl Schema {
    /// Says what is wrong with a document.
    pub(crate) fn check(&self, document: &Value) -> Result<(), String> {
        self.check_by(&self.root, document)
    }

    fn check_by(&self, schema: &Value, value: &Value) -> Result<(), String> {
        for (keyword, rule) in schema.as_object().unwrap() {
            let rules = || rule.as_array().unwrap().iter();
            let fits = |rule: &&Value| self.check_by(rule, value).is_ok();
            let length = |limit: fn(u64, u64) -> bool| {
                value.as_array().is_none_or(|items| limit(items.len() as u64, rule.as_u64().unwrap()))
            };
            let holds = match &**keyword {
                "$schema" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.check_by(self.root.pointer(pointer).unwrap(), value)?;
                    true
                }
                "anyOf" => rules().any(|rule| fits(&rule)),
                "oneOf" => rules().filter(fits).count() == 1,
                "type" => match rule {
                    Value::Array(types) => types.iter().any(|name| has_type(name, value)),
                    name => has_type(name, value),
                },
                "const" => rule == value,
                "enum" => rule.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
                "minItems" => length(|items, least| items >= least),
                "maxItems" => length(|items, most| items <= most),
                // Of what may be null, this says what it has where it is not.
                "required" => {
                    value.is_null() || rules().all(|name| value.get(name.as_str().unwrap()).is_some())
                }
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        match rule.get(name) {
                            Some(rule) => {
                                self.check_by(rule, member).map_err(|error| format!("{name}: {error}"))?;
                            }
                            None if self.is_closed => return Err(format!("{name} is in no schema")),
                            None => {}
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let mut members = value.as_object().into_iter().flatten();
                    members.all(|(_, member)| self.check_by(rule, member).is_ok())
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.check_by(rule, item)?;
                    }
                    true
                }
                "prefixItems" => {
                    let items = value.as_array().into_iter().flatten();
                    items.zip(rules()).all(|(item, rule)| self.check_by(rule, item).is_ok())
                }
                _ => panic!("a keyword that this does not know: {keyword}"),
            };
            if !holds {
                return Err(format!("{keyword}: {rule} does not hold for {value}"));
            }
        }
        Ok(())
    }
}

fn has_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("a type that this does not know: {name}"),
    }
}
