//! Plain sled as its documentation tells to use it: insert, `flush()`, acknowledge. Known to lose what it flushed.

use crate::kept::{Done, Wrong, closed};
use crate::script::{Script, Step};
use std::fs::File;
use std::path::Path;

fn open(dir: &Path) -> Result<sled::Db, Wrong> {
    sled::Config::new().path(dir.join("plain")).open().map_err(|e| closed("sled")(&e))
}

/// Inserts and flushes row after row, telling each.
pub(crate) fn write(dir: &Path, script: &Script, from: usize) -> Result<(), Wrong> {
    let db = open(dir)?;
    // Its folders are made durable for it: what it loses then is lost by `flush()` alone.
    for folder in [dir.join("plain"), dir.to_owned()] {
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| closed("folder")(&e))?;
    }
    for (n, step) in script.steps.iter().enumerate().skip(from) {
        let Step::Row(value) = step else { continue };
        db.insert((n as u64).to_be_bytes(), &value[..]).map_err(|e| closed("insert")(&e))?;
        db.flush().map_err(|e| closed("flush")(&e))?;
        println!("{}", n + 1);
    }
    // Power goes without a farewell: closing would sync.
    std::mem::forget(db);
    Ok(())
}

/// Looks for every acknowledged row.
pub(crate) fn judge(dir: &Path, script: &Script, done: Done) -> Result<String, Wrong> {
    let db = open(dir)?;
    for (n, step) in script.steps.iter().take(done.acknowledged).enumerate() {
        let Step::Row(value) = step else { continue };
        let found = db.get((n as u64).to_be_bytes()).map_err(|e| closed("get")(&e))?;
        if found.as_deref() != Some(&value[..]) {
            return Err(Wrong::Lost(format!("row {n} of {}", done.acknowledged)));
        }
    }
    Ok(format!("rows {}", done.acknowledged))
}
