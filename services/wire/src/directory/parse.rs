//! From TOML to a directory, all faults together.

use super::reader::{Faults, Reader};
use super::{
    AgencyEntry, Authority, DirectoryFault, DirectoryFaults, DirectoryFile, Procedure, PublicKey, check,
};
use crate::limits::DIRECTORY_BYTES;
use lienthong_core::code::is_procedure;
use lienthong_core::directory::{Pattern, Rule};
use lienthong_core::ids::AgencyId;
use toml::Table;

/// Bytes of a name: the longest official name of an office is below 200.
const NAME_BYTES: usize = 300;
/// Bytes of an agency code (QĐ 20/2020/QĐ-TTg: 35 characters).
const CODE_BYTES: usize = 35;
/// Bytes of a level's name.
const LEVEL_BYTES: usize = 30;
const ID_SHAPE: &str = "1 to 40 of a-z, 0-9 and -";

impl DirectoryFile {
    /// Parses and checks a directory file.
    ///
    /// # Errors
    /// All faults together, each with the path of its key.
    pub fn parse(text: &str) -> Result<Self, DirectoryFaults> {
        let whole = |problem: String| DirectoryFaults(vec![DirectoryFault { path: String::new(), problem }]);
        if text.len() > DIRECTORY_BYTES {
            return Err(whole(format!("has more than {DIRECTORY_BYTES} bytes")));
        }
        let table: Table = text.parse().map_err(|error: toml::de::Error| whole(error.to_string()))?;
        let mut faults = Faults::default();
        let file = file(table, &mut faults);
        if let Some(file) = &file {
            check::check(file, &mut faults);
        }
        match file {
            Some(file) if faults.0.is_empty() => Ok(file),
            _ => Err(DirectoryFaults(faults.0)),
        }
    }
}

/// The file, as far as it can be read: entries with a fault are left out so that the others are still checked.
fn file(table: Table, faults: &mut Faults) -> Option<DirectoryFile> {
    let mut top = Reader::new("", table, faults);
    match top.number("version") {
        Some(1) | None => {}
        Some(other) => {
            top.fault("version", format!("{other} is not known; this program reads version 1"));
            return None;
        }
    }
    let epoch = top.number("epoch");
    let name = top.text("name", NAME_BYTES);
    let authority = top.table("authority").and_then(|table| authority(top.inner("authority", table)));
    let agencies = each(&mut top, "agency", agency);
    let procedures = each(&mut top, "procedure", procedure);
    let rules = each(&mut top, "allow", rule);
    if agencies.is_empty() {
        top.fault("agency", "there is none");
    }
    top.finish();
    Some(DirectoryFile { epoch: epoch?, name: name?, authority: authority?, agencies, procedures, rules })
}

fn each<T>(top: &mut Reader<'_>, key: &str, read: impl Fn(Reader<'_>) -> Option<T>) -> Vec<T> {
    let tables = top.tables(key);
    let numbered = tables.into_iter().enumerate();
    numbered.filter_map(|(i, table)| read(top.inner(&format!("{key}[{i}]"), table))).collect()
}

fn authority(mut r: Reader<'_>) -> Option<Authority> {
    let id = r.parsed("id", AgencyId::MAX, AgencyId::parse, ID_SHAPE);
    let name = r.text("name", NAME_BYTES);
    let keys = each(&mut r, "keys", key);
    r.finish();
    Some(Authority { id: id?, name: name?, keys })
}

fn agency(mut r: Reader<'_>) -> Option<AgencyEntry> {
    let id = r.parsed("id", AgencyId::MAX, AgencyId::parse, ID_SHAPE);
    let code = r.parsed("code", CODE_BYTES, agency_code, "groups of A-Z and 0-9 between dots, at most seven");
    let code_is_example = r.flag("code_is_example");
    let unit_code = r.optional_text("unit_code", CODE_BYTES);
    let name = r.text("name", NAME_BYTES);
    let level = r.parsed("level", LEVEL_BYTES, level, "a word of a-z, 0-9, - and _");
    let parent = r.optional_text("parent", AgencyId::MAX);
    let parent = parent.and_then(|text| {
        let id = AgencyId::parse(&text);
        if id.is_none() {
            r.fault("parent", format!("\"{text}\" is not {ID_SHAPE}"));
        }
        id
    });
    let keys = each(&mut r, "keys", key);
    r.finish();
    Some(AgencyEntry {
        id: id?,
        code: code?,
        code_is_example,
        unit_code,
        name: name?,
        level: level?,
        parent,
        keys,
    })
}

fn key(mut r: Reader<'_>) -> Option<PublicKey> {
    let id = r.text("id", 1024);
    let public = r.parsed("public", 1024, public_key, "64 hexadecimal digits");
    r.finish();
    Some(PublicKey { id: id?, public: public? })
}

fn procedure(mut r: Reader<'_>) -> Option<Procedure> {
    let shape = |text: &str| is_procedure(text).then(|| text.to_owned());
    let code = r.parsed("code", NAME_BYTES, shape, "a procedure code such as 1.001193");
    let name = r.text("name", NAME_BYTES);
    let days = r.days("days");
    let basis = r.optional_text("basis", 1_000);
    r.finish();
    Some(Procedure { code: code?, name: name?, days, basis })
}

fn rule(mut r: Reader<'_>) -> Option<Rule> {
    let shape = "\"*\", \"level:<level>\" or an agency's id";
    let from = r.parsed("from", 64, pattern, shape);
    let to = r.parsed("to", 64, pattern, shape);
    let mut procedures = r.texts("procedures");
    let all = procedures.iter().any(|p| p == "*");
    if all && procedures.len() > 1 {
        r.fault("procedures", "names \"*\" beside others");
    } else if procedures.is_empty() {
        // A list of the wrong type was reported already; an empty one would silently allow everything.
        r.fault("procedures", "names no procedure; write [\"*\"] for all");
    }
    r.finish();
    if procedures.is_empty() {
        return None;
    }
    if all {
        procedures.clear();
    }
    Some(Rule { from: from?, to: to?, procedures })
}

fn pattern(text: &str) -> Option<Pattern> {
    match text.strip_prefix("level:") {
        Some(name) => level(name).map(Pattern::Level),
        None if text == "*" => Some(Pattern::Any),
        None => AgencyId::parse(text).map(Pattern::Agency),
    }
}

fn level(text: &str) -> Option<String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (!text.is_empty() && text.bytes().all(good)).then(|| text.to_owned())
}

fn agency_code(text: &str) -> Option<String> {
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let groups = || text.split('.');
    let fits = groups().count() <= 7 && groups().all(|g| !g.is_empty() && g.bytes().all(good));
    fits.then(|| text.to_owned())
}

fn public_key(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).ok().map(|()| key)
}
