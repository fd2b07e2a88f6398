//! Acts about the same agency that were signed before: nodes keep only so many, and whoever keeps others answers no successor.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use lienthong_core::authority::ACTS_OF_ONE;
use lienthong_core::ids::{AgencyId, Sid};
use lienthong_core::reason::Reason;
use lienthong_core::statement::Body;
use lienthong_wire::act;
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::keys::KeyRing;
use lienthong_wire::limits::SIGNED_BYTES;
use lienthong_wire::verify::Verifier;

use crate::failure::Refusal;

/// From this one on the clerk is warned: one act, and one correction, are what happens.
const WARNED_FROM: usize = 3;

/// Refuses an act that nodes would not keep, and gives a warning before there is none left. The acts signed before are those in the
/// folder of the new one that verify by the directory; a copy of one counts once.
///
/// # Errors
/// The folder cannot be read, or there are so many acts about the agency already.
pub(super) fn warning(
    agency: &AgencyId,
    out: &Path,
    directory: &DirectoryFile,
) -> anyhow::Result<Option<String>> {
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let number = about(agency, folder, directory)?.len() + 1;
    let shown = folder.display();
    if number > ACTS_OF_ONE {
        return Err(Refusal::here(
            Reason::TooManyItems,
            (
                format!("đã có {ACTS_OF_ONE} quyết định về {agency} trong {shown}; các nút không giữ thêm"),
                format!("there are {ACTS_OF_ONE} acts about {agency} in {shown}, and nodes keep no more"),
            ),
            (
                format!(
                    "đưa đủ {ACTS_OF_ONE} quyết định đó đến mọi nút (`lienthong authority apply`): quyết định ký sau cùng có \
                     hiệu lực. Nếu nó nêu sai nơi kế thừa, nơi đó chuyển hồ sơ tiếp."
                ),
                format!(
                    "bring those {ACTS_OF_ONE} to every node (`lienthong authority apply`): the last one made stands. If it names \
                     the wrong successor, that one hands the dossiers on."
                ),
            ),
        )
        .into());
    }
    let left = ACTS_OF_ONE - number;
    Ok((number >= WARNED_FROM).then(|| {
        format!(
            "Lưu ý: đây là quyết định thứ {number} về {agency}; các nút giữ {ACTS_OF_ONE}, còn ký được {left}. Đưa mọi quyết định \
             đến mọi nút.\nNote: this is act number {number} about {agency}; nodes keep {ACTS_OF_ONE}, {left} more can be signed. \
             Bring every one of them to every node."
        )
    }))
}

/// Sids of the acts about an agency among the files of a folder.
fn about(agency: &AgencyId, folder: &Path, directory: &DirectoryFile) -> anyhow::Result<BTreeSet<Sid>> {
    let verifier = Verifier::new(Arc::new(KeyRing::of(directory)));
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        let small = entry.metadata().is_ok_and(|m| m.is_file() && m.len() <= SIGNED_BYTES as u64);
        if !small {
            continue;
        }
        let path = entry.path();
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let Ok(signed) = act::from_file(&bytes) else { continue };
        let Ok(statement) = verifier.verify_statement(signed) else { continue };
        if matches!(&statement.body, Body::Retire(retire) if retire.agency == *agency) {
            found.insert(statement.sid());
        }
    }
    Ok(found)
}
