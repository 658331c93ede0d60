//! Arguments against their JSON Schema, as far as it says what a server could not take: types, lists of values, what must
//! be there, lengths and limits, at every depth. `$ref`, `pattern` and `format` are not looked at.
//!
//! Problems are told to the model, which calls again. They name the place and what belongs there, never the value.

use serde_json::Value;

/// What is wrong with `value`, first thing first; `path` is empty for all arguments together.
pub(super) fn problem(value: &Value, schema: &Value, path: &str) -> Option<String> {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let named = if path.is_empty() { "the arguments" } else { path };
    if schema["nullable"] == true && value.is_null() {
        return None;
    }
    if let Some(wanted) = types(schema)
        && !wanted.iter().any(|kind| is_of(value, kind))
    {
        return Some(format!("{named} must be {}", wanted.iter().map(|kind| a(kind)).collect::<Vec<_>>().join(" or ")));
    }
    if let Some(all) = schema["enum"].as_array()
        && !all.contains(value)
    {
        let all: Vec<String> = all.iter().take(20).map(Value::to_string).collect();
        return Some(format!("{named} must be one of {}", all.join(", ")));
    }
    if let Some(wanted) = schema.get("const")
        && value != wanted
    {
        return Some(format!("{named} must be {wanted}"));
    }
    for (word, each) in [("anyOf", false), ("oneOf", false), ("allOf", true)] {
        let Some(schemas) = schema[word].as_array().filter(|schemas| !schemas.is_empty()) else { continue };
        let mut problems = schemas.iter().map(|schema| problem(value, schema, path));
        let found = if each {
            problems.flatten().next()
        } else {
            let first = problems.next().flatten();
            first.filter(|_| problems.all(|problem| problem.is_some()))
        };
        if found.is_some() {
            return found;
        }
    }
    match value {
        Value::Object(fields) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let lacks = |name: &&str| fields.get(*name).is_none_or(Value::is_null);
            let missing: Vec<String> = required.clone().filter(lacks).map(at).collect();
            if !missing.is_empty() {
                return Some(format!("missing arguments: {}", missing.join(", ")));
            }
            fields.iter().find_map(|(name, field)| {
                match schema["properties"].get(name) {
                    // Models say null for what they leave out.
                    Some(_) if field.is_null() && !required.clone().any(|known| known == name) => None,
                    Some(schema) => problem(field, schema, &at(name)),
                    None if schema["additionalProperties"] == false => {
                        Some(format!("there is no argument {}", at(name)))
                    }
                    None => None,
                }
            })
        }
        Value::Array(items) => {
            let limits = within(items.len() as f64, schema, "minItems", "maxItems");
            limits.map(|limit| format!("{named} must have {limit} items")).or_else(|| {
                let each = |(number, item)| problem(item, &schema["items"], &format!("{named}[{number}]"));
                items.iter().enumerate().find_map(each)
            })
        }
        Value::String(text) => within(text.chars().count() as f64, schema, "minLength", "maxLength")
            .map(|limit| format!("{named} must have {limit} characters")),
        Value::Number(number) => {
            within(number.as_f64()?, schema, "minimum", "maximum").map(|limit| format!("{named} must be {limit}"))
        }
        Value::Bool(_) | Value::Null => None,
    }
}

/// The types that a schema allows, in lower case; none if it does not say.
fn types(schema: &Value) -> Option<Vec<String>> {
    match &schema["type"] {
        Value::String(kind) => Some(vec![kind.to_ascii_lowercase()]),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()),
        _ => None,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        // 3.0 is one too.
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn a(kind: &str) -> String {
    match kind {
        "null" => kind.to_owned(),
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => "an object".to_owned(),
        _ => format!("a {kind}"),
    }
}

fn within(found: f64, schema: &Value, least: &str, most: &str) -> Option<String> {
    let below = schema[least].as_f64().filter(|least| found < *least).map(|least| format!("at least {least}"));
    below.or_else(|| schema[most].as_f64().filter(|most| found > *most).map(|most| format!("at most {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_that_a_server_could_not_take_are_told_apart() {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["city"], "properties": {
            "city": {"type": "string", "maxLength": 5},
            "unit": {"type": "STRING", "enum": ["c", "f"]},
            "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 7},
            "pin": {"type": "string", "format": "password", "minLength": 4},
            "at": {"type": "object", "required": ["hour"], "properties": {"hour": {"type": "number"}}},
            "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
            "who": {"anyOf": [{"type": "string"}, {"type": "object"}]},
        }});
        for (arguments, wrong) in [
            (json!({"city": "Ulm", "unit": "c", "days": 3.0, "at": {"hour": 7}, "tags": ["a"], "who": {}}), ""),
            (json!({"city": "Ulm", "unit": null, "days": null, "at": null}), ""),
            (json!({"city": "Übér!"}), ""),
            (json!({}), "missing arguments: city"),
            (json!({"city": null}), "missing arguments: city"),
            (json!({"city": 7}), "city must be a string"),
            (json!({"city": "Berlin"}), "city must have at most 5 characters"),
            (json!({"city": "Ulm", "unit": "k"}), r#"unit must be one of "c", "f""#),
            (json!({"city": "Ulm", "days": 1.5}), "days must be a whole number or null"),
            (json!({"city": "Ulm", "days": 9}), "days must be at most 7"),
            (json!({"city": "Ulm", "pin": "471"}), "pin must have at least 4 characters"),
            (json!({"city": "Ulm", "at": {}}), "missing arguments: at.hour"),
            (json!({"city": "Ulm", "at": {"hour": "7"}}), "at.hour must be a number"),
            (json!({"city": "Ulm", "tags": ["a", 1]}), "tags[1] must be a string"),
            (json!({"city": "Ulm", "tags": ["a", "b", "c"]}), "tags must have at most 2 items"),
            (json!({"city": "Ulm", "who": 1}), "who must be a string"),
            (json!({"city": "Ulm", "mood": "good"}), "there is no argument mood"),
        ] {
            assert_eq!(problem(&arguments, &schema, "").unwrap_or_default(), wrong, "{arguments}");
        }
        assert_eq!(problem(&json!({"x": 1}), &json!({"type": "object"}), ""), None);
    }
}
