//! What a template's values refer to, in every form that the template language has for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The names that `value` refers to: through `Ref`, `Fn::GetAtt`, `Fn::Sub`, and conditions through `Fn::If`.
pub(crate) fn references(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_references(value, &mut names);
    names
}

fn collect_references(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, names)),
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("Ref" | "Condition", Value::String(name)) => {
                        names.insert(name.clone());
                    }
                    ("Fn::GetAtt", _) => {
                        names.extend(resource_of(inner).map(str::to_owned));
                        collect_references(inner, names);
                    }
                    ("Fn::If", _) => {
                        names.extend(inner.get(0).and_then(Value::as_str).map(str::to_owned));
                        collect_references(inner, names);
                    }
                    ("Fn::Sub", _) => {
                        let used = placeholders(inner);
                        names.extend(used.map(|name| name.split('.').next().unwrap_or_default().to_owned()));
                        collect_references(inner, names);
                    }
                    _ => collect_references(inner, names),
                }
            }
        }
        _ => {}
    }
}

/// The resource that `Fn::GetAtt` asks: of `[Table, Arn]`, or `Table.Arn`.
pub(super) fn resource_of(argument: &Value) -> Option<&str> {
    match argument {
        Value::String(path) => path.split('.').next(),
        list => list.get(0)?.as_str(),
    }
}

/// The text that `Fn::Sub` fills in.
fn text_of_sub(argument: &Value) -> &str {
    let text = argument.as_str().or_else(|| argument.get(0)?.as_str());
    text.unwrap_or_default()
}

/// What stands between `${` and `}` for `Fn::Sub`, but for `${!literals}` and for variables of its own.
pub(super) fn placeholders(argument: &Value) -> impl Iterator<Item = &str> {
    let own = argument.get(1).and_then(Value::as_object);
    text_of_sub(argument)
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .filter(move |name| !name.starts_with('!') && own.is_none_or(|own| !own.contains_key(*name)))
}

/// Has everything that refers to a resource of an old name refer to the new one.
pub(crate) fn rename_references(value: &mut Value, names: &BTreeMap<String, String>) {
    let rename = |name: &mut Value| {
        if let Some(new) = name.as_str().and_then(|old| names.get(old)) {
            *name = json!(new);
        }
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, names)),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                match (key.as_str(), &mut *inner) {
                    ("Ref" | "DependsOn", Value::String(_)) => rename(inner),
                    ("DependsOn", Value::Array(items)) => items.iter_mut().for_each(rename),
                    ("Fn::GetAtt", Value::Array(path)) => {
                        path.iter_mut().take(1).for_each(rename);
                        path.iter_mut().skip(1).for_each(|part| rename_references(part, names));
                    }
                    ("Fn::GetAtt", Value::String(path)) => {
                        if let Some((resource, attribute)) = path.split_once('.')
                            && let Some(new) = names.get(resource)
                        {
                            *path = format!("{new}.{attribute}");
                        }
                    }
                    ("Fn::Sub", Value::String(text)) => rename_in_text(text, &BTreeSet::new(), names),
                    ("Fn::Sub", Value::Array(parts)) => {
                        let own = parts.get(1).and_then(Value::as_object);
                        let own = own.map(|own| own.keys().cloned().collect()).unwrap_or_default();
                        if let Some(Value::String(text)) = parts.first_mut() {
                            rename_in_text(text, &own, names);
                        }
                        parts.iter_mut().skip(1).for_each(|part| rename_references(part, names));
                    }
                    _ => rename_references(inner, names),
                }
            }
        }
        _ => {}
    }
}

/// The same in the text that `Fn::Sub` fills in; a variable of its `own` goes before a resource.
fn rename_in_text(text: &mut String, own: &BTreeSet<String>, names: &BTreeMap<String, String>) {
    let mut renamed = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start + 2);
        renamed.push_str(before);
        let end = after.find('}').unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        let (resource, attribute) = name.split_at(name.find('.').unwrap_or(name.len()));
        match names.get(resource).filter(|_| !own.contains(name)) {
            Some(new) => renamed.push_str(&format!("{new}{attribute}")),
            None => renamed.push_str(name),
        }
        rest = tail;
    }
    renamed.push_str(rest);
    *text = renamed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_reference_follows_a_rename() {
        let mut value = json!({
            "a": {"Ref": "Old"},
            "b": {"Fn::GetAtt": ["Old", "Arn"]},
            "c": {"Fn::GetAtt": "Old.Arn"},
            "d": {"Fn::Sub": "${Old}/${Old.Arn}/${Older}/${!Old}/$Old"},
            "e": {"Fn::Sub": ["${Old} ${x}", {"x": {"Ref": "Old"}}]},
            "f": {"Fn::Sub": ["${Old} ${Old.Arn}", {"Old": {"Fn::GetAtt": "Old.Id"}}]},
            "g": {"DependsOn": "Old"},
            "h": {"DependsOn": ["Other", "Old"]},
            "i": {"Fn::If": ["Old", {"Ref": "Old"}, {"Fn::Join": ["Old", [{"Ref": "Older"}]]}]},
        });
        rename_references(&mut value, &BTreeMap::from([("Old".to_owned(), "New".to_owned())]));
        assert_eq!(
            value,
            json!({
                "a": {"Ref": "New"},
                "b": {"Fn::GetAtt": ["New", "Arn"]},
                "c": {"Fn::GetAtt": "New.Arn"},
                "d": {"Fn::Sub": "${New}/${New.Arn}/${Older}/${!Old}/$Old"},
                "e": {"Fn::Sub": ["${New} ${x}", {"x": {"Ref": "New"}}]},
                "f": {"Fn::Sub": ["${Old} ${New.Arn}", {"Old": {"Fn::GetAtt": "New.Id"}}]},
                "g": {"DependsOn": "New"},
                "h": {"DependsOn": ["Other", "New"]},
                // A condition may be called as a resource is.
                "i": {"Fn::If": ["Old", {"Ref": "New"}, {"Fn::Join": ["Old", [{"Ref": "Older"}]]}]},
            })
        );
    }

    #[test]
    fn what_is_referred_to_is_found_in_every_form() {
        let value = json!([
            {"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}, {"Fn::GetAtt": "C.Arn"}, {"Fn::Sub": "${D}${E.Arn}${!No}"},
            {"Fn::Sub": ["${F}${own}", {"own": {"Ref": "G"}}]}, {"Fn::If": ["H", {"Ref": "I"}, ""]},
            {"Condition": "J"}, {"Fn::GetAtt": ["B", {"Ref": "L"}]}, {"Fn::Join": ["", ["K", {"Ref": "AWS::Region"}]]},
        ]);
        let found: Vec<String> = references(&value).into_iter().collect();
        assert_eq!(
            found,
            ["A", "AWS::Region", "B", "C", "D", "E", "F", "G", "H", "I", "J", "L"]
        );
    }
}
