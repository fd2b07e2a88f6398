//! Reading: the file and the environment are laid over the defaults one key at a time, so that each key that cannot be
//! read is a fault of its own and the others are still judged.
//!
//! The types stay plain serde types: a key is tried by putting it into the table that is good so far and deserialising
//! the whole. The table is small, so this costs nothing.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::fault::{Fault, Text};
use super::{NodeConfig, template};

/// Variables begin with this and hold `__` between section and key; others that begin so are not ours to judge.
pub(super) const PREFIX: &str = "LIENTHONG_";

/// Longest excerpt of a faulty value in a message.
const SHOWN_CHARS: usize = 200;

/// What could be read.
pub(super) struct Read {
    /// Every key that could be read; the others have their defaults.
    pub(super) config: NodeConfig,
    /// Every key that could not.
    pub(super) faults: Vec<Fault>,
    /// False when the file is no TOML, so that nothing is known of its keys.
    pub(super) is_whole: bool,
}

/// Reads what can be read. What cannot is a fault and keeps its default.
pub(super) fn read(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Read {
    let mut reader = Reader { good: Table::new(), faults: Vec::new() };
    let file = text.parse::<Table>();
    let is_whole = file.is_ok();
    match file {
        Ok(table) => reader.file(table),
        Err(error) => reader.faults.push(syntax(text, &error)),
    }
    // Sorted, so that the listing does not depend on the order of the environment.
    let env: BTreeMap<String, String> = env.into_iter().collect();
    for (variable, value) in env {
        reader.variable(&variable, &value);
    }
    let config = match NodeConfig::deserialize(Value::Table(reader.good)) {
        Ok(config) => config,
        Err(error) => {
            // Each step was tried, so this cannot happen; were it to, it is a fault and not a panic.
            reader.faults.push(unreadable_value("", &error.to_string()));
            NodeConfig::default()
        }
    };
    Read { config, faults: reader.faults, is_whole }
}

struct Reader {
    /// Always deserialises to a `NodeConfig`.
    good: Table,
    faults: Vec<Fault>,
}

impl Reader {
    fn file(&mut self, table: Table) {
        for (section, value) in table {
            if !template::known_keys("").contains(&section.as_str()) {
                self.faults.push(unknown("", &section));
                continue;
            }
            let Value::Table(keys) = value else {
                self.faults.push(unreadable_value(&section, "this must be a section"));
                continue;
            };
            for (key, value) in keys {
                self.key(&section, &key, value);
            }
        }
    }

    fn key(&mut self, section: &str, key: &str, value: Value) {
        if !template::known_keys(section).contains(&key) {
            self.faults.push(unknown(section, key));
        } else if let ("node", "agencies", Value::Array(entries)) = (section, key, &value) {
            self.agencies(entries);
        } else if let Err(error) = self.put(section, key, value) {
            self.faults.push(unreadable_value(&format!("{section}.{key}"), &error));
        }
    }

    /// Entry by entry and key by key, for the same reason.
    fn agencies(&mut self, entries: &[Value]) {
        let mut good: Vec<Value> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("node.agencies[{index}]");
            let Value::Table(keys) = entry else {
                self.faults.push(unreadable_value(&path, "this must be a table { id, key_file }"));
                continue;
            };
            let mut kept = Table::new();
            for (key, value) in keys {
                if !template::known_keys("node.agencies").contains(&key.as_str()) {
                    self.faults.push(unknown_at(&path, "node.agencies", key));
                    continue;
                }
                let mut tried = kept.clone();
                tried.insert(key.clone(), value.clone());
                let list = good.iter().cloned().chain([Value::Table(tried.clone())]).collect();
                match self.put("node", "agencies", Value::Array(list)) {
                    Ok(()) => kept = tried,
                    Err(error) => self.faults.push(unreadable_value(&format!("{path}.{key}"), &error)),
                }
            }
            good.push(Value::Table(kept));
        }
        let put = self.put("node", "agencies", Value::Array(good));
        self.faults.extend(put.err().map(|error| unreadable_value("node.agencies", &error)));
    }

    fn variable(&mut self, variable: &str, text: &str) {
        let Some((section, key)) = variable.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"))
        else {
            return;
        };
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let before = self.faults.len();
        // As a TOML value first (numbers, booleans, lists), then as the bare string that people write in a shell.
        let value = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        match value {
            Some(value) if !value.is_str() => {
                let string = Value::String(text.to_owned());
                if self.put(&section, &key, string).is_err() {
                    self.key(&section, &key, value);
                }
            }
            Some(value) => self.key(&section, &key, value),
            None => self.key(&section, &key, Value::String(text.to_owned())),
        }
        for fault in &mut self.faults[before..] {
            fault.variable = Some(variable.to_owned());
        }
    }

    /// Puts the key in when the whole can then still be read.
    fn put(&mut self, section: &str, key: &str, value: Value) -> Result<(), String> {
        let mut tried = self.good.clone();
        let table = tried.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(keys) = table {
            keys.insert(key.to_owned(), value);
        }
        match NodeConfig::deserialize(Value::Table(tried.clone())) {
            Ok(_) => {
                self.good = tried;
                Ok(())
            }
            Err(error) => Err(error.message().chars().take(SHOWN_CHARS).collect()),
        }
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Fault {
    let line = error.span().map_or(1, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count() + 1
    });
    let message = error.message().trim().replace('\n', ", ");
    Fault::new(
        format!("line {line}"),
        Text::new(format!("not valid TOML: {message}"), format!("không đúng cú pháp TOML: {message}")),
        Text::new(
            "correct this line; the other keys of the file could not be judged",
            "hãy sửa dòng này; các khoá khác trong tệp chưa kiểm tra được",
        ),
    )
}

fn unknown(section: &str, key: &str) -> Fault {
    unknown_at(section, section, key)
}

fn unknown_at(path: &str, table: &str, key: &str) -> Fault {
    let full = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let known = template::known_keys(table).join(", ");
    let known = if known.is_empty() { template::known_keys("").join(", ") } else { known };
    Fault::new(
        full,
        Text::new("there is no such key", "không có khoá này"),
        Text::new(format!("use one of: {known}"), format!("hãy dùng một trong các khoá: {known}")),
    )
}

fn unreadable_value(path: &str, error: &str) -> Fault {
    let error = error.trim().replace('\n', ", ");
    let example = path.split_once('.').and_then(|(section, key)| template::example(section, key));
    let remedy = match example {
        Some(line) => Text::new(format!("write it like `{line}`"), format!("hãy viết như `{line}`")),
        None => Text::new("see --print-default-config", "xem mẫu bằng --print-default-config"),
    };
    Fault::new(
        path,
        Text::new(format!("the value cannot be read: {error}"), format!("giá trị không đọc được: {error}")),
        remedy,
    )
}
