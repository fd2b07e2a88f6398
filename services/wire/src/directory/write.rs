//! A directory as TOML text that [`DirectoryFile::parse`] reads back to the same.

use super::{DirectoryFile, PublicKey, spell};
use std::fmt::{self, Write};
use toml::Value;

impl DirectoryFile {
    /// The file's text.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "version = 1\nepoch = {}\nname = {}", self.epoch, text(&self.name))?;
        let authority = &self.authority;
        writeln!(
            out,
            "\n[authority]\nid = {}\nname = {}",
            text(authority.id.as_str()),
            text(&authority.name)
        )?;
        keys(out, &authority.keys)?;
        for agency in &self.agencies {
            writeln!(out, "\n[[agency]]\nid = {}\ncode = {}", text(agency.id.as_str()), text(&agency.code))?;
            if agency.code_is_example {
                writeln!(out, "code_is_example = true")?;
            }
            if let Some(unit) = &agency.unit_code {
                writeln!(out, "unit_code = {}", text(unit))?;
            }
            writeln!(out, "name = {}\nlevel = {}", text(&agency.name), text(&agency.level))?;
            if let Some(parent) = &agency.parent {
                writeln!(out, "parent = {}", text(parent.as_str()))?;
            }
            keys(out, &agency.keys)?;
        }
        for procedure in &self.procedures {
            writeln!(
                out,
                "\n[[procedure]]\ncode = {}\nname = {}",
                text(&procedure.code),
                text(&procedure.name)
            )?;
            if let Some(days) = procedure.days {
                writeln!(out, "days = {days}")?;
            }
            if let Some(basis) = &procedure.basis {
                writeln!(out, "basis = {}", text(basis))?;
            }
        }
        for rule in &self.rules {
            writeln!(
                out,
                "\n[[allow]]\nfrom = {}\nto = {}",
                text(&spell(&rule.from)),
                text(&spell(&rule.to))
            )?;
            let codes: Vec<_> = rule.procedures.iter().map(|code| text(code)).collect();
            let codes = if codes.is_empty() { text("*") } else { codes.join(", ") };
            writeln!(out, "procedures = [{codes}]")?;
        }
        Ok(())
    }
}

fn keys(out: &mut String, keys: &[PublicKey]) -> fmt::Result {
    let one =
        |key: &PublicKey| format!("{{ id = {}, public = \"{}\" }}", text(&key.id), hex::encode(key.public));
    writeln!(out, "keys = [{}]", keys.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// A TOML string with what needs escaping escaped.
fn text(text: &str) -> String {
    Value::String(text.into()).to_string()
}
