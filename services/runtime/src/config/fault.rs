//! One fault of a configuration, and the listing of all of them.

use std::fmt;
use std::path::Path;

/// The same sentence twice: for the operator and for whoever helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: String,
    /// Vietnamese.
    pub vi: String,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a key such as `node.agencies[1].key_file`, or `line 3` for a fault of syntax.
    pub key: String,
    /// The environment variable the value came from, if it did.
    pub variable: Option<String>,
    /// What is wrong.
    pub what: Text,
    /// What to do.
    pub remedy: Text,
}

/// Everything that is wrong, first of the file, then of the environment, then of meaning. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
}

impl Text {
    pub(super) fn new(en: impl Into<String>, vi: impl Into<String>) -> Self {
        Self { en: en.into(), vi: vi.into() }
    }
}

impl Fault {
    pub(super) fn new(key: impl Into<String>, what: Text, remedy: Text) -> Self {
        Self { key: key.into(), variable: None, what, remedy }
    }
}

impl Faults {
    pub(super) fn new(list: Vec<Fault>) -> Self {
        Self { list }
    }

    pub(super) fn none_or<T>(list: Vec<Fault>, value: T) -> Result<T, Self> {
        if list.is_empty() { Ok(value) } else { Err(Self { list }) }
    }

    /// The faults.
    pub fn list(&self) -> &[Fault] {
        &self.list
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(variable) = &self.variable {
            write!(f, " (from {variable})")?;
        }
        writeln!(f, ":\n    {}; {}", self.what.en, self.remedy.en)?;
        write!(f, "    {}; {}", self.what.vi, self.remedy.vi)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {0} fault(s) / cấu hình có {0} lỗi", self.list.len())?;
        for fault in &self.list {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Fault {
    let shown = file.display();
    Fault::new(
        shown.to_string(),
        Text::new(format!("the file cannot be read: {error}"), format!("không đọc được tệp: {error}")),
        Text::new(
            "give the path of a readable file; `lienthong node --print-default-config` prints one to start from",
            "hãy chỉ đúng đường dẫn tệp đọc được; `lienthong node --print-default-config` in ra một tệp mẫu",
        ),
    )
}
