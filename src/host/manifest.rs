//! JSON values as YAML in blocks, which people can read and change.

use serde_json::Value;

/// `documents` as a stream of YAML documents.
pub(super) fn yaml(documents: &[Value]) -> String {
    let each = documents.iter().map(|document| {
        let mut text = String::new();
        block(&mut text, document, 0);
        text
    });
    each.collect::<Vec<_>>().join("---\n")
}

fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&format!("{indent}{}:", name(key)));
                after(text, value, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                if is_block(item) {
                    block(&mut inner, item, depth + 1);
                    let rest = inner.trim_start();
                    text.push_str(&format!("{indent}- {rest}"));
                } else {
                    text.push_str(&format!("{indent}- {item}\n"));
                }
            }
        }
        scalar => text.push_str(&format!("{indent}{scalar}\n")),
    }
}

/// Whether it is written on lines of its own.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// What follows a key.
fn after(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(lines) if is_plain_text(lines) => {
            text.push_str(" |\n");
            let indent = "  ".repeat(depth);
            for line in lines.lines() {
                match line.is_empty() {
                    true => text.push('\n'),
                    false => text.push_str(&format!("{indent}{line}\n")),
                }
            }
        }
        value if is_block(value) => {
            text.push('\n');
            block(text, value, depth);
        }
        // JSON's scalars and empty collections are YAML's.
        scalar => text.push_str(&format!(" {scalar}\n")),
    }
}

/// Whether a literal block reads it back: several lines, none of which begins with a blank or
/// holds what YAML would take for more than text.
fn is_plain_text(text: &str) -> bool {
    let plain = |c: char| c == '\n' || c == '\t' || (' '..='~').contains(&c);
    let once = text.ends_with('\n') && !text.ends_with("\n\n") && text.len() > 1;
    let first = text.chars().next();
    once && !first.is_some_and(char::is_whitespace) && text.chars().all(plain)
}

/// A key, quoted where it is more than a word.
fn name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let letter = key.starts_with(|c: char| c.is_ascii_alphabetic());
    // YAML 1.1 takes these for truth values.
    let truth = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let word = truth.contains(&key.to_ascii_lowercase().as_str());
    match letter && !word && key.chars().all(plain) {
        true => key.to_owned(),
        false => Value::from(key).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks() {
        let value = json!({
            "a": 1,
            "b.c/d": ["x", {"e": true, "f": []}, ["y"]],
            "no": {"text": "one\n\ntwo # three\n", "empty": "", "blank": " x\n", "umlaut": "ö\n"},
        });
        insta::assert_snapshot!(yaml(&[value, json!({"z": {}})]), @r#"
        a: 1
        b.c/d:
          - "x"
          - e: true
            f: []
          - - "y"
        "no":
          text: |
            one

            two # three
          empty: ""
          blank: " x\n"
          umlaut: "ö\n"
        ---
        z: {}
        "#);
    }
}
