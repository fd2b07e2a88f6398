//! Reads TOML tables key by key and remembers every fault with its path, so that an editor of the file sees them all.

use super::DirectoryFault;
use toml::{Table, Value};

/// The faults so far.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<DirectoryFault>);

impl Faults {
    pub(super) fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.0.push(DirectoryFault { path: path.into(), problem: problem.into() });
    }
}

/// One table; keys are taken out of it, and what is left at the end is unknown.
pub(super) struct Reader<'f> {
    path: String,
    table: Table,
    faults: &'f mut Faults,
}

impl<'f> Reader<'f> {
    pub(super) fn new(path: impl Into<String>, table: Table, faults: &'f mut Faults) -> Self {
        Self { path: path.into(), table, faults }
    }

    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let path = self.at(key);
        self.faults.add(path, problem);
    }

    /// A text that must be there, with 1 to `limit` bytes and no control characters.
    pub(super) fn text(&mut self, key: &str, limit: usize) -> Option<String> {
        let found = self.optional_text(key, limit);
        if found.is_none() && !self.faults.0.iter().any(|f| f.path == self.at(key)) {
            self.fault(key, "is missing");
        }
        found
    }

    pub(super) fn optional_text(&mut self, key: &str, limit: usize) -> Option<String> {
        match self.table.remove(key)? {
            Value::String(text) if text.is_empty() => self.fault(key, "is empty"),
            Value::String(text) if text.len() > limit => {
                self.fault(key, format!("has more than {limit} bytes"))
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                self.fault(key, "has a control character");
            }
            Value::String(text) => return Some(text),
            _ => self.fault(key, "is not a text"),
        }
        None
    }

    /// A text that must parse.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        limit: usize,
        parse: impl Fn(&str) -> Option<T>,
        shape: &str,
    ) -> Option<T> {
        let text = self.text(key, limit)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault(key, format!("\"{text}\" is not {shape}"));
        }
        value
    }

    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        match self.table.remove(key) {
            None => self.fault(key, "is missing"),
            Some(Value::Integer(n)) if n >= 1 => return u64::try_from(n).ok(),
            Some(_) => self.fault(key, "is not a whole number from 1"),
        }
        None
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.table.remove(key) {
            None => false,
            Some(Value::Boolean(flag)) => flag,
            Some(_) => {
                self.fault(key, "is not true or false");
                false
            }
        }
    }

    pub(super) fn days(&mut self, key: &str) -> Option<f64> {
        match self.table.remove(key)? {
            // Whole numbers of days are far below 2^53.
            Value::Integer(n) if (0..=10_000).contains(&n) => Some(n as f64),
            Value::Float(days) if (0.0..=10_000.0).contains(&days) => Some(days),
            _ => {
                self.fault(key, "is not a number of days from 0 to 10000");
                None
            }
        }
    }

    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.table.remove(key) else {
            self.fault(key, "is missing");
            return Vec::new();
        };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(String::from)).collect::<Option<Vec<_>>>()
        });
        texts.unwrap_or_else(|| {
            self.fault(key, "is not a list of texts");
            Vec::new()
        })
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Table> {
        match self.table.remove(key) {
            Some(Value::Table(table)) => return Some(table),
            Some(_) => self.fault(key, "is not a table"),
            None => self.fault(key, "is missing"),
        }
        None
    }

    /// A list of tables; none at all is an empty list.
    pub(super) fn tables(&mut self, key: &str) -> Vec<Table> {
        let Some(value) = self.table.remove(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.fault(key, "is not a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            match item {
                Value::Table(table) => tables.push(table),
                _ => self.fault(&format!("{key}[{i}]"), "is not a table"),
            }
        }
        tables
    }

    /// A reader of an inner table that was taken out before.
    pub(super) fn inner(&mut self, key: &str, table: Table) -> Reader<'_> {
        let path = self.at(key);
        Reader::new(path, table, self.faults)
    }

    /// Reports the keys nobody asked for: they are misspelt, or of a later version.
    pub(super) fn finish(mut self) {
        for key in std::mem::take(&mut self.table).keys() {
            self.fault(key, "is not a key of this format");
        }
    }
}
